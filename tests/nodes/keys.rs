//! Nodes of one ledger have one platform key.

use flexledger_eventstore::testing::postgres::PostgresServer;

use crate::server::{Server, command};

#[test]
fn a_node_with_another_platform_key_is_refused() {
    let Some(postgres) = PostgresServer::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(postgres.database());
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    let variables = [("FLEXLEDGER_EVENTS", url.as_str())];
    // Nothing is sealed yet: no text that could not be read tells the two keys apart.
    let server = Server::start_with(&first, command(), &variables);
    let mut program = command();
    program.arg("--data").arg(&second).args(["--listen", "127.0.0.1:0", "--events", &url, "serve"]);
    let refused = program.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("platform key") && said.contains("Copy platform.key"), "{said}");
    std::fs::copy(first.join("platform.key"), second.join("platform.key")).unwrap();
    let beside = Server::start_with(&second, command(), &variables);
    beside.terminate();
    server.terminate();
}
