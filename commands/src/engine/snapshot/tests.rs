use std::sync::Arc;

use flexledger_domain::Policy;
use flexledger_domain::identity::{Handle, PublicKey, RegisterApplication};
use flexledger_domain::ids::{ApplicationId, ClientId};
use flexledger_eventstore::{EventStore, MemoryStore};
use uuid::Uuid;

use super::*;
use crate::clock::ManualClock;
use crate::directory::{Directory, Parties};
use crate::engine::core::Beginning;
use crate::engine::idempotency::{Index, KeyDigest};
use crate::vault::{PlatformKeys, Vault};

fn window() -> Span {
    Span::from_seconds(86_400)
}

async fn core() -> Core {
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let vault = Vault::new(PlatformKeys::from_master(&[7; 32]).unwrap(), store).await.unwrap();
    let (head, last) = (Head::default(), Instant::MIN);
    let (ledger, parties, index) = (Ledger::default(), Parties::default(), Index::new(window()));
    let beginning = Beginning { ledger, parties, index, unsaved_keys: Vec::new(), head, last };
    let clock = Arc::new(ManualClock::new(Instant::from_micros(1_772_000_000_000_000)));
    Core::new(beginning, clock, Arc::new(vault), Policy::default())
}

fn register(core: &mut Core, number: u128, handle: &str) {
    let command = RegisterApplication {
        id: ApplicationId::from_uuid(Uuid::from_u128(number)),
        client: ClientId::from_uuid(Uuid::from_u128(number + 100)),
        name: handle.into(),
        handle: Handle::new(handle).unwrap(),
        webhook_url: Some("https://example.com/hook".into()),
        redirect_uris: None,
        metadata: None,
        secret_hash: "00".repeat(32),
        webhook_secret: "sealed".to_owned(),
        public_key: PublicKey { x: "x".to_owned(), y: "y".to_owned() },
    };
    core.carry_out(&command).unwrap();
}

fn state(position: u64) -> State {
    State {
        position: Position::new(position),
        hash: Hash::default().to_string(),
        last: Instant::MIN,
        ledger: Ledger::default(),
        directory: Listing::default(),
        segments: Vec::new(),
    }
}

fn used(position: u64) -> Used {
    let key = KeyDigest::new(
        flexledger_domain::Actor::System,
        &flexledger_domain::Idempotency { fingerprint: None, key: position.to_string() },
    );
    Used { digest: key, at: Instant::MIN, position: Position::new(position) }
}

fn write(folder: &Path, position: u64, segments: Vec<Segment>) -> Vec<Segment> {
    let state = State { segments, ..state(position) };
    write_all(folder, Taken { state, keys: vec![used(position)] }, window()).unwrap().segments
}

fn positions(folder: &Path) -> Vec<u64> {
    states(folder).into_iter().map(|(position, _)| position.number()).collect()
}

/// Registered after the copy was taken, but before it was durable and written.
#[tokio::test]
async fn a_state_knows_who_may_authenticate_at_its_own_position() {
    let folder = tempfile::tempdir().unwrap();
    let mut snapshots = Snapshots::new(folder.path().to_owned(), 1, window()).unwrap();
    let mut core = core().await;
    register(&mut core, 1, "walletapp");
    let then = core.head().position;
    snapshots.advance(&mut core, Position::START).await;
    register(&mut core, 2, "shopapp");
    let head = core.head().position;
    snapshots.advance(&mut core, head).await;
    snapshots.collect(&mut core, true).await;
    let (_, path) = states(folder.path()).pop().unwrap();
    let saved: State = read_file(&path).unwrap();
    assert_eq!((saved.position, head > then), (then, true));
    for (parties, knows) in [(saved.directory.into(), [true, false]), (core.parties().clone(), [true, true])] {
        let directory = Directory::default();
        directory.replace(parties);
        let known = |number| directory.by_id(ApplicationId::from_uuid(Uuid::from_u128(number))).is_some();
        assert_eq!([known(1), known(2)], knows);
    }
}

#[test]
fn older_states_lie_evenly_over_the_log_and_only_the_newest_have_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("views-0000000000007.db"), "of somebody else").unwrap();
    fs::write(path.join("0000000000001.state"), "flexledger-snapshot 2\nof an older format").unwrap();
    fs::write(path.join("0000000000002.new"), "broken off").unwrap();
    let mut segments = Vec::new();
    for position in (10..=10_000).step_by(10) {
        segments = write(path, position, segments);
        // As if the older keys had left the window.
        segments.drain(..segments.len().saturating_sub(2));
    }
    let kept = positions(path);
    assert!((9..=16).contains(&kept.len()), "{kept:?}");
    assert!(kept.ends_with(&[9_990, 10_000]), "{kept:?}");
    assert!(kept.windows(2).all(|pair| pair[1] - pair[0] <= 1024 + 10), "{kept:?}");
    assert!(path.join("views-0000000000007.db").exists() && !path.join("0000000000002.new").exists());
    let keys = fs::read_dir(path)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "keys"));
    assert!((2..=4).contains(&keys.count()));
    // The log lost its end: what lies beyond is of no use to anybody, and takes nobody's place.
    write(path, 5_005, Vec::new());
    assert!(positions(path).last() == Some(&5_005) && positions(path).len() > 4, "{:?}", positions(path));
}

#[tokio::test]
async fn a_server_of_the_past_begins_at_the_nearest_state_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let of_this_log = |position: Position| async move { Some(Hash::default()).filter(|_| position.number() != 30) };
    let past = Snapshots::of_the_past(path.join("none"));
    assert!(past.load(Position::new(9), of_this_log).await.is_none() && !path.join("none").exists());
    for position in [10, 20, 30, 40, 50] {
        write(path, position, Vec::new());
    }
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "keys") {
            fs::remove_file(path).unwrap();
        }
    }
    let mut bytes = fs::read(path.join("0000000000020.state")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path.join("0000000000020.state"), bytes).unwrap();
    let before: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut past = Snapshots::of_the_past(path.to_owned());
    // The one at 30 is of another log, the one at 20 is damaged.
    for (end, begins) in [(9, None), (10, Some(10)), (39, Some(10)), (40, Some(40)), (49, Some(40)), (99, Some(50))] {
        let loaded = past.load(Position::new(end), of_this_log).await;
        assert_eq!(
            loaded.map(|(state, keys)| (state.position.number(), keys.len())),
            begins.map(|at| (at, 0)),
            "{end}"
        );
    }
    let mut core = core().await;
    register(&mut core, 1, "walletapp");
    let head = core.head().position;
    past.advance(&mut core, head).await;
    past.save_now(&mut core).await;
    let after: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(before, after);
    // Restarts do not begin where keys are missing.
    let present = Snapshots::new(path.to_owned(), 1, window()).unwrap();
    assert!(present.load(Position::new(99), of_this_log).await.is_none());
}
