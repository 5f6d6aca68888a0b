//! Roots and proofs over a log of any length without all of its leaves in memory.
//!
//! Kept in memory: the root of every complete run of 256 leaves (a *tile*), 32 bytes each: 250 KB for 2,000,000
//! events, 12.5 MB for 100,000,000; and the leaves after the last complete tile. A root or proof reads at most three
//! tiles of records from the log (those that a leaf or the end of a tree falls into) and hashes the tile roots in
//! between: below 2 ms at 2,000,000 events.
//!
//! The tile roots can be saved and loaded ([`super::saved`]), so that a start does not hash the whole log. They are
//! only a cache: the caller takes [`Tree::follow`] from where they end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use flexledger_domain::Position;

use super::{Range, consistency_ranges, inclusion_ranges, root_of};
use crate::hash::{Hash, leaf_hash};
use crate::leaves::Leaves;
use crate::port::{EventStore, StoreError};

const TILE: u64 = 256;
/// What saved tile roots begin with.
const MAGIC: &[u8; 16] = b"flexledger/tile1";

/// Why there is no root or proof.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The tree asked for is larger than the log, or a leaf lies outside its tree.
    #[error("the log has {0} events only")]
    Beyond(u64),
    /// The log has fewer records than it had.
    #[error("event {0} is missing in the log")]
    Missing(Position),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The Merkle tree of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    tiles: Vec<Hash>,
    /// Leaves after the last complete tile; fewer than [`TILE`].
    rest: Vec<Hash>,
}

