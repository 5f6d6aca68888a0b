//! The RFC 6962 Merkle tree over the leaf hashes of the log (`operations.md` 5.1).
//!
//! Leaf number p-1 is the event at position p. Pure parts: hashing, [`Compact`] for a root while reading on,
//! [`verify_inclusion`] and [`verify_consistency`]. [`Tree`] makes roots and proofs for any size up to its own.

pub mod saved;
#[cfg(test)]
mod tests;
mod tree;

use sha2::{Digest, Sha256};

use crate::hash::Hash;
pub use tree::{Tree, TreeError};

/// The root of the tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The hash of an inner node.
#[must_use]
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The right edge of a growing tree: roots of its complete subtrees, largest first. At most 64 hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compact {
    size: u64,
    peaks: Vec<Hash>,
}

impl Compact {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Compact::default()
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf at the right.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one bit of the size is a complete subtree that this leaf completes to twice its size.
        for _ in 0..self.size.trailing_ones() {
            hash = self.peaks.pop().map_or(hash, |left| node_hash(left, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(left, right));
        folded.unwrap_or_else(empty_root)
    }
}

/// The root over `leaves`.
pub(crate) fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut compact = Compact::new();
    leaves.into_iter().for_each(|leaf| compact.push(leaf));
    compact.root()
}

/// The leaves `from..to`, which are a node of some tree over the log.
pub(crate) type Range = (u64, u64);

/// Where RFC 6962 splits a tree of `size` leaves, `size` above 1: the largest power of two below it.
fn split(size: u64) -> u64 {
    size.next_power_of_two() / 2
}

/// The nodes of the path from leaf `index` to the root of a tree of `size` leaves, lowest first (RFC 6962 2.1.1).
/// Empty when there is no such leaf.
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 && index < size {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The nodes that prove the tree of `old` leaves to be the beginning of that of `new` (RFC 6962 2.1.2).
/// Empty when `old` is 0 or not below `new`.
pub(crate) fn consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    if old == 0 || old >= new {
        return ranges;
    }
    let (mut from, mut to) = (0, new);
    // The verifier knows the old root; it is part of the proof only if it is not a node at the left edge.
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    if from > 0 {
        ranges.push((from, to));
    }
    ranges.reverse();
    ranges
}

/// Whether `path` shows that `leaf` is leaf number `index` of the tree of `size` leaves with this root.
#[must_use]
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            hash = node_hash(*sibling, hash);
            while node.is_multiple_of(2) && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(hash, *sibling);
        }
        node /= 2;
        last /= 2;
    }
    last == 0 && hash == root
}

/// Whether `path` shows that the tree of `old` leaves is the beginning of the tree of `new` leaves.
/// The empty tree is the beginning of every tree; its path is empty.
#[must_use]
pub fn verify_consistency(old: u64, new: u64, old_root: Hash, new_root: Hash, path: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return path.is_empty() && old_root == empty_root();
    }
    let with_root: Vec<Hash> =
        old.is_power_of_two().then_some(old_root).into_iter().chain(path.iter().copied()).collect();
    let Some((first, rest)) = with_root.split_first() else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node % 2 == 1 {
        node /= 2;
        last /= 2;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            old_hash = node_hash(*sibling, old_hash);
            new_hash = node_hash(*sibling, new_hash);
            while node.is_multiple_of(2) && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            new_hash = node_hash(new_hash, *sibling);
        }
        node /= 2;
        last /= 2;
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}
