//! Checks the log itself, from nothing but its rows.
//!
//! | check | what must hold |
//! |---|---|
//! | `positions` | positions run from 1 without gaps, nothing stands before, and each event carries the position of its row |
//! | `chain` | each chain hash follows from the one before and the event's bytes |
//! | `records` | each row is an event in the one canonical form |
//! | `journals` | the postings of each event balance per currency |
//! | `time` | recorded instants never go back |
//! | `entities` | whoever takes part begins once, the ledger at position 1 |
//! | `payments` | each payment ends at most once, after it began and in time, and books its amount from its sender's wallet to its receiver's, on the first open date |
//! | `books` | all balances together are zero per currency, and only wallets that were made are booked on |
//! | `settlement` | each entry stands in exactly one batch or on an open date; each record and its lines are, to the byte, what running it again over the postings gives; nets sum to zero; cuts of one currency do not overlap |
//! | `head` | a saved head names the same event, hash and root, and was signed by this ledger |
//!
//! Budget: one pass. Rows are decoded and hashed where they lie by several threads, then judged in order; memory holds
//! what was made of a few thousand rows, and one entry per open payment, account, application, subject, tag, and
//! settlement date and currency.

mod chain;
mod content;

use std::sync::Arc;

use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::hash::leaf_hash;
use flexledger_eventstore::merkle::Compact;
use flexledger_eventstore::note::{self, HeadSigner};
use flexledger_eventstore::walk::Stride;
use flexledger_eventstore::{EventStore, Hash, Head, RecordRef, StoreError, Walk, record};
use serde::Serialize;

use crate::head::{SavedHead, ledger};
use chain::{Chain, Link};
use content::Content;

/// Violations that are listed; the rest is counted in the last one.
pub const VIOLATIONS_MAX: usize = 1000;

/// The names of all checks, in the order of the report.
const CHECKS: [&str; 9] =
    ["positions", "chain", "records", "journals", "time", "entities", "payments", "books", "settlement"];

/// What is checked besides the log alone.
#[derive(Default)]
pub struct Verify<'a> {
    /// A head that was saved before.
    pub saved: Option<SavedHead>,
    /// The seed of the key that signs this ledger's heads; `None` when its signatures cannot be checked.
    pub seed: Option<[u8; 32]>,
    /// Called now and then with the events checked so far and all events.
    pub progress: Option<&'a mut (dyn FnMut(u64, u64) + Send)>,
}

/// What was found (`operations.md` 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether there is no violation.
    pub ok: bool,
    /// The newest position.
    pub position: u64,
    /// The chain hash there.
    pub hash: String,
    /// The Merkle root over all events.
    pub root: String,
    /// Each check and whether it holds.
    pub checks: Vec<Check>,
    /// What is wrong, in order of position.
    pub violations: Vec<Violation>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds everywhere.
    pub ok: bool,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Where; `None` when it is no single event.
    pub position: Option<u64>,
    /// Which check failed.
    pub check: &'static str,
    /// What was found. Never holds text from an event.
    pub message: String,
}

/// Violations as they are found.
#[derive(Default)]
pub(crate) struct Findings {
    listed: Vec<Violation>,
    unlisted: u64,
    failed: Vec<&'static str>,
}

impl Findings {
    pub(crate) fn add(&mut self, position: Option<Position>, check: &'static str, message: impl Into<String>) {
        if !self.failed.contains(&check) {
            self.failed.push(check);
        }
        if self.listed.len() < VIOLATIONS_MAX {
            let position = position.map(Position::number);
            self.listed.push(Violation { position, check, message: message.into() });
        } else {
            self.unlisted += 1;
        }
    }
}

/// Checks the whole log, up to where it ends when this is called.
///
/// # Errors
/// [`StoreError`] when rows cannot be read at all. Rows that are no events are violations.
pub async fn verify(store: &Arc<dyn EventStore>, mut options: Verify<'_>) -> Result<Report, StoreError> {
    let end = store.head().await?;
    let mut pass = Pass::new(options.saved.as_ref());
    let mut walk = Walk::new(store.clone(), Position::START, end.position, Stride::WHOLE, Row::read).lenient();
    while let Some(rows) = walk.portion().await? {
        for row in &rows {
            pass.take(row);
        }
        if let (Some(progress), Some(last)) = (&mut options.progress, rows.last()) {
            progress(last.link.position.number(), end.position.number());
        }
    }
    // However the rows were come by, the last one is the one that the log names as its end.
    if pass.head() != end {
        pass.note(Some(end.position), "positions", "the rows in order do not lead to the last one");
    }
    for place in store.misplaced(VIOLATIONS_MAX + 1).await? {
        pass.note(None, "positions", &format!("a row stands at {place}, before the first event"));
    }
    pass.content.finish(&mut pass.findings);
    if let Some(saved) = &options.saved {
        let ours = ledger(store.as_ref()).await?.map(note::origin);
        pass.check_saved(saved, ours.as_deref(), options.seed.as_ref());
    }
    Ok(pass.report(options.saved.is_some()))
}

