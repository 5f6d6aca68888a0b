//! A server with its views on PostgreSQL: compared with the log, damaged and rebuilt beside it.

use std::path::Path;

use flexledger_eventstore::testing::postgres::PostgresServer;
use serde_json::Value;

use crate::server::{Server, command};
use crate::world::application;

/// Runs a verb with the views at this URL; its exit status and document.
fn run(data: &Path, views: &str, arguments: &[&str]) -> (i32, Value) {
    let mut program = command();
    let output = program.args(["--json", "--views", views, "--data"]).arg(data).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}")))
}

#[test]
fn views_on_postgres_are_rebuilt_beside_the_server_that_keeps_them() {
    let Some(postgres) = PostgresServer::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(postgres.database());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start_with(data, command(), &[("FLEXLEDGER_VIEWS", &url)]);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    for number in 1..=12 {
        let reference = wallet.initiate("alice", "bob", &number.to_string());
        shop.accept(&reference).expect(200);
    }
    assert_eq!(shop.statement().len(), 12);
    let (code, report) = run(data, &url, &["reconcile"]);
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)), "{report}");
    assert_eq!(server.status()["reconciled"]["position"], report["position"], "the server is told");

    let sql = "UPDATE flexledger_views.transactions SET receiver_tag = 'x@y' \
               WHERE position = (SELECT min(position) FROM flexledger_views.transactions)";
    runtime.block_on(postgres.run(&url, sql));
    runtime.block_on(postgres.run(&url, "DELETE FROM flexledger_views.entries WHERE credit = 1"));
    let (code, report) = run(data, &url, &["reconcile"]);
    assert_eq!(code, 1);
    let differences = |name: &str| {
        let views = report["views"].as_array().unwrap();
        views.iter().find(|view| view["name"] == name).unwrap()["differences"].as_array().unwrap().clone()
    };
    let [only] = differences("transactions").try_into().unwrap();
    assert_eq!(only["key"], format!("transactions/{}", only["first_position"]));
    assert_eq!(only["live"]["receiver_tag"], "x@y");
    assert!(differences("statement").len() >= 12 && differences("wallets").is_empty());
    let shown = shop.get("/api/v1/wallet/statement").expect(200).data();
    assert_eq!(shown["content"].as_array().unwrap().len(), 0, "damaged as it is");

    assert_eq!(run(data, &url, &["rebuild"]).0, 1, "nothing is switched without being told");
    assert_eq!(run(data, &url, &["rebuild", "--accept-differences"]).0, 0);
    assert_eq!(shop.statement().len(), 12);
    shop.accept(&wallet.initiate("alice", "bob", "13")).expect(200);
    assert_eq!(shop.statement().len(), 13);
    assert_eq!(run(data, &url, &["reconcile"]).0, 0);
    assert!(server.terminate().0.success());
    assert_eq!(run(data, &url, &["rebuild"]).0, 0, "and without the server");
}
