use std::sync::Arc;

use flexledger_domain::Position;
use proptest::prelude::*;

use super::*;
use crate::hash::leaf_hash;
use crate::{Batch, EventStore, MemoryStore, contract};

/// The definition of RFC 6962 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(naive_root(left), naive_root(right))
        }
    }
}

fn naive_split(size: usize) -> usize {
    (0..).map(|n| 1 << n).take_while(|k| *k < size).last().unwrap()
}

fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = naive_split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) =
        if m < k { (naive_path(m, left), naive_root(right)) } else { (naive_path(m - k, right), naive_root(left)) };
    path.push(other);
    path
}

fn naive_proof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = naive_split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if m <= k {
        (naive_proof(m, left, whole), naive_root(right))
    } else {
        (naive_proof(m - k, right, false), naive_root(left))
    };
    proof.push(other);
    proof
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The vectors of the certificate-transparency reference implementation.
#[test]
fn known_roots() {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    assert_eq!(empty_root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let mut compact = Compact::new();
    for (leaf, root) in leaves.iter().zip(roots) {
        compact.push(leaf_hash(&hex(leaf)));
        assert_eq!(compact.root().to_string(), root);
    }
    let leaves: Vec<_> = leaves.iter().map(|leaf| leaf_hash(&hex(leaf))).collect();
    let path: Vec<_> =
        inclusion_ranges(0, 8).into_iter().map(|(a, b)| naive_root(&leaves[a as usize..b as usize])).collect();
    let known = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(path.iter().map(ToString::to_string).collect::<Vec<_>>(), known);
}

async fn log(size: u64) -> (Arc<MemoryStore>, Vec<Hash>, Tree) {
    let store = Arc::new(MemoryStore::new());
    let records = contract::records(Position::START, size);
    let leaves: Vec<_> = records.iter().map(|record| leaf_hash(&record.bytes)).collect();
    store.append(Position::START, Batch { records, keys: Vec::new() }).await.unwrap();
    let mut tree = Tree::new();
    tree.follow(store.as_ref(), Position::new(size), 100).await.unwrap();
    (store, leaves, tree)
}

async fn check(store: &MemoryStore, leaves: &[Hash], tree: &Tree, old: u64, new: u64) {
    let (old_leaves, new_leaves) = (&leaves[..old as usize], &leaves[..new as usize]);
    let (old_root, new_root) = (naive_root(old_leaves), naive_root(new_leaves));
    assert_eq!(tree.root(store, new).await.unwrap(), new_root);
    let proof = tree.consistency(store, old, new).await.unwrap();
    assert!(verify_consistency(old, new, old_root, new_root, &proof), "{old} {new}");
    if old < new {
        if old > 0 {
            assert_eq!(proof, naive_proof(old as usize, new_leaves, true), "{old} {new}");
            assert!(!verify_consistency(old, new, new_root, new_root, &proof));
        }
        let path = tree.inclusion(store, Position::new(old + 1), new).await.unwrap();
        assert_eq!(path, naive_path(old as usize, new_leaves), "{old} {new}");
        let leaf = leaves[old as usize];
        assert!(verify_inclusion(leaf, old, new, &path, new_root));
        assert!(!verify_inclusion(node_hash(leaf, leaf), old, new, &path, new_root));
        assert!(!verify_inclusion(leaf, old + 1, new, &path, new_root) || new == 1);
        let mut longer = path.clone();
        longer.push(leaf);
        assert!(!verify_inclusion(leaf, old, new, &longer, new_root));
    }
}

#[tokio::test]
async fn small_trees_are_those_of_the_definition() {
    let (store, leaves, tree) = log(40).await;
    for new in 0..=40 {
        for old in 0..=new {
            check(&store, &leaves, &tree, old, new).await;
        }
    }
}

#[tokio::test]
async fn trees_over_several_tiles_are_those_of_the_definition() {
    let (store, leaves, tree) = log(2100).await;
    let edges =
        [1, 255, 256, 257, 511, 512, 513, 768, 1000, 1023, 1024, 1025, 1536, 1537, 2047, 2048, 2049, 2099, 2100];
    for new in edges {
        for old in edges.into_iter().filter(|old| *old <= new) {
            check(&store, &leaves, &tree, old, new).await;
        }
    }
    let loaded = Tree::from_bytes(&tree.to_bytes()).unwrap();
    assert_eq!(loaded.size(), 2048);
    let mut loaded = loaded;
    loaded.follow(store.as_ref(), Position::new(2100), 7).await.unwrap();
    assert_eq!(loaded, tree);
    assert!(Tree::from_bytes(b"something else").is_none());
}

#[tokio::test]
async fn what_lies_beyond_the_log_is_an_error() {
    let (store, _, mut tree) = log(10).await;
    let store = store.as_ref();
    assert!(matches!(tree.root(store, 11).await, Err(TreeError::Beyond(10))));
    assert!(matches!(tree.inclusion(store, Position::new(11), 10).await, Err(TreeError::Beyond(10))));
    assert!(matches!(tree.inclusion(store, Position::START, 10).await, Err(TreeError::Beyond(10))));
    assert!(matches!(tree.consistency(store, 5, 11).await, Err(TreeError::Beyond(10))));
    assert!(matches!(tree.consistency(store, 6, 5).await, Err(TreeError::Beyond(10))));
    let missing = tree.follow(store, Position::new(11), 100).await;
    assert!(matches!(missing, Err(TreeError::Missing(at)) if at == Position::new(11)));
}

proptest! {
    /// A proof with any one hash changed, or for other sizes, does not pass.
    #[test]
    fn damaged_proofs_fail(size in 2..200_u64, at: prop::sample::Index, which: prop::sample::Index, bit in 0..256_usize) {
        let leaves: Vec<_> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let index = at.index(size as usize);
        let root = naive_root(&leaves);
        let mut path = naive_path(index, &leaves);
        prop_assert!(verify_inclusion(leaves[index], index as u64, size, &path, root));
        let damaged = which.index(path.len());
        path[damaged].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(leaves[index], index as u64, size, &path, root));
        let old = index as u64 + 1;
        if old < size {
            let old_root = naive_root(&leaves[..old as usize]);
            let mut proof = naive_proof(old as usize, &leaves, true);
            prop_assert!(verify_consistency(old, size, old_root, root, &proof));
            let damaged = which.index(proof.len());
            proof[damaged].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verify_consistency(old, size, old_root, root, &proof));
        }
    }
}

/// Golden vectors: the root at every position of the golden log. The file never changes.
#[test]
fn the_golden_roots_are_the_same() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/log/roots.txt");
    let log = include_str!("../../../fixtures/log/events.jsonl");
    let mut compact = Compact::new();
    let mut text = format!("0 {}\n", compact.root());
    for line in log.lines() {
        let record = crate::record::parse_line(line.as_bytes()).unwrap();
        compact.push(leaf_hash(&record.bytes));
        text += &format!("{} {}\n", record.position, compact.root());
    }
    if std::env::var_os("GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
