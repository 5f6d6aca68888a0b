//! Damage to the log is found and named; a saved head proves more.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::server::{Server, run};
use crate::world::{Dice, application};

/// A log with some payments in it, at rest.
fn log(data: &Path) -> u64 {
    let server = Server::start(data);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    for number in 1..=10 {
        let reference = wallet.initiate("alice", "bob", &number.to_string());
        if number % 2 == 0 {
            shop.accept(&reference).expect(200);
        }
    }
    let position = server.position();
    assert!(server.terminate().0.success());
    position
}

/// Changes the database file of the log as somebody with access to the disk could.
fn tamper(data: &Path, sql: &str) {
    let script = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()";
    let done = Command::new("python3").args(["-c", script]).arg(data.join("events.db")).arg(sql).status().unwrap();
    assert!(done.success(), "{sql}");
}

fn verify(data: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = run(data, &[&["verify", "--json"], arguments].concat());
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), report)
}

#[test]
fn a_flipped_byte_is_found_and_its_position_named() {
    let mut dice = Dice::new("flipped byte");
    let folder = tempfile::tempdir().unwrap();
    let head = log(folder.path());
    assert_eq!(verify(folder.path(), &[]).0, 0);
    for _ in 0..6 {
        let position = 1 + dice.below(head);
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("events.db"), copy.path().join("events.db")).unwrap();
        let at = 20 + dice.below(60);
        // Any other byte in its place.
        let flip = format!(
            "UPDATE events SET body = substr(body, 1, {at}) || char(unicode(substr(body, {at} + 1, 1)) + 1) \
             || substr(body, {at} + 2) WHERE position = {position}"
        );
        tamper(copy.path(), &flip);
        let (code, report) = verify(copy.path(), &[]);
        assert_eq!((code, &report["ok"]), (1, &Value::Bool(false)), "{flip}");
        let named = report["violations"].as_array().unwrap().iter().any(|v| v["position"] == position);
        assert!(named, "{position}: {report}");
    }
}

#[test]
fn a_flipped_byte_in_the_file_makes_verify_fail() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path());
    let path = folder.path().join("events.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let needle = b"transaction.accepted";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(verify(folder.path(), &[]).0, 1);
}

#[test]
fn a_missing_event_a_forged_hash_and_a_swapped_pair_are_found() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path());
    for (sql, position) in [
        ("DELETE FROM events WHERE position = 7", 7),
        ("UPDATE events SET hash = zeroblob(32) WHERE position = 9", 9),
        ("UPDATE events SET body = (SELECT body FROM events WHERE position = 12) WHERE position = 11", 11),
        ("UPDATE events SET body = x'00' WHERE position = 3", 3),
    ] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("events.db"), copy.path().join("events.db")).unwrap();
        tamper(copy.path(), sql);
        let (code, report) = verify(copy.path(), &[]);
        assert_eq!(code, 1, "{sql}");
        assert_eq!(report["violations"][0]["position"], position, "{sql}: {report}");
    }
}

/// All files of a data directory at rest.
fn copied(data: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(data).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

#[test]
fn a_log_with_a_hole_is_neither_signed_nor_exported_nor_printed() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path());
    let copy = copied(folder.path());
    tamper(copy.path(), "DELETE FROM events WHERE position = 7");
    for verb in [&["head"] as &[&str], &["export"], &["export", "--format", "csv"], &["log"], &["diff", "1", "9"]] {
        let output = run(copy.path(), verb);
        assert!(matches!(output.status.code(), Some(1 | 3)), "{verb:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains('7') && said.contains("verify"), "{verb:?}: {said}");
    }
}

/// The views beside it know more than the log does: whoever wrote on would bury what a backup may still have.
#[test]
fn a_log_that_lost_its_end_is_not_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let head = log(folder.path());
    for lost in [5, head] {
        let copy = copied(folder.path());
        tamper(copy.path(), &format!("DELETE FROM events WHERE position > {}", head - lost));
        let output = run(copy.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let script = "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM events').fetchone()[0])";
        let counted = Command::new("python3").args(["-c", script]).arg(copy.path().join("events.db")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&counted.stdout).trim(), (head - lost).to_string());
    }
}

#[test]
fn a_row_before_the_first_event_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let head = log(folder.path());
    for place in ["0", "-7"] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("events.db"), copy.path().join("events.db")).unwrap();
        tamper(copy.path(), &format!("INSERT INTO events SELECT {place}, body, hash FROM events WHERE position = 1"));
        let (code, report) = verify(copy.path(), &[]);
        assert_eq!((code, &report["position"]), (1, &Value::from(head)), "{place}");
        let violations = report["violations"].as_array().unwrap();
        assert_eq!((violations.len(), &violations[0]["check"]), (1, &Value::from("positions")), "{place}: {report}");
        assert!(violations[0]["message"].as_str().unwrap().contains(place), "{report}");
    }
}

#[test]
fn a_saved_head_shows_a_cut_tail_and_a_rewritten_suffix() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let head = log(data);
    let (note, document) = (data.join("note"), data.join("head.json"));
    std::fs::write(&note, run(data, &["head"]).stdout).unwrap();
    std::fs::write(&document, run(data, &["head", "--json"]).stdout).unwrap();
    let saved = [note.to_str().unwrap(), document.to_str().unwrap()];
    for file in saved {
        assert_eq!(verify(data, &["--head", file]).0, 0);
    }
    // Without its note it says the same, and anybody could have written it.
    let mut unsigned: Value = serde_json::from_slice(&std::fs::read(&document).unwrap()).unwrap();
    unsigned.as_object_mut().unwrap().remove("note").unwrap();
    for text in [unsigned.to_string(), {
        unsigned["note"] = Value::Null;
        unsigned.to_string()
    }] {
        let path = data.join("unsigned.json");
        std::fs::write(&path, text).unwrap();
        let refused = run(data, &["verify", "--head", path.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stdout));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no signed note"));
    }
    tamper(data, &format!("DELETE FROM events WHERE position = {head}"));
    assert_eq!(verify(data, &[]).0, 0, "the rest is a valid log");
    for file in saved {
        let (code, report) = verify(data, &["--head", file]);
        assert_eq!(code, 1);
        assert_eq!(report["violations"][0]["position"], head);
    }
    for made_from_it in ["views.db", "views.db-wal", "views.db-shm", "snapshots"] {
        let path = data.join(made_from_it);
        let _missing = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
    // The log goes on from there, and is as long as before: another suffix of equal length.
    let server = Server::start(data);
    let (wallet, _) = (application(&server, "newapp", "carol"), application(&server, "nextapp", "dave"));
    while server.position() < head {
        wallet.initiate("carol", "dave", "1");
    }
    assert!(server.terminate().0.success());
    assert_eq!(verify(data, &[]).0, 0);
    for file in saved {
        assert_eq!(verify(data, &["--head", file]).0, 1);
    }
    let forged = std::fs::read_to_string(&note).unwrap().replacen("flexledger/", "flexledger/x", 1);
    std::fs::write(&note, forged).unwrap();
    assert_eq!(run(data, &["verify", "--head", saved[0]]).status.code(), Some(1), "a head of no ledger's key");
    std::fs::write(&note, "not a head\n").unwrap();
    assert_eq!(run(data, &["verify", "--head", saved[0]]).status.code(), Some(2), "no head");
    assert_eq!(run(data, &["verify", "--head", "no-such-file"]).status.code(), Some(2));
}
