//! Imports: nobody leads over one that is under way, nor over one that was broken off.

use super::*;
use crate::{Alone, Place};

/// Whoever would tell from the log, or serve it, is told that it is no whole ledger.
async fn refused(url: &str) {
    for access in [Access::Read, Access::Write] {
        let opened = PostgresStore::open(url, access).await.err();
        assert!(matches!(&opened, Some(StoreError::Unusable(why)) if why.contains("not finished")), "{opened:?}");
    }
}

async fn leader(node: &PostgresStore) -> Option<String> {
    let candidate = Candidate { node: "node".to_owned(), address: None };
    match node.lead(&candidate).await.unwrap() {
        Lease::Theirs { leader } => Some(leader.node),
        Lease::Mine { .. } => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_leads_over_a_part_of_an_import() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let place = Place::Postgres(url.clone());
    let importer = Alone::open(&place, "importer").await.unwrap();
    let node = PostgresStore::open(&url, Access::Write).await.unwrap();
    importer.store().mark_unfinished(true).await.unwrap();
    importer.store().append(Position::START, batch(0, 10)).await.unwrap();
    refused(&url).await;
    // It keeps its right for longer than one lease lasts.
    let begin = std::time::Instant::now();
    while begin.elapsed() < LEASE_LASTS + LEASE_LASTS / 2 {
        assert_eq!(leader(&node).await.as_deref(), Some("importer"));
        tokio::time::sleep(LEASE_LASTS / 20).await;
    }
    assert!(matches!(Alone::open(&place, "another").await, Err(StoreError::Held(_))));
    importer.store().append(Position::new(10), batch(10, 10)).await.unwrap();
    // As if it was killed: it gives nothing back, and its lease ends.
    drop(importer);
    while leader(&node).await.as_deref() == Some("importer") {
        tokio::time::sleep(LEASE_LASTS / 20).await;
    }
    assert!(leader(&node).await.is_some_and(|nobody| nobody.contains("not finished")));
    assert_eq!(node.head().await.unwrap().position, Position::new(20));
    refused(&url).await;

    let importer = Alone::open(&place, "another").await.unwrap();
    importer.store().append(Position::new(20), batch(20, 5)).await.unwrap();
    importer.store().mark_unfinished(false).await.unwrap();
    assert_eq!(leader(&node).await.as_deref(), Some("another"));
    assert!(PostgresStore::open(&url, Access::Read).await.is_ok());
    importer.finish().await.unwrap();
    assert_eq!(leader(&node).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_platform_key_is_the_one() {
    let Some(server) = PostgresServer::start() else { return };
    let url = server.database().await;
    let (first, second) = (
        PostgresStore::open(&url, Access::Write).await.unwrap(),
        PostgresStore::open(&url, Access::Write).await.unwrap(),
    );
    let reader = PostgresStore::open(&url, Access::Read).await.unwrap();
    assert!(reader.is_platform_key(&[3; 32]).await.unwrap(), "none is known, and a reader makes none known");
    let (one, other) = futures::join!(first.is_platform_key(&[1; 32]), second.is_platform_key(&[2; 32]));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one != other, "of two keys one is the ledger's");
    for store in [&first, &second, &reader] {
        assert_eq!(store.is_platform_key(&[1; 32]).await.unwrap(), one);
        assert_eq!(store.is_platform_key(&[2; 32]).await.unwrap(), other);
    }
}
