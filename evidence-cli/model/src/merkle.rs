//! The Merkle tree hash of RFC 6962 §2.1, over record ids.

use sha2::{Digest, Sha256};

/// The root over `leaves` in the order given, as 64 hexadecimal digits. The empty list has the root of
/// the empty string, as the RFC says.
#[must_use]
pub fn root<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut level: Vec<[u8; 32]> = leaves.into_iter().map(leaf_hash).collect();
    if level.is_empty() {
        return hex::encode(Sha256::digest([]));
    }
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                [single] => *single,
                _ => [0; 32],
            })
            .collect();
    }
    level.first().map(hex::encode).unwrap_or_default()
}

fn leaf_hash(leaf: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves and roots of the test vectors that accompany Certificate Transparency's reference log.
    #[test]
    fn roots_agree_with_certificate_transparencys_vectors() {
        let leaves: Vec<Vec<u8>> = ["", "00", "10", "2021", "3031", "40414243"]
            .iter()
            .map(|text| hex::decode(text).unwrap())
            .collect();
        let root_of = |n: usize| root(leaves.iter().take(n).map(Vec::as_slice));
        assert_eq!(root_of(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root_of(1), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(root_of(2), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(root_of(3), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
        assert_eq!(root_of(6), "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef");
    }

    #[test]
    fn reordering_leaves_changes_the_root() {
        assert_ne!(root([b"a".as_slice(), b"b"]), root([b"b".as_slice(), b"a"]));
    }
}
