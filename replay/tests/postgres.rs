//! Reconcile and rebuild with the views on PostgreSQL, beside the program that keeps them and without it.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flexledger_domain::testing::World;
use flexledger_domain::{Instant, Position};
use flexledger_eventstore::hash::{Hash, chain_hash, leaf_hash};
use flexledger_eventstore::testing::postgres::PostgresServer;
use flexledger_eventstore::{Batch, EventStore, MemoryStore, Record, Tail, record};
use flexledger_projections::switch::Switch;
use flexledger_projections::{Views, audit};
use flexledger_replay::kept::Kept;
use flexledger_replay::reconcile::{Reconcile, Report, rebuild, reconcile};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A log, and views on PostgreSQL.
struct Place {
    server: PostgresServer,
    url: String,
    folder: TempDir,
    world: World,
    store: Arc<dyn EventStore>,
}

impl Place {
    /// A random history, nothing of it stored yet; none where there is no PostgreSQL.
    async fn new(seed: u64, steps: usize) -> Option<Place> {
        let server = PostgresServer::start()?;
        let url = server.database().await;
        let folder = tempfile::tempdir().expect("a directory");
        let world = World::random(seed, steps);
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        Some(Place { server, url, folder, world, store })
    }

    fn records(&self) -> Vec<Record> {
        let mut hash = Hash::default();
        let records = self.world.history.iter().map(|recorded| {
            let mut bytes = Vec::new();
            record::encode(recorded, &mut bytes).expect("a sealed event");
            hash = chain_hash(hash, leaf_hash(&bytes));
            Record { position: recorded.position, bytes, hash }
        });
        records.collect()
    }

    async fn append(&self, from: usize, to: usize) {
        let records = self.records()[from..to].to_vec();
        let batch = Batch { records, keys: Vec::new() };
        self.store.append(Position::new(from as u64), batch).await.expect("it follows");
    }

    /// The whole log, and views that hold all of it.
    async fn fill(&self) {
        self.append(0, self.world.history.len()).await;
        let views = Views::open(&self.url, &[]).await.expect("views");
        views.fill(&self.store, Position::MAX).await.expect("a sound history");
        views.close().await;
    }

    fn job<'a>(&self, progress: &'a mut (dyn FnMut(u64, u64) + Send)) -> Reconcile<'a> {
        Reconcile {
            store: self.store.clone(),
            views_url: self.url.clone(),
            folder: self.folder.path().to_owned(),
            views: Vec::new(),
            kept: Kept::new(self.folder.path().join("snapshots"), 2),
            now: Instant::from_micros(7),
            progress,
        }
    }

    async fn reconcile(&self) -> Report {
        reconcile(self.job(&mut |_, _| {})).await.expect("a comparison")
    }

    async fn rebuild(&self, accept: bool) -> (Report, bool) {
        rebuild(self.job(&mut |_, _| {}), accept).await.expect("a rebuild")
    }

    async fn run(&self, sql: &'static str) {
        self.server.run(&self.url, sql).await;
    }

    /// One statement sees both or neither: how many wallets are damaged, and how many entries there are.
    async fn seen(connection: &mut PgConnection) -> (i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM flexledger_views.wallets WHERE total_credited = '77.0000'), \
                   (SELECT count(*) FROM flexledger_views.entries)";
        let row = sqlx::query(sql).fetch_one(connection).await.expect("the old rows or the new ones");
        (row.get(0), row.get(1))
    }

    /// The digests of all views at a URL.
    async fn digests(&self, url: &str) -> Vec<audit::ViewDigest> {
        let views = Views::open_read_only(url).await.expect("views");
        let mut all = Vec::new();
        for name in audit::names() {
            all.push(views.digest(name).await.expect(name));
        }
        views.close().await;
        all
    }
}

