//! The state of the writer and the making of batches: everything between two appends, without I/O.
//!
//! Per command: idempotency look-up, decision, sealing, encoding, state change. Nothing changes unless all events of
//! the command could be encoded, so a batch never holds half a command.

use std::sync::Arc;

use flexledger_domain::ids::{CommandId, EventId, Ids};
use flexledger_domain::{Command, Context, Decision, Event, Instant, Ledger, Policy, Position, Recorded};
use flexledger_eventstore::hash::{chain_hash, leaf_hash};
use flexledger_eventstore::{Batch, Committed, Hash, Head, Record, record};

use super::Failure;
use super::idempotency::{Index, KeyDigest, Used};
use super::job::{Job, Reply};
use crate::clock::{Clock, RandomIds};
use crate::directory::Parties;
use crate::vault::Vault;

/// Events in one batch at most.
pub const BATCH_EVENTS: usize = 4096;
/// Bytes of events in one batch at most; a command may pass it, the next one waits.
pub const BATCH_BYTES: usize = 4 << 20;

/// Commands decided but not yet on their way to the store.
#[derive(Default)]
pub struct OpenBatch {
    batch: Batch,
    events: Vec<Recorded>,
    leaves: Vec<Hash>,
    bytes: usize,
    waiting: Vec<Box<dyn Job>>,
}

/// A batch on its way to the store.
pub struct Sealed {
    /// Where the log must end for it to fit.
    pub expected: Position,
    /// What is stored.
    pub batch: Batch,
    /// The same events, for those who follow.
    pub events: Committed,
    /// Their leaf hashes.
    pub leaves: Vec<Hash>,
    /// Where the log ends after it.
    pub head: Head,
    /// Who waits for it.
    pub waiting: Vec<Box<dyn Job>>,
}

impl OpenBatch {
    /// Whether no further command should be taken in.
    pub fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES || self.waiting.len() >= 2 * BATCH_EVENTS
    }

    /// Whether nothing waits for it.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.events.is_empty()
    }
}

/// State, index and open batch.
pub struct Core {
    ledger: Ledger,
    /// Who may authenticate after the same events, for snapshots: the shared directory holds durable events only, so it
    /// lags behind the state until the open batch is durable, and is ahead of a copy of the state afterwards.
    parties: Parties,
    index: Index,
    /// The end of the log including the open batch.
    head: Head,
    last: Instant,
    /// Nothing may be recorded before this any more, whatever the clock says: the past was asked for up to there.
    earliest: Instant,
    open: OpenBatch,
    unsaved_keys: Vec<Used>,
    clock: Arc<dyn Clock>,
    ids: RandomIds,
    vault: Arc<Vault>,
    policy: Policy,
    /// Set when the state can no longer be trusted; it is then read again from the log.
    broken: bool,
}

/// What a core begins with.
pub struct Beginning {
    /// The state after `head`.
    pub ledger: Ledger,
    /// Who may authenticate, after `head` too.
    pub parties: Parties,
    /// The keys used lately.
    pub index: Index,
    /// Used keys that no snapshot holds yet.
    pub unsaved_keys: Vec<Used>,
    /// The end of the log.
    pub head: Head,
    /// The instant of the newest event.
    pub last: Instant,
}

impl Core {
    /// A core that continues from `beginning`.
    pub fn new(beginning: Beginning, clock: Arc<dyn Clock>, vault: Arc<Vault>, policy: Policy) -> Self {
        let Beginning { ledger, parties, index, unsaved_keys, head, last } = beginning;
        let (open, ids) = (OpenBatch::default(), RandomIds::default());
        let (earliest, broken) = (Instant::MIN, false);
        Core { ledger, parties, index, head, last, earliest, open, unsaved_keys, clock, ids, vault, policy, broken }
    }

    /// The state, decided commands included.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Who may authenticate, decided commands included.
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// The open batch.
    pub fn open(&self) -> &OpenBatch {
        &self.open
    }

    /// Whether the state must be read again from the log.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The instant of the newest event.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// Nothing is recorded before this any more.
    pub fn earliest(&self) -> Instant {
        self.earliest
    }

    /// From here on everything is recorded at `earliest` or later.
    pub fn record_from(&mut self, earliest: Instant) {
        self.earliest = self.earliest.max(earliest);
    }

    /// The instant of what is decided now.
    fn now(&self) -> Instant {
        self.last.max(self.earliest).max(self.clock.now())
    }

    /// The end of the log including the open batch.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Used keys that no snapshot holds yet, oldest first.
    pub fn unsaved_keys(&mut self) -> &mut Vec<Used> {
        &mut self.unsaved_keys
    }

    /// Lets a job decide and puts it into the open batch.
    pub fn take(&mut self, mut job: Box<dyn Job>) {
        job.run(self);
        self.open.waiting.push(job);
    }

    /// Answers a question about durable state, outside any batch.
    pub fn answer(&mut self, mut job: Box<dyn Job>) {
        job.run(self);
        job.finish();
    }

