//! Two applications with tags behind an engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flexledger_commands::clock::ManualClock;
use flexledger_commands::vault::{PlatformKeys, Vault};
use flexledger_commands::{Engine, Failure, Options, transfer};
use flexledger_domain::identity::{
    CreateSubject, CreateTag, Handle, Local, Profile, PublicKey, RegisterApplication, TagQuery,
};
use flexledger_domain::ids::{ApplicationId, ClientId, SubjectId};
use flexledger_domain::money::{Amount, Currency, Money};
use flexledger_domain::payments::{InitiateTransfer, SCALE};
use flexledger_domain::{Idempotency, Instant, Ledger, Position, Recorded};
use flexledger_eventstore::{EventStore, record};
use uuid::Uuid;

pub struct World {
    pub engine: Engine,
    pub store: Arc<dyn EventStore>,
    pub clock: Arc<ManualClock>,
    pub sender: ApplicationId,
    pub receiver: ApplicationId,
}

pub async fn start(store: Arc<dyn EventStore>, snapshots: Option<&Path>) -> (Engine, Arc<ManualClock>) {
    start_at(store, snapshots, Instant::from_micros(1_772_000_000_000_000)).await
}

pub async fn start_at(
    store: Arc<dyn EventStore>,
    snapshots: Option<&Path>,
    now: Instant,
) -> (Engine, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(now));
    let platform = PlatformKeys::from_master(&[7; 32]).unwrap();
    let vault = Arc::new(Vault::new(platform, store.clone()).await.unwrap());
    let options = Options {
        snapshots: snapshots.map(Path::to_path_buf),
        snapshot_every: 100,
        clock: clock.clone(),
        ..Options::default()
    };
    (Engine::start(store, vault, options).await.unwrap(), clock)
}

impl World {
    /// A world on an engine with a clock of its own.
    pub async fn on(engine: Engine) -> World {
        let sender = register(&engine, 1, "walletapp", "alice").await;
        let receiver = register(&engine, 2, "shopapp", "bob").await;
        let store = engine.store().clone();
        World { engine, store, clock: Arc::default(), sender, receiver }
    }

    pub async fn new(store: Arc<dyn EventStore>, snapshots: Option<&Path>) -> World {
        let (engine, clock) = start(store.clone(), snapshots).await;
        let sender = register(&engine, 1, "walletapp", "alice").await;
        let receiver = register(&engine, 2, "shopapp", "bob").await;
        World { engine, store, clock, sender, receiver }
    }

    pub fn transfer(&self, minor: i128, key: Option<&str>) -> InitiateTransfer {
        InitiateTransfer {
            caller: self.sender,
            sender: TagQuery::parse("alice@walletapp").unwrap(),
            receiver: TagQuery::parse("bob").unwrap(),
            money: Money { amount: Amount::from_minor(minor), currency: Currency::new("NGN", SCALE).unwrap() },
            narration: Some("School fees ☂".into()),
            callback_url: None,
            idempotency: key.map(|key| Idempotency { fingerprint: None, key: key.to_owned() }),
        }
    }

    pub async fn initiate(&self, minor: i128, key: Option<&str>) -> Result<transfer::Answered, Failure> {
        transfer::initiate(&self.engine, self.transfer(minor, key), false).await
    }

    /// All events of the log.
    pub async fn history(&self) -> Vec<Recorded> {
        let records = self.store.read(Position::START, 1_000_000).await.unwrap();
        records.iter().map(|stored| record::decode(&stored.bytes).unwrap()).collect()
    }

    /// The state that the log alone gives.
    pub async fn folded(&self) -> Ledger {
        let mut ledger = Ledger::default();
        self.history().await.iter().for_each(|event| ledger.evolve(event).unwrap());
        ledger
    }

    /// Waits until the engine takes commands again.
    pub async fn writable(&self) {
        for _ in 0..200 {
            if self.engine.status().writable {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the engine does not recover");
    }
}

async fn register(engine: &Engine, number: u128, handle: &str, local: &str) -> ApplicationId {
    let id = ApplicationId::from_uuid(Uuid::from_u128(number));
    let command = RegisterApplication {
        id,
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
    engine.submit(command).await.unwrap();
    let subject = SubjectId::from_uuid(Uuid::from_u128(number + 200));
    let profile = Profile { display_name: Some("Somebody".into()), ..Profile::default() };
    engine.submit(CreateSubject { caller: id, id: subject, external_id: "u".into(), profile }).await.unwrap();
    engine.submit(CreateTag { caller: id, local: Local::new(local).unwrap(), subject }).await.unwrap();
    id
}
