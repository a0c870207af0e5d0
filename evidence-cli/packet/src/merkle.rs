//! The Merkle tree of RFC 6962 §2.1 over leaf hashes, with audit paths (§2.1.1).

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// Below this many nodes a level is hashed on one thread.
const PARALLEL_FROM: usize = 4_096;

/// A tree whose every level is kept, leaves first.
#[derive(Debug, Clone)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
}

/// The hash of an inner node.
pub(crate) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

impl Tree {
    /// Builds the tree over leaf hashes in the order given.
    #[must_use]
    pub fn new(leaves: Vec<Digest>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let parent = |pair: &[Digest]| match pair {
                [left, right] => node_hash(left, right),
                [single, ..] => *single,
                [] => Digest::of(b""),
            };
            let above = if level.len() < PARALLEL_FROM {
                level.chunks(2).map(parent).collect()
            } else {
                level.par_chunks(2).map(parent).collect()
            };
            levels.push(above);
        }
        Self { levels }
    }

    /// The root; that of no leaves is the hash of the empty string.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_else(|| Digest::of(b""))
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// The audit path of a leaf, from the leaf to the root; `None` for a leaf that does not exist.
    #[must_use]
    pub fn proof(&self, leaf: usize) -> Option<Vec<Digest>> {
        if leaf >= self.size() {
            return None;
        }
        let mut path = Vec::new();
        let mut index = leaf;
        for level in &self.levels {
            // A node without a sibling moves up as it is, and adds nothing to the path.
            if let Some(sibling) = level.get(index ^ 1) {
                path.push(*sibling);
            }
            index >>= 1;
        }
        Some(path)
    }
}

/// The root that an audit path leads to, or `None` when the path does not fit a tree of `size` leaves.
#[must_use]
pub fn root_of_proof(leaf: usize, size: usize, hash: Digest, path: &[Digest]) -> Option<Digest> {
    if leaf >= size {
        return None;
    }
    let (mut index, mut last) = (leaf, size - 1);
    let mut hash = hash;
    let mut path = path.iter();
    while last > 0 {
        if index & 1 == 1 {
            hash = node_hash(path.next()?, &hash);
        } else if index < last {
            hash = node_hash(&hash, path.next()?);
        }
        index >>= 1;
        last >>= 1;
    }
    path.next().is_none().then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaf_hash(bytes: &[u8]) -> Digest {
        Digest(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
    }

    /// Leaves and roots of the test vectors that accompany Certificate Transparency's reference log.
    #[test]
    fn roots_agree_with_certificate_transparencys_vectors() {
        let leaves: Vec<Digest> = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|text| leaf_hash(&hex::decode(text).unwrap()))
        .collect();
        let root_of = |n: usize| Tree::new(leaves[..n].to_vec()).root().to_string();
        assert_eq!(root_of(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root_of(3), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
        assert_eq!(root_of(6), "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef");
        assert_eq!(root_of(8), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    proptest! {
        #[test]
        fn every_leaf_has_a_proof_and_only_for_its_place(size in 1_usize..300, pick in any::<prop::sample::Index>()) {
            let leaves: Vec<Digest> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let tree = Tree::new(leaves.clone());
            let leaf = pick.index(size);
            let path = tree.proof(leaf).unwrap();
            prop_assert_eq!(root_of_proof(leaf, size, leaves[leaf], &path), Some(tree.root()));
            prop_assert_ne!(root_of_proof(leaf, size, leaf_hash(b"other"), &path), Some(tree.root()));
            if size > 1 {
                prop_assert_ne!(root_of_proof((leaf + 1) % size, size, leaves[leaf], &path), Some(tree.root()));
                prop_assert_eq!(root_of_proof(leaf, size, leaves[leaf], &path[1..]), None);
            }
            prop_assert!(tree.proof(size).is_none());
        }
    }
}
