//! Snapshots of the state, so that a restart reads the end of the log only, and a server of the past the events between
//! the nearest one and its moment.
//!
//! A snapshot is a cache: a missing, damaged or foreign one is passed over and the log is read instead. It is taken by
//! copying the state between two commands, with who may authenticate at that very position, and written by a background
//! thread once every event in it is durable. The used idempotency keys are written once, in segments: each snapshot adds
//! one with the keys used since the last.
//!
//! Of the states the newest two stay, with their segments, for restarts; of the older ones a few that lie evenly over
//! the log ([`ladder`]), without theirs: a server of the past carries nothing out, so that it needs no keys, and a
//! server of the present that finds segments missing passes such a state over.
//!
//! A file is `flexledger-snapshot 3\n`, SHA-256 of the rest, and the rest in postcard form. (Who may authenticate could
//! be ahead of the state in format 2, which a restart did not mind.)

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flexledger_domain::{Instant, Ledger, Position, Span};
use flexledger_eventstore::{Hash, Head, ladder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::core::Core;
use super::idempotency::Used;
use crate::directory::Listing;

const MAGIC: &[u8] = b"flexledger-snapshot 3\n";
/// Snapshots that are kept for restarts: the newest, and the one before in case the newest is damaged.
const KEPT: usize = 2;
/// States that are kept for servers of the past at most, the newest one among them.
const LADDER: usize = 15;

/// Why a snapshot cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file could not be read or written.
    #[error("snapshot file: {0}")]
    File(#[from] io::Error),
    /// The content is not a snapshot of this program's format.
    #[error("snapshot is damaged or of another format")]
    Content,
}

/// The state after one position.
#[derive(Serialize, Deserialize)]
pub struct State {
    /// Position that the state follows.
    pub position: Position,
    /// Chain hash there, hex; it ties the snapshot to its log.
    pub hash: String,
    /// Instant of the event there.
    pub last: Instant,
    /// The state.
    pub ledger: Ledger,
    /// Who may authenticate.
    pub directory: Listing,
    /// Names of the key segments that belong to it, oldest first.
    segments: Vec<Segment>,
}

/// One file of used keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Segment {
    name: String,
    newest: Instant,
}

/// A state that was copied and waits until it is durable.
struct Taken {
    state: State,
    keys: Vec<Used>,
}

/// The folder of snapshots, and when the next one is due.
pub struct Snapshots {
    folder: PathBuf,
    every: u64,
    window: Span,
    /// Read by a server of the past: nothing is written here, and keys are left alone.
    past: bool,
    last: Position,
    segments: Vec<Segment>,
    taken: Option<Taken>,
    writing: Option<JoinHandle<Result<Written, SnapshotError>>>,
}

struct Written {
    position: Position,
    segments: Vec<Segment>,
    keys: usize,
}

impl Snapshots {
    /// Snapshots in `folder` (made if missing), one every `every` events; keys count for `window`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: PathBuf, every: u64, window: Span) -> Result<Self, SnapshotError> {
        fs::create_dir_all(&folder)?;
        Ok(Snapshots { every: every.max(1), window, past: false, ..Snapshots::of_the_past(folder) })
    }

    /// The snapshots in `folder`, for a log that ends in the past. A running server may tidy the folder meanwhile; here
    /// nothing is made, written or removed in it.
    pub fn of_the_past(folder: PathBuf) -> Self {
        Snapshots {
            folder,
            every: u64::MAX,
            window: Span::from_micros(0),
            past: true,
            last: Position::START,
            segments: Vec::new(),
            taken: None,
            writing: None,
        }
    }

    /// The newest usable state, with the used keys; for a server of the past the newest one at or before the `end` of
    /// its log, without keys. `hash_at` gives the chain hash of the log at a position.
    pub async fn load<F>(&self, end: Position, mut hash_at: impl FnMut(Position) -> F) -> Option<(State, Vec<Used>)>
    where
        F: Future<Output = Option<Hash>>,
    {
        let past = self.past;
        let all = states(&self.folder).into_iter().rev();
        for (_, path) in all.filter(|(position, _)| !past || *position <= end) {
            let folder = self.folder.clone();
            let read = move || if past { Ok((read_file(&path)?, Vec::new())) } else { read_state(&folder, &path) };
            let read: Result<Result<(State, _), SnapshotError>, _> = tokio::task::spawn_blocking(read).await;
            match read {
                Ok(Ok((state, keys))) if hash_at(state.position).await.is_some_and(|h| h.to_string() == state.hash) => {
                    return Some((state, keys));
                }
                Ok(Ok((state, _))) => {
                    tracing::warn!(position = state.position.number(), "snapshot.foreign: it is not of this log");
                }
                // A running server has tidied it away.
                Ok(Err(SnapshotError::File(error))) if past && error.kind() == io::ErrorKind::NotFound => {}
                Ok(Err(error)) => tracing::warn!(%error, "snapshot.unusable"),
                Err(error) => tracing::warn!(%error, "snapshot.unusable"),
            }
        }
        None
    }

    /// Continues after a loaded state, or from nothing.
    pub fn continue_from(&mut self, state: Option<&State>) {
        self.last = state.map_or(Position::START, |state| state.position);
        self.segments = state.map(|state| state.segments.clone()).unwrap_or_default();
        self.taken = None;
    }

    /// Takes a copy when one is due, and writes the last copy once the log is durable up to it.
    pub async fn advance(&mut self, core: &mut Core, durable: Position) {
        if self.past {
            return;
        }
        self.collect(core, false).await;
        if let Some(taken) = self.taken.take_if(|taken| taken.state.position <= durable) {
            self.write(taken);
        }
        let due = core.head().position.after(self.last) >= self.every;
        if due && self.taken.is_none() && self.writing.is_none() {
            self.taken = Some(self.copy(core));
        }
    }

    /// Writes the present state and waits for it. The log must be durable up to the head of `core`.
    pub async fn save_now(&mut self, core: &mut Core) {
        if self.past {
            return;
        }
        self.collect(core, true).await;
        if core.head().position > self.last {
            let taken = self.copy(core);
            self.write(taken);
            self.collect(core, true).await;
        }
    }

    fn copy(&self, core: &mut Core) -> Taken {
        let Head { position, hash } = core.head();
        let keys = core.unsaved_keys().clone();
        let ledger = core.ledger().clone();
        let segments = self.segments.clone();
        let state = State {
            position,
            hash: hash.to_string(),
            last: core.last(),
            ledger,
            directory: core.parties().listing(),
            segments,
        };
        Taken { state, keys }
    }

    fn write(&mut self, taken: Taken) {
        let (folder, window) = (self.folder.clone(), self.window);
        self.last = taken.state.position;
        self.writing = Some(tokio::task::spawn_blocking(move || write_all(&folder, taken, window)));
    }

    /// Takes note of a finished write.
    async fn collect(&mut self, core: &mut Core, wait: bool) {
        let Some(writing) = self.writing.take_if(|writing| wait || writing.is_finished()) else { return };
        match writing.await {
            Ok(Ok(written)) => {
                self.segments = written.segments;
                let unsaved = core.unsaved_keys();
                unsaved.drain(..written.keys.min(unsaved.len()));
                tracing::debug!(position = written.position.number(), "snapshot.written");
            }
            Ok(Err(error)) => tracing::warn!(%error, "snapshot.not_written: a restart will read more of the log"),
            Err(error) => tracing::warn!(%error, "snapshot.not_written: a restart will read more of the log"),
        }
    }
}

