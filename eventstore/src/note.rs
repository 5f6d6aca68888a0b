//! Signed heads: C2SP tlog-checkpoints in signed notes (`operations.md` 5.2).
//!
//! ```text
//! flexledger/<ledger id>
//! <position>
//! <root, Base64>
//!
//! — flexledger/<ledger id> <Base64 of key id and Ed25519 signature>
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use flexledger_domain::Position;
use flexledger_domain::ids::LedgerId;
use sha2::{Digest, Sha256};

use crate::hash::Hash;

/// The signature type of plain Ed25519 in signed notes.
const ED25519: u8 = 1;
/// A note longer than this is none of ours, and is not read.
const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Why a text is no signed head, or its signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is no checkpoint note of a ledger.
    #[error("not a signed head")]
    Malformed,
    /// The text is no verifier key.
    #[error("not a verifier key")]
    Key,
    /// No line is signed by this key.
    #[error("the head is not signed by this key")]
    Unsigned,
    /// The signature is not that of the text.
    #[error("the signature of the head is wrong")]
    Signature,
}

/// The name under which a ledger signs its heads.
#[must_use]
pub fn origin(ledger: LedgerId) -> String {
    format!("flexledger/{ledger}")
}

/// Signs the heads of one ledger.
pub struct HeadSigner {
    name: String,
    key: SigningKey,
}

impl HeadSigner {
    /// The signer of a ledger, from the 32 bytes that its key is made of.
    #[must_use]
    pub fn new(ledger: LedgerId, seed: &[u8; 32]) -> Self {
        HeadSigner { name: origin(ledger), key: SigningKey::from_bytes(seed) }
    }

    /// The signer of whatever goes by this name: for checking a note whose name was compared before.
    #[must_use]
    pub fn named(name: &str, seed: &[u8; 32]) -> Self {
        HeadSigner { name: name.to_owned(), key: SigningKey::from_bytes(seed) }
    }

    /// The key that verifies what this signer signs.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The signed note for the log at `position` with this Merkle root.
    #[must_use]
    pub fn sign(&self, position: Position, root: Hash) -> String {
        let text = body(&self.name, position, root);
        let mut signature = self.verifier().id().to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n\u{2014} {} {}\n", self.name, BASE64.encode(signature))
    }
}

fn body(name: &str, position: Position, root: Hash) -> String {
    format!("{name}\n{position}\n{}\n", BASE64.encode(root.0))
}

/// The public key of a signer of notes. Written `<name>+<key id>+<key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The name of the signer: the origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the Ed25519 key.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The first four bytes of SHA-256 over name, line feed, type and key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        let mut id = [0; 4];
        id.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
        id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), BASE64.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        // The key is Base64 and may hold a plus itself; name and id may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let bytes = BASE64.decode(key).map_err(|_| NoteError::Key)?;
        let Some((&ED25519, key)) = bytes.split_first() else { return Err(NoteError::Key) };
        let key = VerifyingKey::from_bytes(key.try_into().map_err(|_| NoteError::Key)?).map_err(|_| NoteError::Key)?;
        let verifier = VerifierKey { name: name.to_owned(), key };
        let same_id = format!("{:08x}", u32::from_be_bytes(verifier.id())) == id;
        if same_id && !name.is_empty() { Ok(verifier) } else { Err(NoteError::Key) }
    }
}

/// A head as a note says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whose head: `flexledger/<ledger id>`.
    pub origin: String,
    /// The position of the newest event.
    pub position: Position,
    /// The Merkle root there.
    pub root: Hash,
    text: String,
    signatures: Vec<(String, Vec<u8>)>,
}

