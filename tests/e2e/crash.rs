//! `kill -9` at random moments, and what clients find afterwards.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::server::{Server, run};
use crate::world::{App, Dice, application, check_statement, reference};

const ROUNDS: u64 = 8;
const CLIENTS: usize = 6;

/// What clients were told, by reference: whether the payment was accepted, and the key and body of its initiation.
type Told = Mutex<BTreeMap<String, (bool, String, String)>>;

/// Pays until the server is gone.
fn client(wallet: &App, shop: &App, name: &str, gone: &AtomicBool, told: &Told) {
    let mut number = 0;
    while !gone.load(Ordering::SeqCst) {
        number += 1;
        let key = format!("{name}-{number}");
        let Ok(made) = wallet.try_initiate("alice", "bob", "2.5000", Some(&key)) else { return };
        let reference = reference(&made.clone().expect(201));
        let data = made.data().to_string();
        told.lock().unwrap().insert(reference.clone(), (false, key, data));
        if number % 3 == 0 {
            continue;
        }
        let path = format!("/api/v1/transactions/{reference}/accept");
        let Ok(accepted) = shop.try_call("POST", &path, None, None) else { return };
        accepted.expect(200);
        told.lock().unwrap().get_mut(&reference).unwrap().0 = true;
    }
}

#[test]
fn kill_9_loses_nothing_acknowledged_and_leaves_nothing_half_booked() {
    let mut dice = Dice::new("kill -9");
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let (mut wallet, mut shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    let told = Told::default();
    for round in 0..ROUNDS {
        let gone = AtomicBool::new(false);
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (wallet, shop, gone, told) = (&wallet, &shop, &gone, &told);
                scope.spawn(move || client(wallet, shop, &format!("{round}-{number}"), gone, told));
            }
            thread::sleep(Duration::from_millis(30 + dice.below(250)));
            server.kill();
            gone.store(true, Ordering::SeqCst);
        });
        let verified = run(folder.path(), &["verify", "--json"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        server = Server::start(folder.path());
        (wallet, shop) = (wallet.at(&server), shop.at(&server));
        check(&wallet, &shop, &told.lock().unwrap());
    }
    let told = told.into_inner().unwrap();
    assert!(told.len() > 50, "the clients got something done: {}", told.len());
    check_keys(&wallet, &told);
}

/// Everything that was acknowledged is there, and what is booked is booked on both sides.
fn check(wallet: &App, shop: &App, told: &BTreeMap<String, (bool, String, String)>) {
    let (sent, received) = (wallet.statement_if_any(), shop.statement_if_any());
    assert_eq!(check_statement(&sent) + check_statement(&received), 0);
    let booked: Vec<&str> = sent.iter().map(|entry| entry.reference.as_str()).collect();
    let credited: Vec<&str> = received.iter().map(|entry| entry.reference.as_str()).collect();
    assert_eq!(booked, credited, "each payment is on both statements, once, in one order");
    let booked: std::collections::BTreeSet<&str> = booked.into_iter().collect();
    assert_eq!(booked.len(), sent.len(), "nothing is booked twice");
    for (reference, (accepted, ..)) in told {
        assert!(!accepted || booked.contains(reference.as_str()), "{reference} was acknowledged and is lost");
        let status = wallet.transaction(reference).expect(200).data()["status"].clone();
        let expected = if booked.contains(reference.as_str()) { "COMPLETED" } else { "AWAITING_ACCEPTANCE" };
        assert_eq!(status, expected, "{reference}");
    }
}

/// The same key answers the same payment after all those restarts, whatever became of it.
fn check_keys(wallet: &App, told: &BTreeMap<String, (bool, String, String)>) {
    for (_, key, data) in told.values().step_by(7) {
        let again = wallet.try_initiate("alice", "bob", "2.5000", Some(key)).unwrap().expect(201);
        assert_eq!(again.headers.get("idempotent-replayed").map(String::as_str), Some("true"));
        assert_eq!(&again.data().to_string(), data);
    }
}

impl App {
    /// The statement; empty before the wallet exists.
    fn statement_if_any(&self) -> Vec<crate::world::Entry> {
        if self.get("/api/v1/wallet").status == 404 { Vec::new() } else { self.statement() }
    }
}

#[test]
fn the_same_key_answers_the_same_body_after_a_clean_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    let first = wallet.try_initiate("alice", "bob", "0.0001", Some("k")).unwrap().expect(201);
    shop.accept(&reference(&first)).expect(200);
    let (status, _) = server.terminate();
    assert!(status.success());
    let server = Server::start(folder.path());
    let again = wallet.at(&server).try_initiate("alice", "bob", "9", Some("k")).unwrap().expect(201);
    assert_eq!(again.data().to_string(), first.data().to_string());
}
