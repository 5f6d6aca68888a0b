use std::path::Path;
use std::time::Duration;

use flexledger_domain::Recorded;
use flexledger_domain::testing::World;
use flexledger_eventstore::{Batch, Head, MemoryStore, Record, Tail, contract, record};
use proptest::prelude::*;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::*;

mod damage;

fn records(history: &[Recorded]) -> Vec<Record> {
    let write = |recorded: &Recorded| {
        let mut bytes = Vec::new();
        record::encode(recorded, &mut bytes).unwrap();
        bytes
    };
    contract::chain(Head::default(), history.iter().map(write))
}

struct Place {
    folder: TempDir,
    store: Arc<dyn EventStore>,
    url: String,
}

impl Place {
    /// A log, and views that follow it up to `until`.
    async fn new(world: &World, until: usize) -> Place {
        let store = MemoryStore::new();
        let batch = Batch { records: records(&world.history), keys: Vec::new() };
        store.append(Position::START, batch).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("views.db").display());
        let store: Arc<dyn EventStore> = Arc::new(store);
        let views = Views::open(&url, &[]).await.unwrap();
        views.fill(&store, Position::new(until as u64)).await.unwrap();
        views.close().await;
        Place { folder, store, url }
    }

    fn job<'a>(&self, views: &[&str], progress: &'a mut (dyn FnMut(u64, u64) + Send)) -> Reconcile<'a> {
        Reconcile {
            store: self.store.clone(),
            views_url: self.url.clone(),
            folder: self.folder.path().to_owned(),
            views: views.iter().map(|name| (*name).to_owned()).collect(),
            kept: self.kept(),
            now: Instant::from_micros(1),
            progress,
        }
    }

    fn kept(&self) -> Kept {
        Kept::new(self.folder.path().join("snapshots"), 2)
    }

    /// Where the kept copies stand, the newest first.
    fn copies(&self) -> Vec<u64> {
        self.kept().before(Position::MAX).iter().map(|copy| copy.position.number()).collect()
    }

    async fn reconcile(&self, views: &[&str]) -> Report {
        reconcile(self.job(views, &mut |_, _| {})).await.unwrap()
    }

    async fn rebuild(&self, views: &[&str], accept: bool) -> (Report, bool) {
        rebuild(self.job(views, &mut |_, _| {}), accept).await.unwrap()
    }

    async fn damage(&self, sql: &'static str) -> u64 {
        let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
        let touched = sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected();
        connection.close().await.unwrap();
        touched
    }

    fn leftovers(&self) -> bool {
        Path::new(self.folder.path()).join("rebuild.db").exists()
    }
}

#[tokio::test]
async fn equal_views_are_confirmed() {
    let world = World::random(11, 300);
    let until = world.history.len() - 20;
    let place = Place::new(&world, until).await;
    let report = place.reconcile(&[]).await;
    assert!(report.ok, "{report:?}");
    assert_eq!(report.position, until as u64);
    assert_eq!(report.views.len(), names().count());
    assert!(report.views.iter().any(|view| view.rows > 100));
    assert!(!place.leftovers());
    let views = Views::open_read_only(&place.url).await.unwrap();
    let noted = views.reconciled().await.unwrap();
    assert_eq!(noted, Some((Position::new(until as u64), Instant::from_micros(1))));
}

