//! Views compared with the log, damaged, and made again, beside a server and without one; exports and imports.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::server::{Server, command, run};
use crate::world::{App, application};

fn pay(server: &Server) -> (App, App) {
    let (wallet, shop) = (application(server, "walletapp", "alice"), application(server, "shopapp", "bob"));
    for number in 1..=12 {
        let reference = wallet.initiate("alice", "bob", &number.to_string());
        if number % 3 != 0 {
            shop.accept(&reference).expect(200);
        }
    }
    (wallet, shop)
}

/// Changes the database of the views as somebody with access to the disk could.
fn damage(data: &Path, sql: &str) {
    let script = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=10); c.execute(sys.argv[2]); c.commit()";
    let done = Command::new("python3").args(["-c", script]).arg(data.join("views.db")).arg(sql).status().unwrap();
    assert!(done.success(), "{sql}");
}

fn document(output: &Output) -> (i32, Value) {
    let text = String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}")))
}

#[test]
fn views_that_nobody_made_are_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    pay(&server);
    assert!(server.terminate().0.success());
    for name in ["views.db", "views.db-wal", "views.db-shm"] {
        let _may_be_missing = std::fs::remove_file(data.join(name));
    }
    let output = run(data, &["reconcile"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("no views yet") && told.contains("flexledger rebuild"), "{told}");
    assert!(!data.join("views.db").exists());
    assert_eq!(run(data, &["rebuild", "--accept-differences"]).status.code(), Some(0), "it makes them");
    assert_eq!(run(data, &["reconcile"]).status.code(), Some(0));
}

#[test]
fn damaged_views_are_found_and_rebuilt_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let (wallet, shop) = pay(&server);
    let before = wallet.statement().len();
    let (code, report) = document(&run(data, &["reconcile", "--json"]));
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)), "{report}");
    let confirmed = report["position"].as_u64().unwrap();
    assert_eq!(server.status()["reconciled"]["position"], confirmed);
    assert!(server.status()["reconciled"]["at"].is_string());
    damage(data, "UPDATE wallets SET total_debited = '5.0000'");
    damage(data, "DELETE FROM entries WHERE number IN (SELECT number FROM entries LIMIT 2)");
    let (code, report) = document(&run(data, &["reconcile", "--json"]));
    assert_eq!((code, &report["ok"]), (1, &Value::Bool(false)));
    let view =
        |name: &str| report["views"].as_array().unwrap().iter().find(|view| view["name"] == name).cloned().unwrap();
    assert_eq!(view("statement")["differences"].as_array().unwrap().len(), 2);
    assert!(view("statement")["differences"][0]["live"].is_null());
    assert!(view("wallets")["differences"][0]["first_position"].is_u64());
    assert_eq!(view("transactions")["ok"], true);
    assert_eq!(run(data, &["rebuild"]).status.code(), Some(1), "nothing is switched without being told");
    assert_eq!(run(data, &["rebuild", "wallets", "statement", "--accept-differences"]).status.code(), Some(0));
    // The server goes on from the rebuilt rows, not from what it remembers.
    assert_eq!(wallet.statement().len(), before);
    let reference = wallet.initiate("alice", "bob", "100");
    shop.accept(&reference).expect(200);
    assert_eq!(wallet.statement().len(), before + 1);
    let (code, report) = document(&run(data, &["reconcile", "--json"]));
    assert_eq!(code, 0, "{report}");
    assert!(server.terminate().0.success());
    assert_eq!(run(data, &["rebuild"]).status.code(), Some(0));
    assert_eq!(run(data, &["reconcile", "nothing"]).status.code(), Some(2));
    std::fs::remove_file(data.join("views.db")).unwrap();
    assert_eq!(run(data, &["reconcile"]).status.code(), Some(3));
    assert_eq!(run(data, &["rebuild", "--accept-differences"]).status.code(), Some(0));
    assert_eq!(run(data, &["reconcile"]).status.code(), Some(0));
}

#[test]
fn an_export_is_imported_with_every_hash() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let (wallet, _) = pay(&server);
    let statement = wallet.statement().len();
    let held = run(data, &["import", file!()]);
    assert_eq!(held.status.code(), Some(3), "{}", String::from_utf8_lossy(&held.stderr));
    assert!(server.terminate().0.success());
    let export = run(data, &["export"]).stdout;
    let note = run(data, &["head"]).stdout;
    let key = String::from_utf8(run(data, &["head", "--key"]).stdout).unwrap();
    let file = folder.path().join("export.jsonl");
    let head = folder.path().join("head.note");
    std::fs::write(&file, &export).unwrap();
    std::fs::write(&head, &note).unwrap();
    let (file, head) = (file.to_str().unwrap(), head.to_str().unwrap());
    assert_eq!(run(data, &["import", file]).status.code(), Some(2), "not empty");

    let other = tempfile::tempdir().unwrap();
    let (code, report) = document(&run(other.path(), &["import", file, "--json"]));
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)));
    assert_eq!(run(other.path(), &["export"]).stdout, export);
    assert_eq!(run(other.path(), &["verify", "--head", head]).status.code(), Some(0), "the key was another one");
    let copy = Server::start(other.path());
    let moved = App { token: wallet.fresh_token(&copy), ..wallet.at(&copy) };
    assert_eq!(moved.statement().len(), statement);
    assert!(copy.terminate().0.success());
    assert_eq!(run(other.path(), &["verify", "--head", head]).status.code(), Some(0));

    // Nothing but the export, the head and the key.
    let bundle = ["verify", "--bundle", file, "--head", head, "--key", key.trim()];
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(run(nowhere.path(), &bundle).status.code(), Some(0));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/bundle/verify.py");
    let independent = || Command::new("python3").args([script, file, head, key.trim()]).output().unwrap();
    assert!(independent().status.success(), "{}", String::from_utf8_lossy(&independent().stderr));
    let text = String::from_utf8(export).unwrap();
    let cut: String = text.split_inclusive('\n').take(text.lines().count() - 1).collect();
    std::fs::write(file, cut).unwrap();
    assert_eq!(run(nowhere.path(), &bundle).status.code(), Some(1));
    assert_eq!(independent().status.code(), Some(1));
    std::fs::write(file, text.replacen("1.0000", "2.0000", 1)).unwrap();
    assert_eq!(run(nowhere.path(), &bundle).status.code(), Some(1));
    assert_eq!(independent().status.code(), Some(1));
    let (code, report) = document(&run(nowhere.path(), &["import", file, "--json"]));
    assert_eq!((code, &report["ok"]), (1, &Value::Bool(false)));
    std::fs::write(file, text).unwrap();
    assert_eq!(run(nowhere.path(), &["import", file]).status.code(), Some(0), "the store had stayed empty");
    assert_eq!(command().args(["export", "--format", "nothing"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn a_server_reconciles_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), command(), &[("FLEXLEDGER_RECONCILE__EVERY", "1s")]);
    pay(&server);
    let position = server.position();
    server.wait_until("the position is confirmed", |server| {
        server.status()["reconciled"]["position"].as_u64().is_some_and(|confirmed| confirmed >= position)
    });
    assert!(server.terminate().0.success());
}
