//! Following: reads what the leader appends, keeps the state warm, and takes over when nobody leads.
//!
//! A follower decides nothing. Its state, tail and directory hold durable events only, so what it answers can never
//! vanish. To take over it gets the lease, reads to the end of the log, and appends the opening of an epoch right
//! there: if anything was appended in between, that fails, and it follows on.

use std::time::{Duration, Instant};

use flexledger_domain::Recorded;
use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::ids::{Ids, LedgerId};
use flexledger_eventstore::{Lease, record};

use super::Failure;
use super::keeper::Keeper;
use super::load::LoadError;
use super::role::Role;
use super::writer::{End, Message, Writer, opening};
use crate::clock::RandomIds;
use crate::vault::Vault;

/// Events read at once.
const CHUNK: usize = 4096;
/// Pause between two questions for the right to lead.
const ASK: Duration = Duration::from_millis(500);

impl Writer {
    /// Follows until this node leads, is stopped, or must read its state again.
    pub(super) async fn follow(&mut self) -> End {
        self.keeper = None;
        if self.shared.roles.leads() {
            self.shared.roles.set(Role::Following(None));
        }
        let mut asked: Option<Instant> = None;
        loop {
            match self.catch_up().await {
                Ok(()) => self.shared.roles.in_touch(),
                Err(LoadError::Store(error)) => tracing::warn!(%error, "engine.log_not_readable"),
                Err(error) => {
                    tracing::error!(%error, "engine.follow_failed");
                    return End::Lost;
                }
            }
            if asked.is_none_or(|asked| asked.elapsed() >= ASK) {
                asked = Some(Instant::now());
                if let Some(end) = self.ask().await {
                    return end;
                }
            }
            if self.rest().await {
                return End::Stopped;
            }
        }
    }

    /// Asks for the right to lead; `None` when another node leads, or when nobody can be asked.
    async fn ask(&mut self) -> Option<End> {
        let asked = Instant::now();
        match self.store.lead(&self.shared.candidate).await {
            Ok(Lease::Theirs { leader }) => {
                self.shared.roles.set(Role::Following(Some(leader)));
                None
            }
            Ok(lease) => match self.take_over(asked, &lease).await {
                Ok(()) => Some(End::Leads),
                Err(error) => {
                    tracing::warn!(%error, "engine.take_over_failed");
                    // The state may hold an opening that is not in the log.
                    Some(End::Deposed)
                }
            },
            Err(error) => {
                tracing::warn!(%error, "engine.lease_not_asked");
                None
            }
        }
    }

    /// Reads to the end, opens the next epoch there, and leads.
    pub(super) async fn take_over(&mut self, asked: Instant, lease: &Lease) -> Result<(), LoadError> {
        let keeper = Keeper::start(&self.shared, asked, lease);
        self.catch_up().await?;
        self.shared.vault.reload().await?;
        crate::erasure::complete(self.core.ledger(), &self.shared.vault).await?;
        let events = opening(&self.core, &self.shared.candidate.node, LedgerId::from_uuid(RandomIds::default().uuid()));
        self.core.add_events(events).map_err(|_| LoadError::Opening)?;
        let sealed = self.core.seal_batch(self.durable);
        let batch = sealed.batch.clone();
        self.store.append(sealed.expected, batch).await?;
        self.acknowledge(sealed).await;
        self.keeper = Some(keeper);
        self.shared.set_writable(true);
        self.shared.roles.set(Role::Leading);
        let (epoch, position) = (self.core.ledger().system.epoch.0, self.durable.number());
        tracing::info!(epoch, position, "engine.leads");
        Ok(())
    }

    /// Takes in everything that was appended since.
    async fn catch_up(&mut self) -> Result<(), LoadError> {
        loop {
            let records = self.store.read(self.durable, CHUNK).await?;
            let Some(last) = records.last() else { return Ok(()) };
            let (head, short) =
                (flexledger_eventstore::Head { position: last.position, hash: last.hash }, records.len() < CHUNK);
            let mut events = Vec::with_capacity(records.len());
            for (stored, place) in records.iter().zip(self.durable.next().number()..) {
                let damaged = |why: String| LoadError::Damaged(flexledger_domain::Position::new(place), why);
                let event = record::decode_trusted(&stored.bytes).map_err(|error| damaged(error.to_string()))?;
                if event.position.number() != place || stored.position.number() != place {
                    return Err(damaged("another position stands there".to_owned()));
                }
                events.push(event);
            }
            learn_keys(&self.shared.vault, &mut events).await?;
            self.core.follow(&events, head).map_err(|(position, why)| LoadError::Damaged(position, why))?;
            self.publish(events.into(), head).await;
            if short {
                return Ok(());
            }
        }
    }

    /// Waits for the next look at the log, answering questions meanwhile. True when it was told to stop.
    async fn rest(&mut self) -> bool {
        let pause = tokio::time::sleep(self.shared.look);
        tokio::pin!(pause);
        let store = self.store.clone();
        loop {
            tokio::select! {
                () = &mut pause => return self.stopping.is_some(),
                () = self.shared.roles.grown.notified() => return self.stopping.is_some(),
                () = store.grown() => return self.stopping.is_some(),
                message = self.queue.recv() => match message {
                    Some(Message::Job(job)) if job.only_asks() => self.core.answer(job),
                    Some(Message::Job(job)) => job.fail(Failure::Unavailable),
                    Some(Message::Stop(stopped)) => {
                        self.stopping = Some(stopped);
                        return true;
                    }
                    None => return true,
                }
            }
        }
    }
}

/// Gets the keys that the leader made for these events, and forgets those that it destroyed.
async fn learn_keys(vault: &Vault, events: &mut [Recorded]) -> Result<(), LoadError> {
    for recorded in events {
        if let flexledger_domain::Event::Identity(IdentityEvent::SubjectErased(subject, _)) = &recorded.event {
            vault.mark_erased(*subject);
        }
        let subjects: Vec<_> = recorded.event.personal().into_iter().map(|personal| personal.subject).collect();
        for subject in subjects {
            if !vault.is_known(subject) {
                vault.fetch(subject).await?;
            }
        }
    }
    Ok(())
}