/// Damage that shows in two tables of two views.
const DAMAGE: [&str; 2] =
    ["UPDATE flexledger_views.wallets SET total_credited = '77.0000'", "DELETE FROM flexledger_views.entries"];

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_healed() {
    let Some(place) = Place::new(21, 400).await else { return };
    place.fill().await;
    let report = place.reconcile().await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.position, place.world.history.len() as u64);
    let views = Views::open_read_only(&place.url).await.expect("views");
    let noted = views.reconciled().await.expect("a note");
    assert_eq!(noted, Some((Position::new(report.position), Instant::from_micros(7))));
    views.close().await;
    let sound = place.digests(&place.url).await;

    place
        .run(
            "UPDATE flexledger_views.transactions SET sender_tag = 'x@y' \
             WHERE position = (SELECT max(position) FROM flexledger_views.transactions)",
        )
        .await;
    let report = place.reconcile().await;
    let view = report.views.iter().find(|view| !view.ok).expect("a difference");
    let [only] = view.differences.as_slice() else { panic!("{report:?}") };
    // The key of a payment is the position of its first event.
    assert_eq!(
        (view.name, only.key.clone()),
        ("transactions", format!("transactions/{}", only.first_position.unwrap_or(0)))
    );
    assert_eq!(only.live["sender_tag"], "x@y");
    assert!(report.views.iter().filter(|view| !view.ok).count() == 1);

    let (report, switched) = place.rebuild(false).await;
    assert!(!report.ok && !switched, "nothing is switched without being told");
    assert!(place.rebuild(true).await.1);
    assert!(place.reconcile().await.ok);
    let (report, switched) = place.rebuild(false).await;
    assert!(report.ok && switched, "equal views are switched as well");
    assert_eq!(place.digests(&place.url).await, sound);

    let file = format!("sqlite:{}", place.folder.path().join("views.db").display());
    let views = Views::open(&file, &[]).await.expect("views");
    views.fill(&place.store, Position::MAX).await.expect("a sound history");
    views.close().await;
    assert_eq!(place.digests(&file).await, sound, "the same rows on both databases");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_that_are_missing_are_made() {
    let Some(place) = Place::new(22, 120).await else { return };
    place.append(0, place.world.history.len()).await;
    assert!(reconcile(place.job(&mut |_, _| {})).await.is_err(), "there is nothing to compare");
    let (report, switched) = place.rebuild(true).await;
    assert!(!report.ok && switched);
    assert!(place.reconcile().await.ok);
    // A program that opens them finds everything that it makes itself.
    let views = Views::open(&place.url, &[]).await.expect("views");
    assert_eq!(
        views.fill(&place.store, Position::MAX).await.expect("a log").number(),
        place.world.history.len() as u64
    );
    views.close().await;
}

/// Readers see the old rows until the commit, and the new ones after it; never a part, and never an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_is_one_moment_for_readers() {
    let Some(place) = Place::new(23, 500).await else { return };
    place.fill().await;
    let mut reader = PgConnection::connect(&place.url).await.expect("connect");
    let (_, entries) = Place::seen(&mut reader).await;
    for sql in DAMAGE {
        place.run(sql).await;
    }
    let (damaged, gone) = Place::seen(&mut reader).await;
    assert!(damaged > 0 && gone == 0 && entries > 0);

    // Broken off before the commit: nothing happened, and while it is under way nobody waits for it.
    let file = place.folder.path().join("other.db");
    let rebuilt = Views::open(&format!("sqlite:{}", file.display()), &[]).await.expect("views");
    rebuilt.fill(&place.store, Position::MAX).await.expect("a log");
    let mut switch = Switch::begin(&place.url, &file, &["wallets", "statement"]).await.expect("the right to write");
    for view in ["wallets", "statement"] {
        switch.replace(view, &rebuilt).await.expect("copied");
        let seen = tokio::time::timeout(PATIENCE, Place::seen(&mut reader)).await.expect("reading goes on");
        assert_eq!(seen, (damaged, 0));
    }
    drop(switch);
    rebuilt.close().await;
    assert_eq!(Place::seen(&mut reader).await, (damaged, 0));

    let (done, stop) = (Arc::new(AtomicBool::new(false)), PATIENCE);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (url, done) = (place.url.clone(), done.clone());
            tokio::spawn(async move {
                let mut connection = PgConnection::connect(&url).await.expect("connect");
                let mut seen = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let now = Place::seen(&mut connection).await;
                    if seen.last() != Some(&now) {
                        seen.push(now);
                    }
                }
                seen.push(Place::seen(&mut connection).await);
                seen.dedup();
                seen
            })
        })
        .collect();
    let (_, switched) = tokio::time::timeout(stop, place.rebuild(true)).await.expect("readers do not hold it up");
    done.store(true, Ordering::SeqCst);
    assert!(switched);
    for reader in readers {
        assert_eq!(reader.await.expect("no error"), [(damaged, 0), (0, entries)]);
    }
    assert!(place.reconcile().await.ok);
}

/// The program that keeps the views holds them for itself; a rebuild beside it is let in all the same, and the program
/// takes the rebuilt rows over.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_takes_the_rebuilt_views_over() {
    let Some(place) = Place::new(24, 500).await else { return };
    let (half, all) = (place.world.history.len() / 2, place.world.history.len());
    place.append(0, half).await;
    let views = Views::open(&place.url, &[]).await.expect("views");
    let tail = Arc::new(Tail::new(1 << 20, Position::START));
    tail.publish(Arc::new(place.world.history[..half].to_vec()));
    views.follow(place.store.clone(), tail.clone()).await.expect("a log");
    views.caught_up(Position::new(half as u64), Some(PATIENCE)).await.expect("in time");
    assert!(Views::open(&place.url, &[]).await.is_err(), "one program keeps them");
    assert!(place.reconcile().await.ok);
    assert_eq!(views.reconciled().await.expect("a note").map(|noted| noted.0), Some(Position::new(half as u64)));
    for sql in DAMAGE {
        place.run(sql).await;
    }
    assert!(place.rebuild(true).await.1);
    place.append(half, all).await;
    tail.publish(Arc::new(place.world.history[half..].to_vec()));
    views.caught_up(Position::new(all as u64), Some(PATIENCE)).await.expect("in time");
    let report = place.reconcile().await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.position, all as u64);
    views.close().await;
}
