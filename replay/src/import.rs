//! `import`: an export taken into an empty store; and an export checked with nothing but a signed head and a key.
//!
//! The file is read twice: once to check every line as `verify` checks a log, and, only if all of it holds, once more to
//! store it. What is stored in the second reading is checked against the first. Memory holds one portion of lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use flexledger_domain::ids::LedgerId;
use flexledger_domain::{Entity, Position};
use flexledger_eventstore::note::{self, Note, VerifierKey};
use flexledger_eventstore::{AppendError, Batch, EventStore, Head, Record, StoreError, record};

use crate::head::SavedHead;
use crate::verify::{Pass, Report, Row};

/// Lines that are stored at once.
const PORTION: usize = 4096;

/// A longer line is no event: the engine writes none of this size.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Why an import or a check of a file could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// The store holds events already.
    #[error("the store is not empty: it ends at {0}")]
    NotEmpty(Position),
    /// The file is another one than was checked.
    #[error("the file changed while it was read")]
    Changed,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store cannot be written.
    #[error("the store cannot be written: {0}")]
    Append(#[from] AppendError),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// Which ledger it is; none if the first line does not tell.
    pub ledger: Option<LedgerId>,
    head: Head,
}

/// Checks every line of an export; with a saved head, also that the file holds what the head names; with the key of the
/// ledger, also the signature.
///
/// # Errors
/// [`ImportError::File`]. Lines that are no events are violations.
pub fn check(
    path: &Path,
    saved: Option<&SavedHead>,
    signed: Option<(&Note, &VerifierKey)>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Checked, ImportError> {
    let size = std::fs::metadata(path)?.len();
    let mut lines = Lines::open(path)?;
    let mut pass = Pass::new(saved);
    let mut ledger = None;
    let mut number = 0_u64;
    let mut bytes = 0_u64;
    while let Some(line) = lines.next()? {
        number += 1;
        bytes += line.len() as u64 + 1;
        match record::parse_line(line) {
            Ok(stored) => {
                if number == 1 {
                    ledger = ledger_of(&stored);
                }
                pass.take(&Row::read((&stored).into()));
            }
            // The error's own text may quote the payload.
            Err(_) => pass.note(Some(Position::new(number)), "records", "the line is no event with its hashes"),
        }
        if number.is_multiple_of(PORTION as u64) {
            progress(bytes, size);
        }
    }
    if number == 0 {
        pass.note(None, "records", "the file holds no event");
    }
    if let Some(saved) = saved {
        let ours = ledger.map(note::origin);
        pass.check_saved(saved, ours.as_deref(), None);
    }
    if let Some((note, _)) = signed.filter(|(note, key)| note.verify(key).is_err()) {
        pass.note(Some(note.position), "head", "the signature of the head is not that of the key");
    }
    let head = pass.head();
    Ok(Checked { report: pass.finish(saved.is_some()), ledger, head })
}

/// Stores a checked file in an empty store, or goes on where an import of the same file was broken off.
///
/// # Errors
/// [`ImportError`]. Broken off, the store holds the beginning of the file, and knows that it does.
pub async fn store(
    path: &Path,
    checked: &Checked,
    store: &Arc<dyn EventStore>,
    resume: bool,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), ImportError> {
    let begun = store.head().await?;
    if begun.position > Position::START && !resume {
        return Err(ImportError::NotEmpty(begun.position));
    }
    store.mark_unfinished(true).await?;
    store_after(begun, path, checked, store, progress).await?;
    Ok(store.mark_unfinished(false).await?)
}

async fn store_after(
    begun: Head,
    path: &Path,
    checked: &Checked,
    store: &Arc<dyn EventStore>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(), ImportError> {
    let mut lines = Lines::open(path)?;
    let mut head = Head::default();
    let mut batch: Vec<Record> = Vec::with_capacity(PORTION);
    loop {
        let stored = match lines.next()? {
            Some(line) => Some(record::parse_line(line).map_err(|_| ImportError::Changed)?),
            None => None,
        };
        let last = stored.is_none();
        if let Some(stored) = stored {
            let leaf = flexledger_eventstore::hash::leaf_hash(&stored.bytes);
            let follows = flexledger_eventstore::hash::chain_hash(head.hash, leaf) == stored.hash;
            if !follows || stored.position != head.position.next() || stored.position > checked.head.position {
                return Err(ImportError::Changed);
            }
            head = Head { position: stored.position, hash: stored.hash };
            if stored.position == begun.position && stored.hash != begun.hash {
                return Err(ImportError::NotEmpty(begun.position));
            }
            if stored.position > begun.position {
                batch.push(stored);
            }
        }
        if batch.len() == PORTION || (last && !batch.is_empty()) {
            let expected = batch.first().map_or(Position::START, |first| first.position.previous());
            let records = std::mem::replace(&mut batch, Vec::with_capacity(PORTION));
            store.append(expected, Batch { records, keys: Vec::new() }).await?;
            progress(head.position.number(), checked.head.position.number());
        }
        if last {
            return if head == checked.head { Ok(()) } else { Err(ImportError::Changed) };
        }
    }
}

fn ledger_of(first: &Record) -> Option<LedgerId> {
    match record::decode(&first.bytes).ok()?.event.entity() {
        Entity::Ledger(id) => Some(id),
        _ => None,
    }
}

/// The lines of a file, one at a time.
struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Lines, ImportError> {
        Ok(Lines { file: BufReader::with_capacity(1 << 20, File::open(path)?), line: Vec::new() })
    }

    /// The next line without its end. One that is too long comes cut off, and is no event then.
    fn next(&mut self) -> Result<Option<&[u8]>, ImportError> {
        self.line.clear();
        let read = self.file.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        Ok((read > 0).then_some(self.line.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use flexledger_domain::testing::World;
    use flexledger_eventstore::hash::{chain_hash, leaf_hash};
    use flexledger_eventstore::{Hash, MemoryStore};
    use tempfile::TempDir;

    use super::*;

    fn quiet() -> impl FnMut(u64, u64) + Send {
        |_, _| {}
    }

    fn written(seed: u64) -> (TempDir, PathBuf, Vec<Record>) {
        let mut hash = Hash::default();
        let write = |recorded: &flexledger_domain::Recorded| {
            let mut bytes = Vec::new();
            record::encode(recorded, &mut bytes).unwrap();
            hash = chain_hash(hash, leaf_hash(&bytes));
            Record { position: recorded.position, bytes, hash }
        };
        let records: Vec<_> = World::random(seed, 150).history.iter().map(write).collect();
        let mut text = Vec::new();
        for record in &records {
            record::write_line(record, &mut text).unwrap();
            text.push(b'\n');
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.jsonl");
        std::fs::write(&path, text).unwrap();
        (folder, path, records)
    }

    #[tokio::test]
    async fn what_was_exported_is_imported_byte_for_byte() {
        let (_folder, path, records) = written(1);
        let checked = check(&path, None, None, &mut quiet()).unwrap();
        assert!(checked.report.ok, "{:?}", checked.report.violations);
        let memory: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        store(&path, &checked, &memory, false, &mut quiet()).await.unwrap();
        assert_eq!(memory.read(Position::START, records.len() + 1).await.unwrap(), records);
        let again = store(&path, &checked, &memory, false, &mut quiet()).await;
        assert!(matches!(again, Err(ImportError::NotEmpty(_))));
    }

    #[tokio::test]
    async fn an_import_that_was_broken_off_goes_on() {
        let (_folder, path, records) = written(2);
        let checked = check(&path, None, None, &mut quiet()).unwrap();
        let memory: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let part = Batch { records: records[..40].to_vec(), keys: Vec::new() };
        memory.append(Position::START, part).await.unwrap();
        store(&path, &checked, &memory, true, &mut quiet()).await.unwrap();
        assert_eq!(memory.read(Position::START, records.len() + 1).await.unwrap(), records);
        let (_other, other, _) = written(3);
        let foreign = check(&other, None, None, &mut quiet()).unwrap();
        assert!(store(&other, &foreign, &memory, true, &mut quiet()).await.is_err());
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_found() {
        let (_folder, path, records) = written(4);
        let whole = check(&path, None, None, &mut quiet()).unwrap();
        let root = whole.report.root.parse().unwrap();
        let position = Position::new(whole.report.position);
        let saved = SavedHead { position, hash: Some(whole.head.hash), root, note: None };
        assert!(check(&path, Some(&saved), None, &mut quiet()).unwrap().report.ok);
        let text = std::fs::read(&path).unwrap();
        for at in (0..text.len()).step_by(397) {
            let mut damaged = text.clone();
            damaged[at] ^= 2;
            std::fs::write(&path, damaged).unwrap();
            assert!(!check(&path, None, None, &mut quiet()).unwrap().report.ok, "byte {at}");
        }
        let shorter: Vec<u8> =
            text.split_inclusive(|b| *b == b'\n').take(records.len() - 3).flatten().copied().collect();
        std::fs::write(&path, shorter).unwrap();
        assert!(check(&path, None, None, &mut quiet()).unwrap().report.ok, "the rest is a log");
        let cut = check(&path, Some(&saved), None, &mut quiet()).unwrap().report;
        assert!(!cut.ok && cut.violations[0].check == "head");
        std::fs::write(&path, "").unwrap();
        assert!(!check(&path, None, None, &mut quiet()).unwrap().report.ok);
    }
}
