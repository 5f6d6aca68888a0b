//! Support for tests of this and other crates: a ledger driven by hand, and random histories from a seed.

mod play;

use crate::decision::{Command, Context, Decision, Policy, Refusal};
use crate::event::{Actor, Event, Recorded};
use crate::identity::{CreateSubject, CreateTag, Handle, Local, Profile, PublicKey, RegisterApplication, TagQuery};
use crate::ids::{ApplicationId, ClientId, CommandId, EventId, Ids, Position, SubjectId};
use crate::ledger::Ledger;
use crate::money::{Amount, Currency, Money};
use crate::payments::{InitiateTransfer, Payment, PaymentEvent, SCALE};
use crate::personal::PersonalText;
use crate::time::{Instant, Span};
use uuid::Uuid;

/// Identifiers that count up: the same sequence in every run.
#[derive(Debug, Clone, Default)]
pub struct CountingIds(u64);

impl Ids for CountingIds {
    fn uuid(&mut self) -> Uuid {
        self.0 += 1;
        uuid::Builder::from_random_bytes((u128::from(self.0) << 64 | u128::from(self.0)).to_be_bytes()).into_uuid()
    }

    fn check(&mut self) -> u32 {
        self.0 += 1;
        u32::try_from(self.0.wrapping_mul(0x9E37_79B9) & 0xFFFF_FFFF).unwrap_or(0)
    }
}

/// A small repeatable generator (splitmix64). For tests only.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.bits() % (bound.max(1) as u64)).unwrap_or(0)
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

/// A ledger, its history, and a clock that is set by hand.
#[derive(Debug, Clone)]
pub struct World {
    /// The state after all events.
    pub ledger: Ledger,
    /// All events so far.
    pub history: Vec<Recorded>,
    /// The present instant.
    pub now: Instant,
    /// What decisions follow.
    pub policy: Policy,
    ids: CountingIds,
}

impl Default for World {
    fn default() -> Self {
        let now = Instant::from_micros(1_772_000_000_000_000);
        let (ledger, history) = (Ledger::default(), Vec::new());
        World { ledger, history, now, policy: Policy::default(), ids: CountingIds::default() }
    }
}

impl World {
    /// Moves the clock.
    pub fn wait(&mut self, seconds: u32) {
        self.now = self.now.plus(Span::from_seconds(seconds));
    }

    /// Gives a command, records its events, and returns its outcome.
    ///
    /// # Errors
    /// The refusal. Its events, if any, are recorded too.
    pub fn give<C: Command>(&mut self, command: &C) -> Result<C::Outcome, Refusal> {
        let position = Position::new(self.history.len() as u64 + 1);
        let mut context = Context { now: self.now, position, ids: &mut self.ids, policy: &self.policy };
        let Decision { events, outcome } = command.decide(&self.ledger, &mut context);
        let id = CommandId::from_uuid(self.ids.uuid());
        let mut key = command.idempotency().filter(|_| outcome.is_ok()).cloned();
        for event in events {
            self.record(event, command.actor(), id, key.take());
        }
        outcome
    }

    fn record(&mut self, mut event: Event, actor: Actor, command: CommandId, key: Option<crate::event::Idempotency>) {
        for personal in event.personal() {
            if let PersonalText::Clear(text) = &personal.text {
                personal.text = PersonalText::Sealed(format!("sealed {text}").into());
            }
        }
        let recorded = Recorded {
            position: Position::new(self.history.len() as u64 + 1),
            id: EventId::from_uuid(self.ids.uuid()),
            recorded_at: self.now,
            actor,
            command,
            idempotency: key,
            event,
        };
        let booked = self.ledger.evolve(&recorded);
        assert!(booked.is_ok(), "a decided event always fits");
        self.history.push(recorded);
    }

    /// A new application named after its handle.
    ///
    /// # Errors
    /// The refusal.
    pub fn application(&mut self, handle: &Handle) -> Result<ApplicationId, Refusal> {
        let id = ApplicationId::from_uuid(self.ids.uuid());
        let client = ClientId::from_uuid(self.ids.uuid());
        let command = RegisterApplication {
            id,
            client,
            name: format!("The {handle}").into(),
            handle: handle.clone(),
            webhook_url: (!handle.as_str().ends_with('x')).then(|| format!("https://{handle}.example.com/hook").into()),
            redirect_uris: None,
            metadata: Some("{\"a\":1}".to_owned()),
            secret_hash: "00".repeat(32),
            webhook_secret: "c2VhbGVk".to_owned(),
            public_key: PublicKey { x: "eA".to_owned(), y: "eQ".to_owned() },
        };
        self.give(&command).map(|()| id)
    }

    /// A new subject with a tag.
    ///
    /// # Errors
    /// The refusal.
    pub fn tag(&mut self, caller: ApplicationId, local: &Local) -> Result<SubjectId, Refusal> {
        let id = SubjectId::from_uuid(self.ids.uuid());
        let profile = Profile { display_name: Some(format!("Name of {local}").into()), ..Profile::default() };
        self.give(&CreateSubject { caller, id, external_id: format!("ext-{local}").into(), profile })?;
        self.give(&CreateTag { caller, local: local.clone(), subject: id }).map(|_| id)
    }

    /// Initiates a payment of `minor` smallest units between two tags.
    ///
    /// # Errors
    /// The refusal.
    pub fn initiate(
        &mut self,
        caller: ApplicationId,
        sides: (&TagQuery, &TagQuery),
        minor: i128,
        code: &str,
    ) -> Result<Payment, Refusal> {
        let currency = Currency::new(code, SCALE).map_err(|_| crate::payments::Refusal::TooLarge)?;
        self.give(&InitiateTransfer {
            caller,
            sender: sides.0.clone(),
            receiver: sides.1.clone(),
            money: Money { amount: Amount::from_minor(minor), currency },
            narration: (minor % 3 == 0).then(|| format!("for {minor} ☂").into()),
            callback_url: (minor % 5 == 0).then(|| "https://cb.example.com/".into()),
            idempotency: None,
        })
    }

    /// The two events that every log begins with.
    pub fn open_log(&mut self) {
        use crate::ids::{Epoch, LedgerId};
        use crate::system::{EpochOpened, Opened, SystemEvent};
        let ledger = LedgerId::from_uuid(self.ids.uuid());
        let command = CommandId::from_uuid(self.ids.uuid());
        let opened = SystemEvent::Opened(ledger, Opened { format: 1 });
        let epoch = SystemEvent::EpochOpened(ledger, EpochOpened { epoch: Epoch(1), node: "test".to_owned() });
        for event in [opened, epoch] {
            self.record(event.into(), Actor::System, command, None);
        }
    }
}

/// How many payments of a history were booked.
#[must_use]
pub fn booked(history: &[Recorded]) -> usize {
    history.iter().filter(|r| matches!(r.event, Event::Payment(PaymentEvent::Accepted(..)))).count()
}

/// Whether every event of a history is written with sorted keys and reads back as it was.
#[must_use]
pub fn reads_back(history: &[Recorded]) -> bool {
    let again = |event: &Event| -> Option<bool> {
        let mut payload = Vec::new();
        event.write_payload(&mut payload).ok()?;
        let payload = std::str::from_utf8(&payload).ok()?;
        let sorted = serde_json::from_str::<serde_json::Value>(payload).ok()?.to_string();
        let entity = event.entity().to_string().parse().ok()?;
        let read = Event::read(event.kind(), Event::VERSION, entity, payload, event.journal().cloned()).ok()?;
        Some(sorted == payload && read == *event)
    };
    history.iter().all(|recorded| again(&recorded.event) == Some(true))
}