/// Texts that SQLite takes for the end of a text, texts that are none, tables and indexes that are not as they should be.
#[tokio::test]
async fn damage_below_the_cells_is_found_and_healed() {
    let world = World::random(13, 300);
    let place = Place::new(&world, world.history.len()).await;
    let cases: [(&str, &str, &str); 6] = [
        (
            "applications",
            "applications/",
            "UPDATE applications SET name = name || char(0) || 'more' WHERE position = (SELECT min(position) FROM applications)",
        ),
        (
            "transactions",
            "transactions/",
            "UPDATE transactions SET sender_tag = CAST(X'FF41' AS TEXT) WHERE position = (SELECT min(position) FROM transactions)",
        ),
        ("statement", "schema/entries", "DROP TABLE entries"),
        ("tags", "schema/tag_changes", "ALTER TABLE tag_changes ADD COLUMN note TEXT"),
        ("transactions", "schema/transactions", "DROP INDEX transactions_sent"),
        ("wallets", "schema/wallets", "CREATE TRIGGER t AFTER INSERT ON wallets BEGIN SELECT 1; END"),
    ];
    for (view, key, sql) in cases {
        place.damage(sql).await;
        let report = place.reconcile(&[view, view]).await;
        let found: Vec<_> = report.views.iter().flat_map(|view| &view.differences).collect();
        assert!(!report.ok && report.views.len() == 1, "{sql}");
        assert!(
            found.iter().all(|difference| difference.key.starts_with(key)) && !found.is_empty(),
            "{sql}: {found:?}"
        );
        let (report, switched) = place.rebuild(&[view], false).await;
        assert!(!report.ok && !switched, "{sql}");
        let (_, switched) = place.rebuild(&[view], true).await;
        assert!(switched, "{sql}");
        let report = place.reconcile(&[]).await;
        assert!(report.ok, "{sql}: {report:?}");
    }
}

/// Cells changed, rows removed, rows added, cells of a type that no view writes.
#[tokio::test]
async fn damaged_rows_are_found_and_healed() {
    let world = World::random(12, 400);
    let place = Place::new(&world, world.history.len()).await;
    let cases: [(&str, &str, &str); 7] = [
        (
            "transactions",
            "transactions",
            "UPDATE transactions SET amount = '1.0000' WHERE position = (SELECT max(position) FROM transactions)",
        ),
        ("wallets", "wallets", "UPDATE wallets SET total_credited = '0.0001' WHERE id = (SELECT max(id) FROM wallets)"),
        ("statement", "entries", "DELETE FROM entries WHERE number = (SELECT min(number) FROM entries)"),
        (
            "statement",
            "entries",
            "INSERT INTO entries SELECT number + 100000, position, payment, credit, amount, closing_balance, total_credited, created_at, seal FROM entries LIMIT 1",
        ),
        (
            "applications",
            "applications",
            "UPDATE applications SET client = X'00' WHERE id = (SELECT min(id) FROM applications)",
        ),
        ("settlement", "settlement_lines", "DELETE FROM settlement_lines"),
        ("subjects", "checkpoint", "UPDATE view_checkpoints SET position = position - 1 WHERE name = 'subjects'"),
    ];
    for (view, key, sql) in cases {
        assert!(place.damage(sql).await > 0, "{sql}");
        let report = place.reconcile(&[view]).await;
        let found = &report.views[0];
        assert!(!report.ok && !found.ok, "{sql}");
        let first = &found.differences[0];
        assert!(first.key.starts_with(key), "{} {sql}", first.key);
        if key != "checkpoint" {
            assert!(first.live != first.rebuilt, "{sql}");
            let position = first.first_position;
            assert_eq!(position.is_none(), first.rebuilt.is_null(), "{first:?}");
        }
        assert!(found.differences.len() <= DIFFERENCES_MAX);
        let (again, switched) = place.rebuild(&[view], false).await;
        assert!(!switched && !again.ok);
        assert!(place.rebuild(&[view], true).await.1);
        assert!(place.reconcile(&[]).await.ok, "{sql}");
    }
}

#[tokio::test]
async fn the_first_event_of_a_row_is_named() {
    let world = World::random(13, 300);
    let place = Place::new(&world, world.history.len()).await;
    place
        .damage("UPDATE transactions SET sender_tag = 'x@y' WHERE position = (SELECT min(position) FROM transactions)")
        .await;
    let report = place.reconcile(&["transactions"]).await;
    let [only] = report.views[0].differences.as_slice() else { panic!("{report:?}") };
    // The key of a payment is the position of its first event.
    assert_eq!(only.key, format!("transactions/{}", only.first_position.unwrap()));
    assert_eq!(only.live["sender_tag"], "x@y");
}

