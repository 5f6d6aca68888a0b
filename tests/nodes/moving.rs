//! A ledger moves from SQLite to PostgreSQL and back.

use std::path::Path;
use std::process::Output;

use flexledger_eventstore::testing::postgres::PostgresServer;

use crate::server::{Server, command};
use crate::world::application;

fn run(data: &Path, events: Option<&str>, arguments: &[&str]) -> Output {
    let mut program = command();
    program.arg("--data").arg(data);
    if let Some(url) = events {
        program.args(["--events", url]);
    }
    let output = program.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_ledger_moves_to_postgres_and_back_with_every_hash() {
    let Some(postgres) = PostgresServer::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(postgres.database());
    let folder = tempfile::tempdir().unwrap();
    let (first, second, third) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
    let server = Server::start(&first);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    for number in 1..=20 {
        let reference = wallet.initiate("alice", "bob", &format!("{number}.5"));
        shop.accept(&reference).expect(200);
    }
    server.terminate();
    let file = folder.path().join("ledger.jsonl");
    let file = file.to_str().unwrap();
    let lines = run(&first, None, &["export", "--format", "jsonl"]).stdout;
    std::fs::write(file, &lines).unwrap();
    run(&second, Some(&url), &["import", file]);
    run(&second, Some(&url), &["verify"]);
    let there = run(&second, Some(&url), &["export", "--format", "jsonl"]).stdout;
    assert!(there == lines, "what PostgreSQL gives back differs");
    std::fs::write(file, &there).unwrap();
    run(&third, None, &["import", file]);
    let back = run(&third, None, &["export", "--format", "jsonl"]).stdout;
    assert!(back == lines, "what came back differs");
    // It is served from there, under the keys that it was made with.
    std::fs::copy(first.join("platform.key"), second.join("platform.key")).unwrap();
    let server = Server::start_with(&second, command(), &[("FLEXLEDGER_EVENTS", &url)]);
    let token = wallet.fresh_token(&server);
    let wallet = crate::world::App { token, ..wallet.at(&server) };
    assert_eq!(wallet.statement().len(), 20);
    assert!(wallet.try_initiate("alice", "bob", "1", None).unwrap().status == 201);
}

/// What an import has noted beside its store when it was killed.
const HALF_DONE: &str = r#"{"ledger":null,"position":1000000,"hash":"00","done":false}"#;

#[test]
fn a_part_of_an_import_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path()).terminate();
    std::fs::write(folder.path().join("imported.json"), HALF_DONE).unwrap();
    let mut program = command();
    let refused = program.arg("--data").arg(folder.path()).args(["--listen", "127.0.0.1:0", "serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("was broken off"), "{said}");
}
