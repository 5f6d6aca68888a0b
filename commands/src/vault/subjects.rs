//! The subject keys in memory.

use flexledger_domain::ids::SubjectId;
use hashbrown::{HashMap, HashSet};
use zeroize::Zeroize;

use super::cipher::Key;

/// The keys of all subjects that have one, and which subjects were erased. No subject is in both.
///
/// The map holds plain arrays, wiped when they are removed; growing it may leave a copy in freed memory.
#[derive(Default)]
pub(super) struct Subjects {
    keys: HashMap<SubjectId, [u8; 32]>,
    erased: HashSet<SubjectId>,
}

impl Subjects {
    pub(super) fn with_capacity(count: usize) -> Self {
        Subjects { keys: HashMap::with_capacity(count), erased: HashSet::new() }
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

    pub(super) fn remove(&mut self, subject: SubjectId) {
        if let Some(bytes) = self.keys.get_mut(&subject) {
            bytes.zeroize();
            self.keys.remove(&subject);
        }
    }

    pub(super) fn erase(&mut self, subject: SubjectId) {
        self.remove(subject);
        self.erased.insert(subject);
    }

    /// Takes other keys instead of these. What was erased stays erased.
    pub(super) fn replace_keys(&mut self, mut loaded: Subjects) {
        self.erased.iter().for_each(|subject| loaded.remove(*subject));
        std::mem::swap(&mut self.keys, &mut loaded.keys);
    }
}

impl Drop for Subjects {
    fn drop(&mut self) {
        self.keys.values_mut().for_each(Zeroize::zeroize);
    }
}
