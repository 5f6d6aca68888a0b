//! The keys of the program, and what is sealed under them.
//!
//! * One random master key per ledger stands in `<data>/platform.key`; every other platform key is derived from it
//!   ([`PlatformKeys`]).
//! * Each subject has a random key of its own, stored sealed beside the log. Personal text is sealed under it, so
//!   destroying that one key makes the text unreadable everywhere while every hash stays valid.
//! * Secrets that must be read again (webhook secrets) are sealed under the platform key.
//!
//! Invariants: an erased subject never gets a key again; a text sealed for it is sealed under a key that is thrown
//! away. Nothing here prints a key. Budget: sealing an event without personal text allocates nothing and takes no
//! lock; one with text costs one AES-256-GCM pass per text. Memory is 50 to 100 bytes
//! per subject with a key (a hash table of 48-byte entries).

mod cipher;
mod error;
mod platform;
mod subjects;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flexledger_domain::Event;
use flexledger_domain::ids::SubjectId;
use flexledger_domain::personal::{Personal, PersonalText};
use flexledger_eventstore::EventStore;
use flexledger_eventstore::port::SubjectKey;
use zeroize::Zeroizing;

pub use error::{PlatformKeyError, VaultError};
pub use platform::{KEY_FILE, PlatformKeys};

use cipher::Key;
use subjects::Subjects;

/// What secrets are bound to, so that no other sealed value passes for one.
const SECRET_LABEL: &[u8] = b"flexledger/secret/v1";
/// What sealed subject keys are bound to, together with the subject.
const SUBJECT_LABEL: &[u8] = b"flexledger/subject-key/v1";

/// Seals and opens personal text and secrets.
pub struct Vault {
    platform: PlatformKeys,
    store: Arc<dyn EventStore>,
    subjects: RwLock<Subjects>,
}

impl Vault {
    /// A vault over the subject keys of `store`, all of which it loads.
    ///
    /// # Errors
    /// [`VaultError::WrongPlatformKey`] when the stored keys were sealed under another platform key,
    /// [`VaultError::OtherPlatformKey`] when other nodes use another one, and [`VaultError::Store`] when keys cannot be
    /// read.
    pub async fn new(platform: PlatformKeys, store: Arc<dyn EventStore>) -> Result<Self, VaultError> {
        let vault = Vault { platform, store, subjects: RwLock::default() };
        // Keys first: a node that cannot open them must not be the one whose platform key is remembered.
        vault.reload().await?;
        if !vault.store.is_platform_key(vault.platform.fingerprint()).await? {
            return Err(VaultError::OtherPlatformKey);
        }
        Ok(vault)
    }

    /// The keys of the program itself.
    #[must_use]
    pub fn platform(&self) -> &PlatformKeys {
        &self.platform
    }

    /// The HS256 key of access tokens.
    #[must_use]
    pub fn token_key(&self) -> &[u8] {
        self.platform.token_key()
    }

    /// Seals every clear personal text of an event, and returns the keys that were made for subjects that had none,
    /// sealed, to be stored in the same append as the event.
    ///
    /// # Errors
    /// [`VaultError::Randomness`] when the system gives no random bytes, [`VaultError::Cipher`] when a text is beyond
    /// what the cipher takes. The event must then not be written.
    pub fn seal(&self, event: &mut Event) -> Result<Vec<SubjectKey>, VaultError> {
        let mut fresh = Vec::new();
        for personal in event.personal() {
            self.seal_personal(personal, &mut fresh)?;
        }
        Ok(fresh)
    }

    /// Seals one text in place, as [`Vault::seal`] does. Sealed text stays as it is.
    ///
    /// # Errors
    /// As [`Vault::seal`].
    pub fn seal_personal(&self, personal: &mut Personal, fresh: &mut Vec<SubjectKey>) -> Result<(), VaultError> {
        if let PersonalText::Clear(text) = &personal.text {
            let key = self.key_for(personal.subject, fresh)?;
            let sealed = key.seal(personal.subject.uuid().as_bytes(), text.as_bytes())?;
            personal.text = PersonalText::Sealed(STANDARD.encode(sealed).into());
        }
        Ok(())
    }

    /// The key to seal a subject's text under: its own, a fresh one, or, when it was erased, one that nobody keeps.
    fn key_for(&self, subject: SubjectId, fresh: &mut Vec<SubjectKey>) -> Result<Key, VaultError> {
        if let Some(key) = self.read().key(subject) {
            return Ok(key);
        }
        let key = Key::random()?;
        let sealed = self.platform.sealing_key().seal(&subject_label(subject), key.bytes())?;
        let mut subjects = self.write();
        if subjects.is_erased(subject) {
            return Ok(key);
        }
        // Another thread may have made one meanwhile; the first one counts.
        if let Some(known) = subjects.key(subject) {
            return Ok(known);
        }
        subjects.insert(subject, &key);
        fresh.push(SubjectKey { subject, sealed });
        Ok(key)
    }

