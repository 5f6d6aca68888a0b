//! The tile roots of a tree in a file, so that a start does not hash the whole log.
//!
//! A cache, and no evidence: the file is HMAC-SHA-256 of the rest, the chain hash of the log where the last tile ends,
//! and the tile roots. That hash stands for every event before it, so a file of another log is noticed by reading one
//! row; a damaged or foreign file, or one that was not written with the key, is passed over and the log is hashed
//! instead. Who has the key can sign heads as well, so a root from here is worth as much as a signature. What was changed
//! in the log behind its back is for `verify` to find, which hashes every row.

use std::io;
use std::path::Path;

use flexledger_domain::Position;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Tree;
use crate::hash::Hash;
use crate::port::EventStore;

const HASH: usize = 32;

/// The tree in the file, if it is one of this log; else one without leaves.
pub async fn load(path: &Path, key: &[u8; 32], store: &dyn EventStore) -> Tree {
    match read(path, key) {
        Ok((tree, hash)) if hash_at(store, tree.tiled()).await == Some(hash) => tree,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Tree::new(),
        Ok(_) => unused("it is of another log"),
        Err(error) => unused(&error.to_string()),
    }
}

/// Writes the complete tiles of a tree. A crash leaves the old file, the new one, or one that is passed over.
///
/// # Errors
/// When the file cannot be written, or the log cannot be read.
pub async fn save(path: &Path, key: &[u8; 32], tree: &Tree, store: &dyn EventStore) -> io::Result<()> {
    let hash = hash_at(store, tree.tiled()).await.ok_or_else(|| io::Error::other("the log cannot be read"))?;
    let content = [hash.0.as_slice(), &tree.to_bytes()].concat();
    let bytes = [mac(key, &content)?.finalize().into_bytes().as_slice(), &content].concat();
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, bytes)?;
    std::fs::rename(&fresh, path)
}

fn unused(why: &str) -> Tree {
    tracing::warn!(why, "merkle.tiles_unused: the log is hashed instead");
    Tree::new()
}

fn mac(key: &[u8; 32], content: &[u8]) -> io::Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(io::Error::other)?;
    mac.update(content);
    Ok(mac)
}

fn read(path: &Path, key: &[u8; 32]) -> io::Result<(Tree, Hash)> {
    let bytes = std::fs::read(path)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
    let (code, content) = bytes.split_at_checked(HASH).ok_or_else(damaged)?;
    mac(key, content)?.verify_slice(code).map_err(|_| damaged())?;
    let (hash, tiles) = content.split_first_chunk::<HASH>().ok_or_else(damaged)?;
    Ok((Tree::from_bytes(tiles).ok_or_else(damaged)?, Hash(*hash)))
}

/// The chain hash of the log at a position.
async fn hash_at(store: &dyn EventStore, position: Position) -> Option<Hash> {
    if position == Position::START {
        return Some(Hash::default());
    }
    let read = store.read(position.previous(), 1).await.ok()?;
    read.first().filter(|record| record.position == position).map(|record| record.hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Head, MemoryStore, contract};

    const KEY: [u8; 32] = [7; 32];

    async fn log(name: &str, size: u64) -> MemoryStore {
        let store = MemoryStore::new();
        let bodies = (1..=size).map(|number| format!("{{\"{name}\":{number}}}").into_bytes());
        let records = contract::chain(Head::default(), bodies);
        store.append(Position::START, Batch { records, keys: Vec::new() }).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_saved_tree_goes_on_where_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree.tiles");
        let store = log("n", 1000).await;
        let mut tree = Tree::new();
        tree.follow(&store, Position::new(700), 100).await.unwrap();
        save(&path, &KEY, &tree, &store).await.unwrap();
        let mut again = load(&path, &KEY, &store).await;
        assert_eq!(again.size(), 512, "the complete tiles");
        tree.follow(&store, Position::new(1000), 100).await.unwrap();
        again.follow(&store, Position::new(1000), 100).await.unwrap();
        assert_eq!(again, tree);
        for size in [1, 255, 512, 513, 1000] {
            assert_eq!(again.root(&store, size).await.unwrap(), tree.root(&store, size).await.unwrap());
        }
    }

    #[tokio::test]
    async fn what_is_not_of_this_log_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree.tiles");
        let store = log("n", 600).await;
        assert_eq!(load(&path, &KEY, &store).await, Tree::new(), "there is none");
        let mut tree = Tree::new();
        tree.follow(&store, Position::new(600), 100).await.unwrap();
        save(&path, &KEY, &tree, &store).await.unwrap();
        assert_eq!(load(&path, &KEY, &log("other", 600).await).await, Tree::new());
        assert_eq!(load(&path, &KEY, &log("n", 500).await).await, Tree::new(), "the log is shorter");
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(load(&path, &KEY, &store).await, Tree::new(), "byte {at}");
        }
        std::fs::write(&path, &sound).unwrap();
        assert_eq!(load(&path, &[8; 32], &store).await, Tree::new(), "somebody else wrote it");
        for length in [0, 31, 40, sound.len() - 1] {
            std::fs::write(&path, &sound[..length]).unwrap();
            assert_eq!(load(&path, &KEY, &store).await, Tree::new(), "{length} bytes");
        }
        std::fs::write(&path, &sound).unwrap();
        assert_eq!(load(&path, &KEY, &store).await.size(), 512);
    }
}