impl Note {
    /// Reads a note. Signatures are not judged yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        Self::read(text).ok_or(NoteError::Malformed)
    }

    fn read(note: &str) -> Option<Self> {
        if note.len() > NOTE_BYTES_MAX {
            return None;
        }
        let (text, signatures) = note.split_at_checked(note.rfind("\n\n")? + 1)?;
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let position = size.parse().ok().map(Position::new)?;
        let root = Hash(BASE64.decode(root).ok()?.try_into().ok()?);
        if origin.is_empty() || lines.next().is_some() || body(origin, position, root) != text {
            return None;
        }
        let signatures: Option<Vec<_>> =
            signatures.strip_prefix('\n')?.strip_suffix('\n')?.split('\n').map(line).collect();
        Some(Note { origin: origin.to_owned(), position, root, text: text.to_owned(), signatures: signatures? })
    }

    /// Whether this key has signed the note.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] when it has not, [`NoteError::Signature`] when a signature in its name is wrong.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let id = key.id();
        let mut mine = self.signatures.iter().filter(|(name, bytes)| *name == key.name && bytes.starts_with(&id));
        let (_, bytes) = mine.next().ok_or(NoteError::Unsigned)?;
        let signature = bytes.get(id.len()..).unwrap_or_default();
        let signature = Signature::from_slice(signature).map_err(|_| NoteError::Signature)?;
        key.key.verify_strict(self.text.as_bytes(), &signature).map_err(|_| NoteError::Signature)
    }
}

/// One signature line: a dash, the name of the signer, key id and signature.
fn line(line: &str) -> Option<(String, Vec<u8>)> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = BASE64.decode(signature).ok()?;
    (!name.is_empty() && bytes.len() > 4).then(|| (name.to_owned(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn signer() -> HeadSigner {
        HeadSigner::new(LedgerId::from_uuid(Uuid::from_u128(0x1234_5678_9abc_4def_8012_3456_789a_bcde)), &[7; 32])
    }

    /// A vector of the Go implementation of signed notes (`golang.org/x/mod/sumdb/note`).
    #[test]
    fn a_known_verifier_key_reads_and_prints() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: VerifierKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(key.name(), "PeterNeumann");
        for wrong in
            ["", "a+b", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "x+c74f20a3+AQ=="]
        {
            assert_eq!(wrong.parse::<VerifierKey>(), Err(NoteError::Key));
        }
    }

    #[test]
    fn a_signed_head_reads_back() {
        let root = Hash([9; 32]);
        let note = signer().sign(Position::new(42), root);
        let read = Note::parse(&note).unwrap();
        assert_eq!((read.position, read.root), (Position::new(42), root));
        assert_eq!(read.origin, "flexledger/12345678-9abc-4def-8012-3456789abcde");
        let key: VerifierKey = signer().verifier().to_string().parse().unwrap();
        assert_eq!(read.verify(&key), Ok(()));
        let other = HeadSigner::new(LedgerId::from_uuid(Uuid::nil()), &[8; 32]).verifier();
        assert_eq!(read.verify(&other), Err(NoteError::Unsigned));
        let changed = Note::parse(&note.replacen("\n42\n", "\n43\n", 1)).unwrap();
        assert_eq!(changed.verify(&key), Err(NoteError::Signature));
    }

    #[test]
    fn the_golden_note_is_byte_for_byte_the_same() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/log/head.note");
        let records: Vec<_> = include_str!("../../fixtures/log/events.jsonl")
            .lines()
            .map(|line| crate::record::parse_line(line.as_bytes()).unwrap())
            .collect();
        let root = crate::merkle::root_of(records.iter().map(|record| crate::hash::leaf_hash(&record.bytes)));
        let position = records.last().unwrap().position;
        let text = format!("{}{}\n", signer().sign(position, root), signer().verifier());
        if std::env::var_os("GOLDEN").is_some() && !path.exists() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn other_texts_are_no_notes() {
        let good = signer().sign(Position::new(42), Hash([9; 32]));
        assert!(Note::parse(&good).is_ok());
        for (from, to) in [("\n42\n", "\n042\n"), ("\n42\n", "\n42\nextension\n"), ("\u{2014}", "-"), ("\n\n", "\n")] {
            assert_eq!(Note::parse(&good.replacen(from, to, 1)), Err(NoteError::Malformed), "{to}");
        }
        for wrong in ["", "\n\n", good.trim_end(), "a\n1\n\n\u{2014} a b\n"] {
            assert_eq!(Note::parse(wrong), Err(NoteError::Malformed), "{wrong}");
        }
    }
}