    /// Takes in durable events that another node decided, up to the head they lead to. Nothing may be open.
    ///
    /// # Errors
    /// The event that does not follow from the state, and why; the state must then be read again.
    pub fn follow(&mut self, events: &[Recorded], head: Head) -> Result<(), (Position, String)> {
        for event in events {
            self.ledger.evolve(event).map_err(|error| (event.position, error.to_string()))?;
            self.parties.apply(&event.event);
            self.unsaved_keys.extend(self.index.apply(event));
            self.last = self.last.max(event.recorded_at);
        }
        self.head = head;
        Ok(())
    }

    /// Closes the open batch and begins the next one.
    pub fn seal_batch(&mut self, expected: Position) -> Sealed {
        let open = std::mem::take(&mut self.open);
        let OpenBatch { batch, events, leaves, waiting, .. } = open;
        Sealed { expected, batch, events: Arc::new(events), leaves, head: self.head, waiting }
    }

    /// Decides one command; its events join the open batch.
    pub fn carry_out<C: Command>(&mut self, command: &C) -> Result<Reply<C::Outcome>, Failure> {
        let now = self.now();
        let actor = command.actor();
        let used = command.idempotency().and_then(|key| self.index.find(KeyDigest::new(actor, key), now));
        if let Some(position) = used {
            return Ok(Reply::Repeated(position));
        }
        let position = self.head.position.next();
        let mut context = Context { now, position, ids: &mut self.ids, policy: &self.policy };
        let Decision { events, outcome } = command.decide(&self.ledger, &mut context);
        if !events.is_empty() {
            let command_id = CommandId::from_uuid(self.ids.uuid());
            let mut key = command.idempotency().filter(|_| outcome.is_ok()).cloned();
            let recorded = events.into_iter().zip(position.number()..).map(|(event, number)| Recorded {
                position: Position::new(number),
                id: EventId::from_uuid(self.ids.uuid()),
                recorded_at: now,
                actor,
                command: command_id,
                idempotency: key.take(),
                event,
            });
            let recorded: Vec<Recorded> = recorded.collect();
            self.add(recorded)?;
        }
        let outcome = outcome.map_err(Failure::Refused)?;
        Ok(Reply::Fresh { outcome, recorded_at: now, position: self.head.position })
    }

    /// Adds events that no command asked for: the opening of the log and of an epoch.
    pub fn add_events(&mut self, events: Vec<Event>) -> Result<(), Failure> {
        let now = self.now();
        let command = CommandId::from_uuid(self.ids.uuid());
        let from = self.head.position.next().number();
        let recorded = events.into_iter().zip(from..).map(|(event, number)| Recorded {
            position: Position::new(number),
            id: EventId::from_uuid(self.ids.uuid()),
            recorded_at: now,
            actor: flexledger_domain::Actor::System,
            command,
            idempotency: None,
            event,
        });
        let recorded = recorded.collect();
        self.add(recorded)
    }

    fn add(&mut self, mut recorded: Vec<Recorded>) -> Result<(), Failure> {
        let mut keys = Vec::new();
        let mut head = self.head;
        let mut records = Vec::with_capacity(recorded.len());
        let known = self.open.leaves.len();
        for event in &mut recorded {
            let made = self.seal(&mut event.event, &mut keys).and_then(|()| encode(event, &mut head));
            match made {
                Ok((record, leaf)) => {
                    records.push(record);
                    self.open.leaves.push(leaf);
                }
                Err(failure) => {
                    self.open.leaves.truncate(known);
                    self.vault.forget_new(&keys);
                    return Err(failure);
                }
            }
        }
        for event in &recorded {
            if let Err(error) = self.ledger.evolve(event) {
                tracing::error!(position = event.position.number(), %error, "engine.evolve_failed");
                self.broken = true;
                self.open.leaves.truncate(known);
                return Err(Failure::Unavailable);
            }
            self.parties.apply(&event.event);
            self.unsaved_keys.extend(self.index.apply(event));
            self.last = event.recorded_at;
        }
        self.head = head;
        self.open.bytes += records.iter().map(|record| record.bytes.len()).sum::<usize>();
        self.open.batch.records.append(&mut records);
        self.open.batch.keys.append(&mut keys);
        self.open.events.append(&mut recorded);
        Ok(())
    }

    fn seal(&self, event: &mut Event, keys: &mut Vec<flexledger_eventstore::SubjectKey>) -> Result<(), Failure> {
        match self.vault.seal(event) {
            Ok(mut new) => {
                keys.append(&mut new);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "engine.seal_failed");
                Err(Failure::Unavailable)
            }
        }
    }
}

fn encode(recorded: &Recorded, head: &mut Head) -> Result<(Record, Hash), Failure> {
    let mut bytes = Vec::with_capacity(768);
    if let Err(error) = record::encode(recorded, &mut bytes) {
        tracing::error!(position = recorded.position.number(), %error, "engine.encode_failed");
        return Err(Failure::Unavailable);
    }
    let leaf = leaf_hash(&bytes);
    let hash = chain_hash(head.hash, leaf);
    *head = Head { position: recorded.position, hash };
    Ok((Record { position: recorded.position, bytes, hash }, leaf))
}