#[tokio::test]
async fn a_broken_off_run_goes_on_where_it_was() {
    let world = World::random(14, 400);
    let place = Place::new(&world, world.history.len()).await;
    let names: Vec<&'static str> = names().collect();
    let half = world.history.len() as u64 / 2;
    let mut scratch = Scratch::open(place.folder.path(), &names).await.unwrap();
    let targets: Vec<_> = names.iter().map(|name| (*name, Position::new(half))).collect();
    scratch.fill(&place.store, &targets, &mut |_, _| {}).await.unwrap();
    let busy = reconcile(place.job(&[], &mut |_, _| {})).await;
    assert!(matches!(busy, Err(ReconcileError::Running)));
    scratch.views.close().await;
    drop(scratch);
    let mut first = None;
    let mut note = |done, _| {
        first.get_or_insert(done);
    };
    assert!(reconcile(place.job(&[], &mut note)).await.unwrap().ok);
    assert_eq!(first, Some(half));
}

/// Rows that another log left, or that lie ahead of the live views, are thrown away.
#[tokio::test]
async fn a_scratch_that_does_not_fit_is_made_anew() {
    let (one, other) = (World::random(15, 200), World::random(16, 200));
    let (place, strange) = (Place::new(&one, 100).await, Place::new(&other, other.history.len()).await);
    let names: Vec<&'static str> = names().collect();
    for (store, at) in [(&strange.store, 60), (&place.store, one.history.len() as u64)] {
        let mut scratch = Scratch::open(place.folder.path(), &names).await.unwrap();
        let targets: Vec<_> = names.iter().map(|name| (*name, Position::new(at))).collect();
        scratch.fill(store, &targets, &mut |_, _| {}).await.unwrap();
        scratch.views.close().await;
        drop(scratch);
        assert!(place.reconcile(&[]).await.ok);
    }
}

/// After the machine went down, a scratch database may be torn in any way: only its own run of the machine trusts it.
#[tokio::test]
async fn what_an_earlier_run_of_the_machine_left_is_not_taken_up() {
    let world = World::random(19, 200);
    let place = Place::new(&world, world.history.len()).await;
    let names: Vec<&'static str> = names().collect();
    for (another_run, equal) in [(false, false), (true, true)] {
        let mut scratch = Scratch::open(place.folder.path(), &names).await.unwrap();
        let targets: Vec<_> = names.iter().map(|name| (*name, Position::new(world.history.len() as u64))).collect();
        scratch.fill(&place.store, &targets, &mut |_, _| {}).await.unwrap();
        scratch.views.close().await;
        let path = scratch.path.clone();
        drop(scratch);
        let torn = Place {
            folder: tempfile::tempdir().unwrap(),
            store: place.store.clone(),
            url: format!("sqlite:{}", path.display()),
        };
        torn.damage("UPDATE transactions SET amount = '0.0001'").await;
        if another_run {
            std::fs::write(place.folder.path().join("rebuild.lock"), "another run of the machine").unwrap();
        }
        assert_eq!(place.reconcile(&[]).await.ok, equal);
    }
}

#[tokio::test]
async fn views_that_are_missing_are_made() {
    let world = World::random(17, 150);
    let place = Place::new(&world, world.history.len()).await;
    std::fs::remove_file(place.folder.path().join("views.db")).unwrap();
    assert!(reconcile(place.job(&[], &mut |_, _| {})).await.is_err());
    let (report, switched) = place.rebuild(&[], true).await;
    assert!(!report.ok && switched);
    assert!(place.reconcile(&[]).await.ok);
    assert_eq!(place.reconcile(&[]).await.position, world.history.len() as u64);
}

/// A switch that never commits leaves the rows as they were.
#[tokio::test]
async fn a_switch_that_breaks_off_changes_nothing() {
    let world = World::random(18, 200);
    let place = Place::new(&world, world.history.len()).await;
    place.damage("DELETE FROM wallets").await;
    let names: Vec<&'static str> = names().collect();
    let mut scratch = Scratch::open(place.folder.path(), &names).await.unwrap();
    let end = Position::new(world.history.len() as u64);
    scratch.fill(&place.store, &[("wallets", end)], &mut |_, _| {}).await.unwrap();
    for views in [&names[..], &["wallets"]] {
        let mut switch = Switch::begin(&place.url, &scratch.path, views).await.unwrap();
        assert!(switch.stands().await.unwrap().iter().any(|(name, at)| &**name == "wallets" && *at == end));
        switch.replace("wallets", &scratch.views).await.unwrap();
        switch.give_up().await;
    }
    scratch.remove().await.unwrap();
    let report = place.reconcile(&["wallets"]).await;
    assert!(report.views[0].differences.iter().any(|difference| difference.live.is_null()));
}