/// A row with what can be told without the rows before it.
pub(crate) struct Row {
    link: Link,
    event: Result<Recorded, record::RecordError>,
}

impl Row {
    /// Reads a row.
    pub(crate) fn read(stored: RecordRef<'_>) -> Row {
        let link = Link { position: stored.position, leaf: leaf_hash(stored.bytes), hash: stored.hash };
        Row { link, event: record::decode(stored.bytes) }
    }
}

/// One pass over the log.
pub(crate) struct Pass {
    chain: Chain,
    tree: Compact,
    content: Content,
    findings: Findings,
    /// What the log says at the position of a saved head.
    wanted: Option<Position>,
    there: Option<(Hash, Hash)>,
}

impl Pass {
    pub(crate) fn new(saved: Option<&SavedHead>) -> Self {
        let wanted = saved.map(|saved| saved.position);
        let tree = Compact::new();
        let there = (wanted == Some(Position::START)).then(|| (Hash::default(), tree.root()));
        Pass {
            chain: Chain::default(),
            tree,
            content: Content::default(),
            findings: Findings::default(),
            wanted,
            there,
        }
    }

    /// Takes the next row.
    pub(crate) fn take(&mut self, row: &Row) {
        let stored = &row.link;
        self.chain.take(stored, &mut self.findings);
        self.tree.push(stored.leaf);
        if Some(stored.position) == self.wanted {
            self.there = Some((self.chain.computed(), self.tree.root()));
        }
        match &row.event {
            Ok(event) if event.position != stored.position => {
                let message = format!("the row holds the event of position {}", event.position);
                self.findings.add(Some(stored.position), "positions", message);
            }
            Ok(event) => self.content.take(event, &mut self.findings),
            Err(record::RecordError::Journal(error)) => {
                self.findings.add(Some(stored.position), "journals", error.to_string());
            }
            // Not the error's own text: it may quote the payload.
            Err(_) => self.findings.add(Some(stored.position), "records", "the row is no event in canonical form"),
        }
    }

    /// Notes what is wrong with the file around the rows.
    pub(crate) fn note(&mut self, position: Option<Position>, check: &'static str, message: &str) {
        self.findings.add(position, check, message);
    }

    /// The position and the chain hash of the last row.
    pub(crate) fn head(&self) -> Head {
        Head { position: self.chain.position(), hash: self.chain.stored() }
    }

    /// Compares with a saved head. `ours` is the name of this ledger.
    pub(crate) fn check_saved(&mut self, saved: &SavedHead, ours: Option<&str>, seed: Option<&[u8; 32]>) {
        let at = Some(saved.position);
        match self.there {
            None => self.findings.add(at, "head", "the log ends before the saved head: its tail was cut off"),
            Some((hash, root)) => {
                if saved.hash.is_some_and(|saved| saved != hash) {
                    self.findings.add(at, "head", "the chain hash differs from the saved head: history was rewritten");
                }
                if saved.root != root {
                    self.findings.add(at, "head", "the Merkle root differs from the saved head: history was rewritten");
                }
            }
        }
        if let Some(note) = &saved.note {
            if ours != Some(note.origin.as_str()) {
                self.findings.add(at, "head", "the saved head names another ledger");
            } else if seed.is_some_and(|seed| note.verify(&HeadSigner::named(&note.origin, seed).verifier()).is_err()) {
                self.findings.add(at, "head", "the signature of the saved head is not that of this ledger's key");
            }
        }
    }

    /// What was found, after everything was taken.
    pub(crate) fn finish(mut self, with_head: bool) -> Report {
        self.content.finish(&mut self.findings);
        self.report(with_head)
    }

    fn report(self, with_head: bool) -> Report {
        let Findings { listed: mut violations, unlisted, failed } = self.findings;
        violations.sort_by_key(|violation| violation.position.unwrap_or(u64::MAX));
        if unlisted > 0 {
            let message = format!("{unlisted} more violations are not listed");
            violations.push(Violation { position: None, check: "records", message });
        }
        let names = CHECKS.into_iter().chain(with_head.then_some("head"));
        Report {
            ok: failed.is_empty(),
            position: self.chain.position().number(),
            hash: self.chain.stored().to_string(),
            root: self.tree.root().to_string(),
            checks: names.map(|name| Check { name, ok: !failed.contains(&name) }).collect(),
            violations,
        }
    }
}

#[cfg(test)]
mod tests;
