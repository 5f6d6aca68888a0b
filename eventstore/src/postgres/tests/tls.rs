//! Encrypted connections, to a server that takes no others.

use super::*;
use crate::testing::tls::Authority;

/// The URL of the same database with these parameters, and the server called by this name.
fn named(url: &str, host: &str, parameters: &str) -> String {
    format!("{}?{parameters}", url.replace("127.0.0.1", host))
}

async fn open(url: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(url, Access::Write).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_known_by_its_certificate() {
    let (Some(authority), Some(other)) = (Authority::new(), Authority::new()) else { return };
    let Some(server) = PostgresServer::start_encrypted(&authority) else { return };
    let url = server.database().await;
    let trust = |authority: &Authority| format!("sslrootcert={}", authority.certificate().display());
    let verified = named(&url, "localhost", &format!("sslmode=verify-full&{}", trust(&authority)));
    let store = open(&verified).await.unwrap();
    store.append(Position::START, batch(0, 3)).await.unwrap();
    assert_eq!(store.read(Position::START, 10).await.unwrap().len(), 3);
    // Every kind of connection is encrypted: the server lets in no other, and neither lease nor key is without one.
    assert!(matches!(store.lead(&Candidate::default()).await, Ok(Lease::Mine { .. })));
    store.close().await;

    let refused = |url: String| async move { open(&url).await.err().map(|error| error.to_string()) };
    let stranger = refused(named(&url, "localhost", &format!("sslmode=verify-full&{}", trust(&other)))).await;
    assert!(stranger.as_deref().is_some_and(|why| why.contains("certificate")), "{stranger:?}");
    let unknown = refused(named(&url, "localhost", "sslmode=verify-full")).await;
    assert!(unknown.as_deref().is_some_and(|why| why.contains("certificate")), "{unknown:?}");
    // The certificate is that of `localhost`.
    let misnamed = refused(named(&url, "127.0.0.1", &format!("sslmode=verify-full&{}", trust(&authority)))).await;
    assert!(misnamed.as_deref().is_some_and(|why| why.contains("certificate")), "{misnamed:?}");
    let nameless = named(&url, "127.0.0.1", &format!("sslmode=verify-ca&{}", trust(&authority)));
    assert!(open(&nameless).await.is_ok());
    assert!(open(&named(&url, "127.0.0.1", "sslmode=require")).await.is_ok());
    let clear = refused(named(&url, "127.0.0.1", "sslmode=disable")).await;
    assert!(clear.as_deref().is_some_and(|why| why.contains("no encryption")), "{clear:?}");
}
