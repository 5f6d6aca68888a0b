//! The head of the log as a document, and heads that were saved.

use std::sync::Arc;

use flexledger_domain::ids::LedgerId;
use flexledger_domain::{Entity, Instant, Position};
use flexledger_eventstore::hash::leaf_hash;
use flexledger_eventstore::merkle::Compact;
use flexledger_eventstore::note::{HeadSigner, Note, NoteError};
use flexledger_eventstore::{EventStore, Hash, StoreError, Walk, record};
use serde::{Deserialize, Serialize};

/// The head of a log (`operations.md` 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeadDocument {
    /// The newest position.
    pub position: u64,
    /// The chain hash there.
    pub hash: String,
    /// The Merkle root over all events.
    pub root: String,
    /// When the newest event was recorded; `None` for an empty log.
    pub recorded_at: Option<String>,
    /// The signed head; `None` without the platform key, or for an empty log.
    pub note: Option<String>,
    /// Which ledger it is; `None` for an empty log.
    #[serde(skip)]
    pub ledger: Option<LedgerId>,
}

/// Reads the whole log and makes its head. `seed` signs it.
///
/// # Errors
/// [`StoreError`] when the log cannot be read.
pub async fn head(store: &Arc<dyn EventStore>, seed: Option<&[u8; 32]>) -> Result<HeadDocument, StoreError> {
    let end = store.head().await?;
    let mut tree = Compact::new();
    let mut recorded_at: Option<Instant> = None;
    let mut walk = Walk::records(store.clone(), Position::START, end.position);
    while let Some(records) = walk.portion().await? {
        for stored in &records {
            tree.push(leaf_hash(&stored.bytes));
        }
        let last = records.last().and_then(|stored| record::decode(&stored.bytes).ok());
        recorded_at = last.map(|event| event.recorded_at).or(recorded_at);
    }
    let ledger = ledger(store.as_ref()).await?;
    let note = seed.zip(ledger).map(|(seed, ledger)| HeadSigner::new(ledger, seed).sign(end.position, tree.root()));
    Ok(HeadDocument {
        position: end.position.number(),
        hash: end.hash.to_string(),
        root: tree.root().to_string(),
        recorded_at: recorded_at.map(|at| at.to_string()),
        note,
        ledger,
    })
}

/// The id of the ledger, from the first event.
///
/// # Errors
/// [`StoreError`] when the log cannot be read.
pub async fn ledger(store: &dyn EventStore) -> Result<Option<LedgerId>, StoreError> {
    let first = store.read(Position::START, 1).await?;
    let event = first.first().and_then(|stored| record::decode(&stored.bytes).ok());
    Ok(event.and_then(|event| match event.event.entity() {
        Entity::Ledger(id) => Some(id),
        _ => None,
    }))
}

/// A head that was saved before: the document of `head --json`, or the note alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedHead {
    /// The position it names.
    pub position: Position,
    /// The chain hash there, when the document was saved.
    pub hash: Option<Hash>,
    /// The Merkle root there.
    pub root: Hash,
    /// The signed note, when there is one.
    pub note: Option<Note>,
}

/// A text that is no saved head.
#[derive(Debug, thiserror::Error)]
pub enum SavedHeadError {
    /// Neither a document nor a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A document that lacks something or contradicts its own note.
    #[error("not a saved head: {0}")]
    Document(String),
}

#[derive(Deserialize)]
struct Wire {
    position: u64,
    hash: String,
    root: String,
    #[serde(default)]
    note: Option<String>,
}

impl SavedHead {
    /// Reads what `flexledger head` printed, with or without `--json`.
    ///
    /// # Errors
    /// [`SavedHeadError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, SavedHeadError> {
        if !text.trim_start().starts_with('{') {
            let note = Note::parse(text)?;
            return Ok(SavedHead { position: note.position, hash: None, root: note.root, note: Some(note) });
        }
        let wire: Wire = serde_json::from_str(text).map_err(|error| SavedHeadError::Document(error.to_string()))?;
        let wrong = |what: &str| SavedHeadError::Document(format!("{what} is no hash"));
        let note = wire.note.as_deref().map(Note::parse).transpose()?;
        let position = Position::new(wire.position);
        let root = wire.root.parse().map_err(|_| wrong("root"))?;
        if note.as_ref().is_some_and(|note| note.position != position || note.root != root) {
            return Err(SavedHeadError::Document("the note says something else than the rest".to_owned()));
        }
        Ok(SavedHead { position, hash: Some(wire.hash.parse().map_err(|_| wrong("hash"))?), root, note })
    }
}
