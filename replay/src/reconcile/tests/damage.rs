//! Damage below the rows and beside them: pages, indexes, and what the views keep about themselves.

use super::*;

/// Overwrites the beginning of the page that a table or an index of the live views begins with.
async fn tear(place: &Place, name: &str) {
    let mut connection = SqliteConnection::connect(&place.url).await.unwrap();
    let page: (i64, i64) =
        sqlx::query_as("SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?")
            .bind(name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    connection.close().await.unwrap();
    let path = place.folder.path().join("views.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let begin = usize::try_from((page.0 - 1) * page.1).unwrap();
    bytes[begin..begin + 16].fill(0xee);
    std::fs::write(&path, bytes).unwrap();
}

/// A page that cannot be read is a difference of its view, and a rebuild mends it. An index that is torn leaves the rows
/// equal, but not what is found by it.
#[tokio::test]
async fn torn_pages_are_found_and_mended() {
    let world = World::random(37, 400);
    let place = Place::new(&world, world.history.len()).await;
    for (name, view, key) in [
        ("wallets", "wallets", "file"),
        ("entries", "statement", "file"),
        ("settlements", "settlement", "file"),
        ("transactions", "transactions", "file"),
        ("tags_by_name", "tags", "index/tags"),
        ("transactions_sent", "transactions", "index/transactions"),
    ] {
        tear(&place, name).await;
        let report = place.reconcile(&[]).await;
        let found: Vec<_> = report.views.iter().filter(|view| !view.ok).collect();
        assert_eq!(found.iter().map(|view| view.name).collect::<Vec<_>>(), [view], "{name}");
        let keys: Vec<_> = found[0].differences.iter().map(|difference| difference.key.as_str()).collect();
        assert_eq!(keys, [key], "{name}");
        let (report, switched) = place.rebuild(&[], key == "file").await;
        assert!(switched && report.ok == (key != "file"), "{name}");
        assert!(place.reconcile(&[]).await.ok, "{name}");
    }
}

/// What the views keep about themselves, and what belongs to no table: it is found, and mended by whatever it takes.
#[tokio::test]
async fn damage_beside_the_rows_is_found_and_mended() {
    let world = World::random(41, 200);
    let place = Place::new(&world, world.history.len()).await;
    for (sql, key) in [
        ("UPDATE view_marks SET at = 1.5 WHERE name = 'generation'", "file"),
        ("UPDATE view_marks SET number = X'01' WHERE name = 'generation'", "file"),
        ("UPDATE view_checkpoints SET event = zeroblob(32) WHERE name = 'applications'", "checkpoint"),
        ("UPDATE view_checkpoints SET position = 1.5 WHERE name = 'applications'", "checkpoint"),
        ("UPDATE view_checkpoints SET position = -9223372036854775808 WHERE name = 'applications'", "checkpoint"),
        ("UPDATE view_checkpoints SET version = 'x' WHERE name = 'applications'", "checkpoint"),
    ] {
        assert_eq!(place.damage(sql).await, 1);
        let report = place.reconcile(&[]).await;
        let found: Vec<_> = report.views.iter().flat_map(|view| &view.differences).collect();
        assert_eq!(found.iter().map(|difference| difference.key.as_str()).collect::<Vec<_>>(), [key], "{sql}");
        assert!(place.rebuild(&[], true).await.1, "{sql}");
        assert!(place.reconcile(&[]).await.ok, "{sql}");
        Views::open(&place.url, &[]).await.unwrap().close().await;
    }
    // The count of free pages in the header.
    let path = place.folder.path().join("views.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[36] ^= 0x40;
    std::fs::write(&path, bytes).unwrap();
    assert!(!place.reconcile(&[]).await.ok);
    assert!(place.rebuild(&[], false).await.1);
    assert!(place.reconcile(&[]).await.ok);
}

/// An index of the right name over other columns finds other rows.
#[tokio::test]
async fn other_definitions_of_indexes_are_found() {
    let world = World::random(43, 200);
    let place = Place::new(&world, world.history.len()).await;
    for (index, made) in [
        ("transactions_sent", "CREATE INDEX transactions_sent ON transactions (amount)"),
        ("transactions_pending", "CREATE INDEX transactions_pending ON transactions (receiver, expires_at)"),
        ("tags_by_name", "CREATE INDEX tags_by_name ON tags (local, handle)"),
        ("wallets_by_owner", "CREATE UNIQUE INDEX wallets_by_owner ON wallets (currency, application)"),
    ] {
        let sql: &'static str = format!("DROP INDEX {index}; {made}").leak();
        place.damage(sql).await;
        let report = place.reconcile(&[]).await;
        let found: Vec<_> = report.views.iter().flat_map(|view| &view.differences).collect();
        assert!(found.len() == 1 && found[0].key.starts_with("schema/"), "{index}: {found:?}");
        assert!(place.rebuild(&[], true).await.1);
        assert!(place.reconcile(&[]).await.ok);
    }
}
