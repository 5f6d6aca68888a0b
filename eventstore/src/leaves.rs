//! The newest leaf hashes, kept in memory for the Merkle tree: the writer made them anyway.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use flexledger_domain::Position;

use crate::hash::Hash;

/// Leaves kept at most: 8 MB, several seconds of the fastest log.
const MOST: usize = 262_144;

/// A window over the end of the log. Whoever takes leaves out leaves none of them behind; who falls out of the window
/// reads the store instead.
#[derive(Default)]
pub struct Leaves(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// The position before the first leaf.
    after: Position,
    hashes: VecDeque<Hash>,
}

impl Leaves {
    /// Adds the leaves of the durable events after `after`.
    pub fn publish(&self, after: Position, leaves: &[Hash]) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = window.after.number() + window.hashes.len() as u64;
        if end != after.number() {
            *window = Window { after, hashes: VecDeque::new() };
        }
        window.hashes.extend(leaves);
        let surplus = window.hashes.len().saturating_sub(MOST);
        window.hashes.drain(..surplus);
        window.after = Position::new(window.after.number() + surplus as u64);
    }

    /// Takes out the leaves after `after`, as far as they go up to `to`; none when the window begins later.
    #[must_use]
    pub fn take(&self, after: Position, to: Position) -> Vec<Hash> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = after.number().checked_sub(window.after.number()) else { return Vec::new() };
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(window.hashes.len());
        let count = usize::try_from(to.number().saturating_sub(after.number())).unwrap_or(usize::MAX);
        let end = known.saturating_add(count).min(window.hashes.len());
        let taken: Vec<Hash> = window.hashes.drain(..end).skip(known).collect();
        window.after = Position::new(window.after.number() + end as u64);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> Hash {
        Hash([number; 32])
    }

    fn take(leaves: &Leaves, after: u64, to: u64) -> Vec<Hash> {
        leaves.take(Position::new(after), Position::new(to))
    }

    #[test]
    fn leaves_are_taken_once_and_in_order() {
        let leaves = Leaves::default();
        leaves.publish(Position::new(3), &[hash(4), hash(5)]);
        leaves.publish(Position::new(5), &[hash(6)]);
        assert_eq!(take(&leaves, 2, 6), []);
        assert_eq!(take(&leaves, 4, 5), [hash(5)]);
        assert_eq!(take(&leaves, 5, 9), [hash(6)]);
        assert_eq!(take(&leaves, 5, 9), []);
    }

    #[test]
    fn a_gap_begins_a_new_window() {
        let leaves = Leaves::default();
        leaves.publish(Position::START, &[hash(1)]);
        leaves.publish(Position::new(8), &[hash(9)]);
        assert_eq!(take(&leaves, 0, 9), []);
        assert_eq!(take(&leaves, 8, 9), [hash(9)]);
    }

    #[test]
    fn memory_is_bounded() {
        let leaves = Leaves::default();
        let many = vec![hash(1); MOST];
        leaves.publish(Position::START, &many);
        leaves.publish(Position::new(MOST as u64), &[hash(2)]);
        assert_eq!(take(&leaves, 0, 9), []);
        assert_eq!(take(&leaves, 1, u64::MAX).len(), MOST);
    }
}
