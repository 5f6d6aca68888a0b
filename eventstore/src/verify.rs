//! Checking a log against itself: gaps, chain, format, journals, time, Merkle root.
//!
//! Records pass by once, so memory does not grow with the log. Reading, hashing and parsing run side by side: while a
//! page is hashed on one thread and parsed on another, the next one is read. A violation never stops the check; the
//! first [`VIOLATIONS_MAX`] are listed, all are counted.

use std::sync::Arc;

use flexledger_domain::{Instant, Position, Recorded};

use crate::hash::{Hash, chain_hash, leaf_hash};
use crate::merkle::Compact;
use crate::port::{EventStore, Head, Record, StoreError};
use crate::record::{RecordError, decode};

/// How many violations are listed at most.
pub const VIOLATIONS_MAX: usize = 1000;
/// Records per page.
const PAGE: usize = 4096;
/// Fewer records than this are not worth a second thread.
const THREAD_RECORDS_MIN: usize = 256;

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Positions start at 1 and follow each other; a record's bytes name its place.
    Gaps,
    /// Every hash follows from the one before it and the record's bytes.
    Chain,
    /// Every record is the canonical form of an event that this program knows.
    Records,
    /// Postings balance per currency.
    Journals,
    /// Recorded time never goes back.
    Time,
}

impl Check {
    /// All checks.
    pub const ALL: [Check; 5] = [Check::Gaps, Check::Chain, Check::Records, Check::Journals, Check::Time];

    /// The name that reports print.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Check::Gaps => "gaps",
            Check::Chain => "chain",
            Check::Records => "records",
            Check::Journals => "journals",
            Check::Time => "time",
        }
    }
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where.
    pub position: Position,
    /// What was checked.
    pub check: Check,
    /// What is wrong, for people. Holds no payload.
    pub message: String,
}

/// What a check of a log found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Where the log ends: the last record read and the hash stored with it.
    pub head: Head,
    /// The Merkle root over the leaves as they are stored.
    pub root: Hash,
    /// How many records were read.
    pub records: u64,
    /// The first violations, by position.
    pub violations: Vec<Violation>,
    /// How many violations there are, listed or not.
    pub violation_count: u64,
    failed: Vec<Check>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.violation_count == 0
    }

    /// Whether one check found nothing.
    #[must_use]
    pub fn passed(&self, check: Check) -> bool {
        !self.failed.contains(&check)
    }
}

/// A list of violations with an end.
#[derive(Default)]
struct Findings {
    listed: Vec<Violation>,
    count: u64,
    failed: Vec<Check>,
}

impl Findings {
    fn join(&mut self, other: Findings) {
        self.count += other.count;
        for check in other.failed {
            self.fail(check);
        }
        self.listed.extend(other.listed);
        self.listed.truncate(VIOLATIONS_MAX);
    }

    fn fail(&mut self, check: Check) {
        if !self.failed.contains(&check) {
            self.failed.push(check);
        }
    }

    fn add(&mut self, position: Position, check: Check, message: String) {
        self.count += 1;
        self.fail(check);
        if self.listed.len() < VIOLATIONS_MAX {
            self.listed.push(Violation { position, check, message });
        }
    }
}

/// Checks places and hashes, in order.
struct Hashing {
    head: Head,
    tree: Compact,
    findings: Findings,
}

impl Hashing {
    fn take(&mut self, record: &Record) {
        let expected = self.head.position.next();
        if record.position != expected {
            let message = format!("event {expected} is missing; the next one is {}", record.position);
            self.findings.add(expected, Check::Gaps, message);
        }
        let leaf = leaf_hash(&record.bytes);
        let hash = chain_hash(self.head.hash, leaf);
        if hash != record.hash {
            let message = format!("the stored hash is {}, the record and the hash before it give {hash}", record.hash);
            self.findings.add(record.position, Check::Chain, message);
        }
        self.tree.push(leaf);
        // From here on with what is stored, so that one damaged record is one violation, not one for all that follow.
        self.head = Head { position: record.position, hash: record.hash };
    }
}

/// Checks what some records say, in order.
#[derive(Default)]
struct Parsing {
    first: Option<(Position, Instant)>,
    latest: Option<Instant>,
    findings: Findings,
}

