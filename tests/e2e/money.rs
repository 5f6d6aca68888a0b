//! Exact decimals to the last digit.

use crate::server::Server;
use crate::world::{application, check_statement, minor};

#[test]
fn amounts_are_exact_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let wallet = application(&server, "walletapp", "alice");
    let shop = application(&server, "shopapp", "bob");
    // What goes in, and what must be printed.
    let amounts = [
        ("0.0001", "0.0001"),
        ("0.1", "0.1000"),
        ("0.2", "0.2000"),
        ("1", "1.0000"),
        ("1e3", "1000.0000"),
        ("1.10", "1.1000"),
        ("999999999999999.9999", "999999999999999.9999"),
        ("123456789012345.6789", "123456789012345.6789"),
        ("9007199254740993", "9007199254740993"),
    ];
    let mut sum = 0;
    for (given, printed) in amounts.iter().filter(|(_, printed)| printed.contains('.')) {
        let made = wallet.try_initiate("alice", "bob", given, None).unwrap();
        if made.status != 201 && given.contains('e') {
            // A server may refuse an exponent, but must not book anything else.
            continue;
        }
        let made = made.expect(201);
        assert_eq!(made.digits("amount"), *printed);
        let accepted = shop.accept(&crate::world::reference(&made)).expect(200);
        assert_eq!(accepted.digits("amount"), *printed);
        sum += minor(printed);
        let balance = shop.get("/api/v1/wallet").expect(200);
        assert_eq!(minor(balance.digits("balance")), sum, "after {given}");
        let other = wallet.get("/api/v1/wallet").expect(200);
        assert_eq!(minor(other.digits("balance")), -sum, "after {given}");
    }
    let too_long = wallet.try_initiate("alice", "bob", "9007199254740993", None).unwrap();
    assert_eq!((too_long.status, too_long.code().as_str()), (400, "IDAAS-VALID-2001"), "16 digits");
    assert_eq!(check_statement(&shop.statement()), sum);
    assert_eq!(check_statement(&wallet.statement()), -sum);
}
