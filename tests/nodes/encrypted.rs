//! Log and views in a database that takes encrypted connections only.

use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::testing::tls::Authority;

use crate::server::{Server, command};
use crate::world::application;

#[test]
fn log_and_views_are_reached_by_encrypted_connections() {
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else { return };
    let Some(postgres) = PostgresServer::start_encrypted(&authority) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(postgres.database()).replace("127.0.0.1", "localhost");
    let trusting =
        |authority: &Authority| format!("{url}?sslmode=verify-full&sslrootcert={}", authority.certificate().display());
    let folder = tempfile::tempdir().unwrap();
    let events = trusting(&authority);
    let views = format!("{events}&schema=node_a");
    let variables = [("FLEXLEDGER_EVENTS", events.as_str()), ("FLEXLEDGER_VIEWS", views.as_str())];
    let server = Server::start_with(folder.path(), command(), &variables);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    let reference = wallet.initiate("alice", "bob", "1.5");
    shop.accept(&reference).expect(200);
    assert_eq!(wallet.statement().len(), 1);
    server.terminate();
    // A server that somebody else vouches for is not talked to.
    for (events, views) in [(trusting(&other), views.clone()), (events, format!("{}&schema=b", trusting(&other)))] {
        let mut program = command();
        program.arg("--data").arg(folder.path()).args(["--listen", "127.0.0.1:0", "--events", &events]);
        let refused = program.args(["--views", &views, "serve"]).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(3), "{said}");
        assert!(said.contains("certificate"), "{said}");
    }
}