impl Parsing {
    fn of(records: &[Record]) -> Self {
        let mut parsing = Parsing::default();
        records.iter().for_each(|record| parsing.take(record));
        parsing
    }

    fn take(&mut self, record: &Record) {
        match decode(&record.bytes) {
            Ok(recorded) => self.recorded(record.position, &recorded),
            Err(error @ RecordError::Journal(_)) => {
                self.findings.add(record.position, Check::Journals, error.to_string());
            }
            Err(error) => self.findings.add(record.position, Check::Records, error.to_string()),
        }
    }

    fn recorded(&mut self, position: Position, recorded: &Recorded) {
        if recorded.position != position {
            let message = format!("the record at this place names place {}", recorded.position);
            self.findings.add(position, Check::Gaps, message);
        }
        self.follow(position, recorded.recorded_at);
        self.latest = Some(recorded.recorded_at);
        self.first.get_or_insert((position, recorded.recorded_at));
    }

    /// `at` comes right after the latest so far.
    fn follow(&mut self, position: Position, at: Instant) {
        if let Some(latest) = self.latest.filter(|latest| at < *latest) {
            self.findings.add(position, Check::Time, format!("recorded at {at}, after an event of {latest}"));
        }
    }

    /// Joins what was found in the records that come next.
    fn join(&mut self, next: Parsing) {
        if let Some((position, at)) = next.first {
            self.follow(position, at);
        }
        self.first = self.first.or(next.first);
        self.latest = next.latest.or(self.latest);
        self.findings.join(next.findings);
    }
}

/// The check of one log. Feed it every record from position 1 on, then ask for the report.
pub struct Verifier {
    hashing: Hashing,
    parsing: Parsing,
    records: u64,
}

impl Default for Verifier {
    fn default() -> Self {
        Verifier::new()
    }
}