/// An error leaves nothing that fills the disk.
#[tokio::test]
async fn after_an_error_nothing_stays() {
    let world = World::random(47, 200);
    let place = Place::new(&world, world.history.len()).await;
    std::fs::write(place.folder.path().join("views.db"), "no database").unwrap();
    assert!(reconcile(place.job(&[], &mut |_, _| {})).await.is_err());
    assert!(rebuild(place.job(&[], &mut |_, _| {}), true).await.is_err());
    let names = std::fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.starts_with("rebuild.db")), "{names:?}");
}

/// What somebody else put into the file of the views outlives a rebuild, which mends the rest all the same. Marks of the
/// views themselves outlive it, too.
#[tokio::test]
async fn what_is_not_of_the_views_stays() {
    let world = World::random(31, 300);
    let place = Place::new(&world, world.history.len()).await;
    assert!(place.reconcile(&[]).await.ok);
    flexledger_projections::marks::set_reconciled(&place.url, Position::new(7), Instant::from_micros(9)).await.unwrap();
    for foreign in ["CREATE VIEW totals AS SELECT sum(total_credited) FROM wallets", "CREATE TABLE notes (text)"] {
        place.damage("DELETE FROM wallets").await;
        assert!(place.rebuild(&[], true).await.1);
        assert!(place.reconcile(&[]).await.ok);
        let views = Views::open_read_only(&place.url).await.unwrap();
        assert!(views.reconciled().await.unwrap().is_some());
        views.close().await;
        place.damage(foreign).await;
    }
    for kept in ["SELECT * FROM totals", "INSERT INTO notes VALUES ('kept')"] {
        place.damage("DELETE FROM wallets").await;
        assert!(place.rebuild(&[], true).await.1);
        place.damage(kept).await;
        assert!(place.reconcile(&[]).await.ok);
    }
}