impl Tree {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Tree::default()
    }

    /// How many leaves it has: the position up to which it has read the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tiles.len() as u64 * TILE + self.rest.len() as u64
    }

    /// How many complete tiles it has.
    #[must_use]
    pub fn tiles(&self) -> u64 {
        self.tiles.len() as u64
    }

    /// The last event in a complete tile.
    pub(super) fn tiled(&self) -> Position {
        Position::new(self.tiles() * TILE)
    }

    /// Adds the leaf of the next event.
    pub fn push(&mut self, leaf: Hash) {
        self.rest.push(leaf);
        if self.rest.len() as u64 == TILE {
            self.tiles.push(root_of(self.rest.drain(..)));
        }
    }

    /// Adds the leaves that are kept in memory, up to `to`; how many follow the tree is up to the window.
    pub fn take(&mut self, leaves: &Leaves, to: Position) {
        leaves.take(Position::new(self.size()), to).into_iter().for_each(|leaf| self.push(leaf));
    }

    /// Reads on from where the tree ends, up to `to`, `page` records at a time.
    ///
    /// # Errors
    /// [`TreeError`] when the log cannot be read or ends before `to`.
    pub async fn follow(&mut self, store: &dyn EventStore, to: Position, page: usize) -> Result<(), TreeError> {
        while self.size() < to.number() {
            let missing = usize::try_from(to.number() - self.size()).unwrap_or(usize::MAX);
            let leaves = leaves(store, self.size(), missing.min(page.max(1))).await?;
            leaves.into_iter().for_each(|leaf| self.push(leaf));
        }
        Ok(())
    }

    /// The root of the first `size` leaves.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] when the tree is smaller.
    pub async fn root(&self, store: &dyn EventStore, size: u64) -> Result<Hash, TreeError> {
        let roots = self.nodes(store, &[(0, size)]).await?;
        Ok(roots.first().copied().unwrap_or_else(super::empty_root))
    }

    /// The path from the event at `position` to the root of the first `size` leaves, lowest first.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] when the tree is smaller or the event lies outside of it.
    pub async fn inclusion(
        &self,
        store: &dyn EventStore,
        position: Position,
        size: u64,
    ) -> Result<Vec<Hash>, TreeError> {
        if position == Position::START || position.number() > size || size > self.size() {
            return Err(TreeError::Beyond(self.size()));
        }
        self.nodes(store, &inclusion_ranges(position.number() - 1, size)).await
    }

    /// What proves the tree of `old` leaves to be the beginning of that of `new`. Empty from 0 and between equals.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] when the tree is smaller or `old` is above `new`.
    pub async fn consistency(&self, store: &dyn EventStore, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        if old > new || new > self.size() {
            return Err(TreeError::Beyond(self.size()));
        }
        self.nodes(store, &consistency_ranges(old, new)).await
    }

    /// The tile roots as bytes, to be loaded at the next start.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        MAGIC.iter().copied().chain(self.tiles.iter().flat_map(|tile| tile.0)).collect()
    }

    /// Reads what [`Tree::to_bytes`] wrote. `None` when it is something else.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, odd) = bytes.strip_prefix(MAGIC)?.as_chunks::<32>();
        odd.is_empty().then(|| Tree { tiles: hashes.iter().copied().map(Hash).collect(), rest: Vec::new() })
    }

    async fn nodes(&self, store: &dyn EventStore, ranges: &[Range]) -> Result<Vec<Hash>, TreeError> {
        let mut opened = BTreeMap::new();
        for (from, to) in ranges.iter().copied() {
            if to > self.size() {
                return Err(TreeError::Beyond(self.size()));
            }
            // A range that begins or ends inside a tile needs the leaves of that tile.
            for edge in [from, to].into_iter().filter(|edge| edge % TILE != 0) {
                if let Entry::Vacant(place) = opened.entry(edge / TILE) {
                    place.insert(self.open(store, edge / TILE).await?);
                }
            }
        }
        Ok(ranges.iter().map(|range| self.node(*range, &opened)).collect())
    }

    async fn open(&self, store: &dyn EventStore, tile: u64) -> Result<Vec<Hash>, TreeError> {
        if tile == self.tiles.len() as u64 {
            return Ok(self.rest.clone());
        }
        leaves(store, tile * TILE, usize::try_from(TILE).unwrap_or(usize::MAX)).await
    }

    /// The root over a range. A node of the tree lies inside one tile, or begins at the edge of one.
    fn node(&self, (from, to): Range, opened: &BTreeMap<u64, Vec<Hash>>) -> Hash {
        let leaves_of = |tile: u64, from: u64, to: u64| {
            let leaves = opened.get(&tile).map(Vec::as_slice).unwrap_or_default();
            slice(leaves, from, to).iter().copied()
        };
        let (tile, start) = (from / TILE, from % TILE);
        if start != 0 || to - from < TILE {
            return root_of(leaves_of(tile, start, start + (to - from)));
        }
        let (whole, part) = (root_tiles(slice(&self.tiles, tile, to / TILE)), to % TILE);
        if part == 0 {
            return whole.root();
        }
        whole.root_with(root_of(leaves_of(to / TILE, 0, part)))
    }
}

/// The right edge over tile roots: the same shape as over leaves, only higher up.
struct Tiles(super::Compact);

fn root_tiles(tiles: &[Hash]) -> Tiles {
    let mut compact = super::Compact::new();
    tiles.iter().for_each(|tile| compact.push(*tile));
    Tiles(compact)
}

impl Tiles {
    fn root(&self) -> Hash {
        self.0.root()
    }

    /// The root with one smaller subtree at the right.
    fn root_with(self, last: Hash) -> Hash {
        self.0.peaks.iter().rev().fold(last, |right, left| super::node_hash(*left, right))
    }
}

fn slice(hashes: &[Hash], from: u64, to: u64) -> &[Hash] {
    let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    hashes.get(place(from)..place(to)).unwrap_or_default()
}

/// The leaf hashes of `count` events after the first `after`.
async fn leaves(store: &dyn EventStore, after: u64, count: usize) -> Result<Vec<Hash>, TreeError> {
    let mut place = Position::new(after);
    let records = store.read(place, count).await?;
    let mut leaves = Vec::with_capacity(records.len());
    for record in records {
        place = place.next();
        if record.position != place {
            return Err(TreeError::Missing(place));
        }
        leaves.push(leaf_hash(&record.bytes));
    }
    if leaves.is_empty() && count > 0 { Err(TreeError::Missing(place.next())) } else { Ok(leaves) }
}
