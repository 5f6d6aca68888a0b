//! The signed head as a C2SP tlog-checkpoint (`operations.md` 5.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use flexledger_domain::Position;
use flexledger_domain::ids::LedgerId;
use flexledger_eventstore::Hash;
use sha2::{Digest, Sha256};

/// The signature type of Ed25519 in signed notes.
const ED25519: u8 = 1;
/// A note is a few short lines; more is not read.
pub const NOTE_BYTES_MAX: usize = 4096;

/// A text that is no signed head of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a signed head: expected the note that `flexledger head` prints")]
pub struct NoteError;

/// What a note says, and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The name of the log.
    pub origin: String,
    /// How many events it had.
    pub position: Position,
    /// The Merkle root over them.
    pub root: Hash,
    key_id: [u8; 4],
    signature: [u8; 64],
}

/// The name of a ledger's log in notes and keys.
#[must_use]
pub fn origin(ledger: LedgerId) -> String {
    format!("flexledger/{ledger}")
}

/// Signs a head.
#[must_use]
pub fn sign(seed: &[u8; 32], ledger: LedgerId, position: Position, root: Hash) -> String {
    let key = SigningKey::from_bytes(seed);
    let origin = origin(ledger);
    let body = body(&origin, position, root);
    let mut signed = key_id(&origin, &key.verifying_key()).to_vec();
    signed.extend_from_slice(&key.sign(body.as_bytes()).to_bytes());
    format!("{body}\n\u{2014} {origin} {}\n", STANDARD.encode(signed))
}

/// The key that checks the notes of a ledger: `<name>+<key id>+<key>`.
#[must_use]
pub fn verifier_key(seed: &[u8; 32], ledger: LedgerId) -> String {
    let key = SigningKey::from_bytes(seed).verifying_key();
    let origin = origin(ledger);
    let id: String = key_id(&origin, &key).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = vec![ED25519];
    bytes.extend_from_slice(key.as_bytes());
    format!("{origin}+{id}+{}", STANDARD.encode(bytes))
}

impl Note {
    /// Takes a note apart. The signature is not checked yet.
    ///
    /// # Errors
    /// [`NoteError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split('\n');
        let mut next = || lines.next().ok_or(NoteError);
        let (name, size, root, empty, line) = (next()?, next()?, next()?, next()?, next()?);
        if text.len() > NOTE_BYTES_MAX || !empty.is_empty() || !next()?.is_empty() || lines.next().is_some() {
            return Err(NoteError);
        }
        let signed = line.strip_prefix("\u{2014} ").and_then(|rest| rest.strip_prefix(name)).ok_or(NoteError)?;
        let signed = signed.strip_prefix(' ').and_then(|text| STANDARD.decode(text).ok()).ok_or(NoteError)?;
        let (key_id, signature) = signed.split_at_checked(4).ok_or(NoteError)?;
        let root = STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(NoteError)?;
        Ok(Note {
            origin: name.to_owned(),
            position: Position::new(size.parse().map_err(|_| NoteError)?),
            root: Hash(root),
            key_id: key_id.try_into().map_err(|_| NoteError)?,
            signature: signature.try_into().map_err(|_| NoteError)?,
        })
    }

    /// Whether the key of this seed signed it.
    #[must_use]
    pub fn signed_by(&self, seed: &[u8; 32]) -> bool {
        let key = SigningKey::from_bytes(seed).verifying_key();
        let body = body(&self.origin, self.position, self.root);
        self.key_id == key_id(&self.origin, &key)
            && key.verify_strict(body.as_bytes(), &Signature::from_bytes(&self.signature)).is_ok()
    }
}

fn body(origin: &str, position: Position, root: Hash) -> String {
    format!("{origin}\n{position}\n{}\n", STANDARD.encode(root.0))
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let digest =
        Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(key.as_bytes()).finalize();
    let mut id = [0; 4];
    id.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: [u8; 32] = [9; 32];

    fn ledger() -> LedgerId {
        "0b1f1de2-7a54-4c0f-9a6c-111111111111".parse().expect("an id")
    }

    #[test]
    fn a_note_is_read_back_and_its_signature_holds() {
        let text = sign(&SEED, ledger(), Position::new(7), Hash([5; 32]));
        let note = Note::parse(&text).expect("a note");
        assert_eq!((note.position, note.root), (Position::new(7), Hash([5; 32])));
        assert!(note.signed_by(&SEED) && !note.signed_by(&[8; 32]));
        let forged = Note::parse(&text.replacen("\n7\n", "\n8\n", 1)).expect("a note");
        assert!(!forged.signed_by(&SEED));
    }

    #[test]
    fn other_texts_are_no_notes() {
        let text = sign(&SEED, ledger(), Position::new(7), Hash([5; 32]));
        for wrong in ["", "\n\n\n\n\n", &text.replace('\u{2014}', "-"), &format!("{text}more"), text.trim_end()] {
            assert_eq!(Note::parse(wrong), Err(NoteError), "{wrong:?}");
        }
    }

    #[test]
    fn the_verifier_key_names_the_log() {
        let key = verifier_key(&SEED, ledger());
        let parts: Vec<&str> = key.split('+').collect();
        assert_eq!(parts[0], "flexledger/0b1f1de2-7a54-4c0f-9a6c-111111111111");
        assert_eq!(parts[1].len(), 8);
        assert_eq!(STANDARD.decode(parts[2..].join("+")).expect("base64").len(), 33);
    }
}