impl Verifier {
    /// A check that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Verifier {
            hashing: Hashing { head: Head::default(), tree: Compact::new(), findings: Findings::default() },
            parsing: Parsing::default(),
            records: 0,
        }
    }

    /// Where the records so far end.
    #[must_use]
    pub fn head(&self) -> Head {
        self.hashing.head
    }

    /// The Merkle root over the records so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.hashing.tree.root()
    }

    /// Takes the next records, on two threads if they are many.
    pub fn take(&mut self, records: &[Record]) {
        self.records += records.len() as u64;
        let Verifier { hashing, parsing, .. } = self;
        if records.len() < THREAD_RECORDS_MIN {
            records.iter().for_each(|record| hashing.take(record));
            parsing.join(Parsing::of(records));
            return;
        }
        // Hashing takes about a third of the time of parsing, so this shares the work evenly.
        let (here, there) = records.split_at(records.len() * 2 / 3);
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                records.iter().for_each(|record| hashing.take(record));
                Parsing::of(there)
            });
            (Parsing::of(here), other.join())
        });
        parsing.join(first);
        match second {
            Ok(second) => parsing.join(second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// What was found.
    #[must_use]
    pub fn report(self) -> Report {
        let root = self.root();
        let mut findings = self.parsing.findings;
        let hashing = self.hashing.findings;
        findings.count += hashing.count;
        findings.failed.extend(hashing.failed);
        findings.listed.extend(hashing.listed);
        findings.listed.sort_by_key(|violation| (violation.position, violation.check));
        findings.listed.truncate(VIOLATIONS_MAX);
        Report {
            head: self.hashing.head,
            root,
            records: self.records,
            violations: findings.listed,
            violation_count: findings.count,
            failed: findings.failed,
        }
    }
}

/// Checks a whole log up to where it ends when the check begins. `progress` is told the position after each page, and
/// may stop the check by answering `false`; the report then covers what was read.
///
/// # Errors
/// [`StoreError`] when the log cannot be read at all; damaged records are violations.
pub async fn verify(
    store: Arc<dyn EventStore>,
    mut progress: impl FnMut(&Verifier) -> bool,
) -> Result<Report, StoreError> {
    let end = store.head().await?.position;
    let mut verifier = Verifier::new();
    let mut page = store.read(Position::START, PAGE).await?;
    while let Some(last) = page.last().map(|record| record.position) {
        // The next page is read while this one is checked.
        let checking = tokio::task::spawn_blocking(move || {
            verifier.take(&page);
            verifier
        });
        let next = if last < end { store.read(last, PAGE).await? } else { Vec::new() };
        verifier = checking.await.map_err(|error| StoreError::File(std::io::Error::other(error)))?;
        if !progress(&verifier) {
            break;
        }
        page = next;
    }
    Ok(verifier.report())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, MemoryStore, contract, record, samples};

    async fn log(size: u64) -> Arc<MemoryStore> {
        let bodies = (1..=size).map(|position| {
            let mut bytes = Vec::new();
            record::encode(&samples::recorded(position, samples::accepted(position)), &mut bytes).unwrap();
            bytes
        });
        let store = Arc::new(MemoryStore::new());
        let records = contract::chain(Head::default(), bodies);
        store.append(Position::START, Batch { records, keys: Vec::new() }).await.unwrap();
        store
    }

    async fn check(store: Arc<MemoryStore>) -> (Report, Vec<(u64, &'static str)>) {
        let report = verify(store, |_| true).await.unwrap();
        let found = report.violations.iter().map(|v| (v.position.number(), v.check.name())).collect();
        (report, found)
    }

    fn replace(record: &mut Record, from: &str, to: &str) {
        let text = String::from_utf8(record.bytes.clone()).unwrap();
        assert!(text.contains(from), "{from}");
        record.bytes = text.replacen(from, to, 1).into_bytes();
    }

    #[tokio::test]
    async fn a_sound_log_passes() {
        let store = log(10_000).await;
        let (report, found) = check(store.clone()).await;
        assert_eq!(found, []);
        assert!(report.ok() && Check::ALL.into_iter().all(|check| report.passed(check)));
        assert_eq!(report.head, store.head().await.unwrap());
        let leaves = store.read(Position::START, 10_000).await.unwrap();
        assert_eq!(report.root, crate::merkle::root_of(leaves.iter().map(|record| leaf_hash(&record.bytes))));
        assert_eq!(report.records, 10_000);
    }

    #[tokio::test]
    async fn an_empty_log_passes() {
        let (report, _) = check(log(0).await).await;
        assert!(report.ok());
        assert_eq!(report.root, crate::merkle::empty_root());
    }

    #[tokio::test]
    async fn every_flipped_byte_is_found_at_its_place() {
        let size = log(1).await.read(Position::START, 1).await.unwrap()[0].bytes.len();
        for byte in 0..size {
            let store = log(5).await;
            store.tamper(Position::new(3), |record| record.bytes[byte] ^= 1);
            let (report, found) = check(store).await;
            assert!(found.contains(&(3, "chain")), "byte {byte}: {found:?}");
            assert!(found.iter().all(|(position, _)| *position == 3 || *position == 4), "byte {byte}: {found:?}");
            assert!(!report.passed(Check::Chain));
        }
    }

    #[tokio::test]
    async fn each_check_finds_its_own() {
        let store = log(300).await;
        store.tamper(Position::new(10), |record| record.hash.0[0] ^= 1);
        store.tamper(Position::new(20), |record| replace(record, "\"1500.00", "\"1600.00"));
        store.tamper(Position::new(30), |record| record.bytes = vec![0xff, 0xfe]);
        store.tamper(Position::new(40), |record| replace(record, "2026-03-27T11", "2026-03-27T10"));
        store.tamper(Position::new(50), |record| replace(record, "\"position\":50", "\"position\":51"));
        let (report, found) = check(store).await;
        let expected = [
            (10, "chain"),
            (11, "chain"),
            (20, "chain"),
            (20, "journals"),
            (30, "chain"),
            (30, "records"),
            (40, "chain"),
            (40, "time"),
            (50, "gaps"),
            (50, "chain"),
        ];
        assert_eq!(found, expected);
        assert_eq!(report.violation_count, 10);
    }

    #[tokio::test]
    async fn gaps_are_found_and_the_list_ends() {
        let store = log(3000).await;
        for position in (1..=3000).rev() {
            store.tamper(Position::new(position), |record| record.position = Position::new(position * 2));
        }
        let report = verify(store, |_| true).await.unwrap();
        assert_eq!(report.violations.len(), VIOLATIONS_MAX);
        assert!(report.violation_count >= 6000 && !report.passed(Check::Gaps));
    }
}
