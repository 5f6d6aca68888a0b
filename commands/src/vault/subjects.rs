//! The subject keys in memory.

use flexledger_domain::ids::SubjectId;
use hashbrown::{HashMap, HashSet};
use zeroize::Zeroize;

use super::cipher::Key;

/// The keys of all subjects that have one, and which subjects were erased. No subject is in both. Of those that were
/// erased, `left` names the ones whose key may still be in the store.
///
/// The map holds plain arrays, wiped when they are removed; growing it may leave a copy in freed memory.
#[derive(Default)]
pub(super) struct Subjects {
    keys: HashMap<SubjectId, [u8; 32]>,
    erased: HashSet<SubjectId>,
    left: HashSet<SubjectId>,
}

impl Subjects {
    pub(super) fn with_capacity(count: usize) -> Self {
        Subjects { keys: HashMap::with_capacity(count), erased: HashSet::new(), left: HashSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn key(&self, subject: SubjectId) -> Option<Key> {
        self.keys.get(&subject).map(|bytes| Key::new(*bytes))
    }

    pub(super) fn is_erased(&self, subject: SubjectId) -> bool {
        self.erased.contains(&subject)
    }

    /// Remembers a key, unless the subject was erased.
    pub(super) fn insert(&mut self, subject: SubjectId, key: &Key) {
        if !self.is_erased(subject) {
            self.keys.insert(subject, *key.bytes());
        }
    }

    /// Forgets a key. Tells whether it was here.
    pub(super) fn remove(&mut self, subject: SubjectId) -> bool {
        let Some(bytes) = self.keys.get_mut(&subject) else { return false };
        bytes.zeroize();
        self.keys.remove(&subject).is_some()
    }

    pub(super) fn erase(&mut self, subject: SubjectId) {
        if self.remove(subject) {
            self.left.insert(subject);
        }
        self.erased.insert(subject);
    }

    /// Whether the key of an erased subject may still be in the store.
    pub(super) fn is_left(&self, subject: SubjectId) -> bool {
        self.left.contains(&subject)
    }

    /// The store has the key of an erased subject no more.
    pub(super) fn destroyed(&mut self, subject: SubjectId) {
        self.left.remove(&subject);
    }

    /// Takes all keys of the store instead of these. What was erased stays erased, and is left if the store had it.
    pub(super) fn replace_keys(&mut self, mut loaded: Subjects) {
        self.left = self.erased.iter().copied().filter(|subject| loaded.remove(*subject)).collect();
        std::mem::swap(&mut self.keys, &mut loaded.keys);
    }
}

impl Drop for Subjects {
    fn drop(&mut self) {
        self.keys.values_mut().for_each(Zeroize::zeroize);
    }
}