/// The program that keeps the views takes the rebuilt ones over, with what it remembers, and goes on.
#[tokio::test]
async fn a_running_program_takes_the_rebuilt_views_over() {
    let world = World::random(19, 600);
    let (before, between) = (world.history.len() / 2, world.history.len() * 3 / 4);
    let all = records(&world.history);
    let place = Place::new(&world, before).await;
    // Wrong sums that the running program reads back and goes on with, and a row that will stop a view.
    place.damage("UPDATE wallets SET total_credited = '77.0000'").await;
    place.damage("UPDATE statement_accounts SET balance = '99.0000'").await;
    place.damage("DELETE FROM transactions").await;
    let live = Arc::new(MemoryStore::new());
    let store: Arc<dyn EventStore> = live.clone();
    let tail = Arc::new(Tail::new(1 << 20, Position::START));
    let append = async |from: usize, to: usize| {
        let batch = Batch { records: all[from..to].to_vec(), keys: Vec::new() };
        store.append(Position::new(from as u64), batch).await.unwrap();
        tail.publish(Arc::new(world.history[from..to].to_vec()));
    };
    append(0, before).await;
    let views = Views::open(&place.url, &[]).await.unwrap();
    views.follow(store.clone(), tail.clone()).await.unwrap();
    append(before, between).await;
    views.caught_up(Position::new(between as u64), Some(Duration::from_secs(10))).await.unwrap();
    let stopped = |views: &Views| views.status().iter().any(|view| view.stopped.is_some());
    tokio::time::timeout(Duration::from_secs(10), async {
        while !stopped(&views) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the view of payments stops");
    let mut quiet = |_, _| {};
    let job = Reconcile { store: store.clone(), ..place.job(&[], &mut quiet) };
    assert!(rebuild(job, true).await.unwrap().1);
    append(between, all.len()).await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while stopped(&views) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the view goes on");
    views.caught_up(Position::new(all.len() as u64), Some(Duration::from_secs(10))).await.unwrap();
    let report = reconcile(Reconcile { store: store.clone(), ..place.job(&[], &mut |_, _| {}) }).await.unwrap();
    assert!(report.ok, "{report:?}");
    assert_eq!(report.position, all.len() as u64);
    views.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Three folds written apart agree on every prefix of every history.
    #[test]
    fn views_and_postings_agree(seed: u64, steps in 20_usize..250, part in 1_usize..=100) {
        let world = World::random(seed, steps);
        let until = (world.history.len() * part / 100).max(1);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let report = runtime.block_on(async {
            let place = Place::new(&world, until).await;
            place.reconcile(&[]).await
        });
        prop_assert!(report.ok, "{:?}", report);
        prop_assert_eq!(report.position, until as u64);
    }
}

/// A fold of all views that was compared and found equal is kept; nothing else is.
#[tokio::test]
async fn what_was_found_equal_is_kept_for_the_past() {
    let world = World::random(20, 300);
    let end = world.history.len() as u64;
    let place = Place::new(&world, world.history.len()).await;
    assert!(place.reconcile(&["wallets"]).await.ok);
    assert!(place.damage("UPDATE wallets SET total_credited = '77.0000'").await > 0);
    assert!(!place.reconcile(&[]).await.ok && !place.rebuild(&[], false).await.1);
    assert!(place.rebuild(&[], true).await.1);
    assert!(place.copies().is_empty());
    assert!(place.reconcile(&[]).await.ok);
    assert_eq!(place.copies(), [end]);
    let (report, switched) = place.rebuild(&[], false).await;
    assert!(report.ok && switched && !place.leftovers());
    assert_eq!(place.copies(), [end]);
    let mut quiet = |_, _| {};
    let none = Reconcile { kept: Kept::new(place.folder.path().join("snapshots"), 0), ..place.job(&[], &mut quiet) };
    assert!(reconcile(none).await.unwrap().ok && !place.leftovers());
    assert!(place.copies().is_empty());
}

/// Whatever a copy holds of each view, folded on it is what the log gives: rows of another version are made again, and
/// views that stand at different positions go on from there.
#[tokio::test]
async fn views_that_begin_with_a_copy_are_those_that_begin_with_nothing() {
    let world = World::random(21, 400);
    let half = world.history.len() / 2;
    let place = Place::new(&world, half).await;
    // One live view lies behind, so that the copy holds views at different positions.
    assert_eq!(place.damage("DELETE FROM view_checkpoints WHERE name = 'tags'").await, 1);
    let views = Views::open(&place.url, &[]).await.unwrap();
    let behind = Position::new(half as u64 / 2);
    views.fill_each(&place.store, &[("tags", behind)], None).await.unwrap();
    views.close().await;
    assert!(place.reconcile(&[]).await.ok);
    assert_eq!(place.copies(), [half as u64]);
    let copy = place.kept().before(Position::MAX).pop().unwrap();
    let end = Position::new(world.history.len() as u64);
    for damage in
        ["SELECT 1", "UPDATE view_checkpoints SET version = version + 1 WHERE name IN ('wallets', 'statement')"]
    {
        for suffix in ["", "-wal", "-shm"] {
            let _may_be_missing = std::fs::remove_file(place.folder.path().join(format!("views.db{suffix}")));
        }
        copy.take(&place.folder.path().join("views.db")).unwrap();
        place.damage(damage).await;
        let views = Views::open(&place.url, &[]).await.unwrap();
        let stands = |name: &str| views.status().iter().find(|view| view.name == name).unwrap().position;
        assert_eq!((stands("tags"), stands("subjects")), (behind, Position::new(half as u64)));
        assert_eq!(stands("wallets") == Position::START, damage != "SELECT 1");
        views.fill(&place.store, end).await.unwrap();
        assert!(views.status().iter().all(|view| view.position == end));
        views.close().await;
        let report = place.reconcile(&[]).await;
        assert!(report.ok && report.position == end.number(), "{report:?}");
    }
    // Of another log, or of one that does not reach so far.
    let strange = Place::new(&World::random(22, 400), 0).await;
    let taken = strange.folder.path().join("taken.db");
    copy.take(&taken).unwrap();
    let views = Views::open(&format!("sqlite:{}", taken.display()), &[]).await.unwrap();
    assert!(matches!(views.fill(&strange.store, end).await, Err(ViewError::OtherLog { .. })));
    views.close().await;
}
