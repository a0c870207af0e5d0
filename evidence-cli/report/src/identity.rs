//! Identifiers that stay the same between scans, so that alerts and assessments neither vanish nor flap.

use cadastre_model::checklist::{Checklist, ControlResult, Finding};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The namespace of every name-based UUID in an export (RFC 9562 §5.5); drawn once, never to be changed.
const NAMESPACE: Uuid = Uuid::from_u128(0x4d0c_9a53_6c1f_4f0e_9d3b_2e7a_51c8_b6f4);

/// Control, subject and verdict: what stays the same while a finding's wording or evidence changes.
pub(crate) fn fingerprint(control: &ControlResult, finding: &Finding) -> String {
    let digest = Sha256::digest(format!("{}\n{}\n{}", control.id, finding.subject, finding.verdict.name()));
    hex::encode(digest)
}

/// A name-based UUID (version 5) for something of the kind `kind` that `parts` name together.
pub(crate) fn uuid(kind: &str, parts: &[&str]) -> String {
    let mut name = kind.as_bytes().to_vec();
    for part in parts {
        // Lengths keep ("a", "bc") apart from ("ab", "c").
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name).to_string()
}

/// The same for something in an export of one assessment: the same boundary, evidence and time give the same.
pub(crate) fn uuid_in(checklist: &Checklist, kind: &str, parts: &[&str]) -> String {
    let as_of = checklist.as_of.to_string();
    let mut all = vec![checklist.boundary.as_str(), checklist.evidence_root.as_str(), as_of.as_str()];
    all.extend_from_slice(parts);
    uuid(kind, &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_by_kind_and_by_where_their_parts_end() {
        assert_eq!(uuid("finding", &["a", "bc"]), uuid("finding", &["a", "bc"]));
        assert_ne!(uuid("finding", &["a", "bc"]), uuid("finding", &["ab", "c"]));
        assert_ne!(uuid("finding", &["a"]), uuid("risk", &["a"]));
    }
}