    /// Forgets keys that [`Vault::seal`] made for events that were not stored.
    pub fn forget_new(&self, keys: &[SubjectKey]) {
        let mut subjects = self.write();
        for key in keys {
            subjects.remove(key.subject);
        }
    }

    /// Reads all subject keys again: at start, and after an append whose outcome is unknown.
    ///
    /// # Errors
    /// As [`Vault::new`]; what was known before stays.
    pub async fn reload(&self) -> Result<(), VaultError> {
        let stored = self.store.subject_keys().await?;
        let mut loaded = Subjects::with_capacity(stored.len());
        for key in &stored {
            loaded.insert(key.subject, &self.unseal(key)?);
        }
        self.write().replace_keys(loaded);
        Ok(())
    }

    /// Takes in the key of one subject that another node may have made. Tells whether there is one.
    ///
    /// # Errors
    /// As [`Vault::new`].
    pub async fn fetch(&self, subject: SubjectId) -> Result<bool, VaultError> {
        let Some(stored) = self.store.subject_key(subject).await? else {
            return Ok(false);
        };
        let key = self.unseal(&stored)?;
        self.write().insert(subject, &key);
        Ok(true)
    }

    /// Whether a subject's key is here, or the subject was erased.
    #[must_use]
    pub fn is_known(&self, subject: SubjectId) -> bool {
        let subjects = self.read();
        subjects.is_erased(subject) || subjects.key(subject).is_some()
    }

    fn unseal(&self, stored: &SubjectKey) -> Result<Key, VaultError> {
        let opened = self.platform.sealing_key().open(&subject_label(stored.subject), &stored.sealed);
        opened.and_then(|bytes| Key::from_slice(&bytes)).ok_or(VaultError::WrongPlatformKey)
    }

    /// Destroys a subject's key, here at once and then in the store. Tells whether the store had one. Repeating is
    /// harmless, and needed when the store failed: it may still hold the key.
    ///
    /// # Errors
    /// [`VaultError::Store`] when the key may not be gone from the store. It is gone from memory all the same.
    pub async fn erase(&self, subject: SubjectId) -> Result<bool, VaultError> {
        self.mark_erased(subject);
        let had = self.store.destroy_subject_key(subject).await?;
        self.write().destroyed(subject);
        Ok(had)
    }

    /// Marks a subject as erased and destroys its key if the store may still have it: after a kill in the middle of an
    /// erasure, here or on the node that led before.
    ///
    /// # Errors
    /// [`VaultError::Store`].
    pub async fn complete_erasure(&self, subject: SubjectId) -> Result<(), VaultError> {
        self.mark_erased(subject);
        let left = self.read().is_left(subject);
        if left {
            self.erase(subject).await?;
        }
        Ok(())
    }

    /// Remembers that a subject was erased, as its event in the log says. It never gets a key again.
    pub fn mark_erased(&self, subject: SubjectId) {
        self.write().erase(subject);
    }

    /// The clear text; `None` when the subject was erased, or its key is unknown, or the text was tampered with.
    #[must_use]
    pub fn open(&self, personal: &Personal) -> Option<String> {
        match &personal.text {
            PersonalText::Clear(text) => (!self.read().is_erased(personal.subject)).then(|| text.to_string()),
            PersonalText::Sealed(sealed) => {
                let key = self.read().key(personal.subject)?;
                let sealed = STANDARD.decode(sealed.as_bytes()).ok()?;
                let text = key.open(personal.subject.uuid().as_bytes(), &sealed)?;
                std::str::from_utf8(&text).ok().map(str::to_owned)
            }
        }
    }

    /// Seals a secret under the platform key, as Base64, so that it may stand in an event.
    ///
    /// # Errors
    /// [`VaultError::Cipher`] when the secret is beyond what the cipher takes.
    pub fn seal_secret(&self, secret: &[u8]) -> Result<String, VaultError> {
        Ok(STANDARD.encode(self.platform.sealing_key().seal(SECRET_LABEL, secret)?))
    }

    /// A secret that [`Vault::seal_secret`] sealed; `None` when it was sealed under another key or tampered with.
    #[must_use]
    pub fn open_secret(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.platform.sealing_key().open(SECRET_LABEL, &STANDARD.decode(sealed).ok()?)
    }

    // A poisoned lock only means that some thread died: each change of the keys is complete or absent.
    fn read(&self) -> RwLockReadGuard<'_, Subjects> {
        self.subjects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Subjects> {
        self.subjects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("subjects", &self.read().len()).finish_non_exhaustive()
    }
}

fn subject_label(subject: SubjectId) -> [u8; SUBJECT_LABEL.len() + 17] {
    let mut label = [b'/'; SUBJECT_LABEL.len() + 17];
    let (name, id) = label.split_at_mut(SUBJECT_LABEL.len());
    name.copy_from_slice(SUBJECT_LABEL);
    id.iter_mut().skip(1).zip(subject.uuid().as_bytes()).for_each(|(to, from)| *to = *from);
    label
}

#[cfg(test)]
mod tests;
