//! A disk that is full: nothing unsaved is acknowledged, and the server recovers by itself.

use std::process::Command;

use crate::server::{PROGRAM, Server, run};
use crate::world::{application, check_statement};

/// The largest file that the server may write from now on.
fn limit(server: &Server, size: &str) {
    let limited = Command::new("prlimit")
        .arg(format!("--pid={}", server.pid()))
        .arg(format!("--fsize={size}:"))
        .status()
        .unwrap();
    assert!(limited.success(), "prlimit");
}

#[test]
fn a_full_disk_is_503_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    // The signal that comes with a refused write is left aside, as it is on a disk that is really full.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", PROGRAM]);
    let server = Server::start_with(folder.path(), command, &[]);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    let kept = wallet.initiate("alice", "bob", "1");
    shop.accept(&kept).expect(200);
    // Read once, so that the views have it: what they have can be read on.
    assert_eq!(wallet.transaction(&kept).expect(200).data()["status"], "COMPLETED");
    let before = server.position();

    limit(&server, "4096");
    let refused = wallet.try_initiate("alice", "bob", "5", Some("k")).unwrap().expect(503);
    assert!(refused.headers.contains_key("retry-after"));
    for _ in 0..20 {
        wallet.try_initiate("alice", "bob", "7", None).unwrap().expect(503);
    }
    assert_eq!(server.get("/health").unwrap().status, 200);
    assert_eq!(server.get("/ready").unwrap().status, 503);
    assert_eq!(server.position(), before, "nothing happened");
    assert_eq!(wallet.transaction(&kept).expect(200).data()["status"], "COMPLETED", "reads go on");

    limit(&server, "unlimited");
    server.wait_until("writable again", |_| {
        wallet.try_initiate("alice", "bob", "5", Some("k")).is_ok_and(|answer| answer.status == 201)
    });
    server.wait_until("ready again", |server| server.get("/ready").is_some_and(|answer| answer.status == 200));
    let sent = wallet.get("/api/v1/transactions/sent").expect(200).data();
    assert_eq!(sent["totalElements"], 2, "the key made one payment, the refused ones none");
    assert_eq!(check_statement(&shop.statement()), 10_000);
    assert!(server.terminate().0.success());
    assert!(run(folder.path(), &["verify"]).status.success());
}