/// The state files of a folder by their names, oldest first.
fn states(folder: &Path) -> Vec<(Position, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let state = |path: PathBuf| {
        let stem = path.file_name()?.to_str()?.strip_suffix(".state")?;
        Some((Position::new(stem.parse().ok()?), path))
    };
    let mut states: Vec<_> = entries.filter_map(|entry| state(entry.path())).collect();
    states.sort();
    states
}

fn read_state(folder: &Path, path: &Path) -> Result<(State, Vec<Used>), SnapshotError> {
    let state: State = read_file(path)?;
    let mut keys = Vec::new();
    for segment in &state.segments {
        keys.extend(read_file::<Vec<Used>>(&folder.join(&segment.name))?);
    }
    Ok((state, keys))
}

fn write_all(folder: &Path, mut taken: Taken, window: Span) -> Result<Written, SnapshotError> {
    let position = taken.state.position;
    taken.state.segments.retain(|segment| taken.state.last.since(segment.newest) < window);
    if let Some(newest) = taken.keys.last() {
        let name = format!("{position:013}.keys");
        write_file(&folder.join(&name), &taken.keys)?;
        taken.state.segments.push(Segment { name, newest: newest.at });
    }
    write_file(&folder.join(format!("{position:013}.state")), &taken.state)?;
    File::open(folder)?.sync_all()?;
    tidy(folder, position);
    Ok(Written { position, segments: taken.state.segments, keys: taken.keys.len() })
}

/// Removes what nobody needs, after the state at `newest` was written. Failing to is harmless. States beyond are of a log
/// that has lost its end since; were they counted, they would take the places of the newest.
fn tidy(folder: &Path, newest: Position) {
    let states = states(folder);
    let here: Vec<_> = states.iter().filter(|(position, path)| *position <= newest && is_readable(path)).collect();
    let fresh: Vec<_> = here.iter().rev().take(KEPT).collect();
    let needed: Vec<String> = fresh
        .iter()
        .filter_map(|(_, path)| read_file::<State>(path).ok())
        .flat_map(|state| state.segments.into_iter().map(|segment| segment.name))
        .collect();
    let positions: Vec<Position> = here.iter().map(|(position, _)| *position).collect();
    let older = ladder::kept(&positions, LADDER);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let stays = match path.extension().and_then(|extension| extension.to_str()) {
            Some("state") => {
                let fresh = fresh.iter().any(|(_, kept)| *kept == path);
                fresh || here.iter().any(|(position, kept)| *kept == path && older.contains(position))
            }
            Some("keys") => needed.contains(&entry.file_name().to_string_lossy().into_owned()),
            Some("new") => false,
            // Copies of the views stand here too.
            _ => true,
        };
        if !stays {
            let _stays_for_now = fs::remove_file(&path);
        }
    }
}

/// Whether a file is of this format, as far as its first bytes tell.
fn is_readable(path: &Path) -> bool {
    let mut begins = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && begins == MAGIC
}

fn read_file<T: DeserializeOwned>(path: &Path) -> Result<T, SnapshotError> {
    let bytes = fs::read(path)?;
    let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Content)?;
    let (digest, content) = rest.split_at_checked(32).ok_or(SnapshotError::Content)?;
    if Sha256::digest(content).as_slice() != digest {
        return Err(SnapshotError::Content);
    }
    postcard::from_bytes(content).map_err(|_| SnapshotError::Content)
}

/// Writes beside, syncs, then renames: a kill leaves the old file or the new one.
fn write_file<T: Serialize>(path: &Path, value: &T) -> Result<(), SnapshotError> {
    let content = postcard::to_stdvec(value).map_err(|_| SnapshotError::Content)?;
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(&content))?;
    file.write_all(&content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
