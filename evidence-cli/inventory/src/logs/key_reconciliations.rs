//! Key uses against components' own records.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::activity::{KeyReconciliation, LoneKeyUse};

use crate::answers::Answer;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every reconciliation.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<KeyReconciliation> {
    let answers = reader.answers;
    let pages = answers.of("ledger:ReconcileKeyUses").filter_map(Answer::latest);
    let items = pages.flat_map(|series| series.pages.iter().map(|record| Node::response(record))).collect();
    reader.assets_from(items, |_, node| reconciliation(node))
}

fn reconciliation(node: &Node<'_>) -> Read<Option<KeyReconciliation>> {
    Ok(Some(KeyReconciliation {
        id: node.record.subject.clone(),
        keys: node.texts("Keys")?.into_iter().collect(),
        matched: node.count("Matched")?,
        unexplained: alone(node, "Unexplained")?,
        attempts: alone(node, "Attempts")?,
        unseen: alone(node, "Unseen")?,
        broken: node.texts("LedgerBroken")?,
        incomplete: node.texts("Incomplete")?,
        ledger_from: node.optional_time("LedgerFrom")?,
        ledger_to: node.optional_time("LedgerTo")?,
        evidence: EvidenceIds::new(),
    }))
}

fn alone(node: &Node<'_>, list: &str) -> Read<Vec<LoneKeyUse>> {
    let one = |node: &Node<'_>| {
        Ok(LoneKeyUse {
            time: node.time("Time")?,
            operation: node.owned_text("Operation")?,
            key: node.owned_text("Key")?,
            principal: node.optional_owned_text("Principal")?,
            via: node.optional_owned_text("Via")?,
            reference: node.owned_text("Reference")?,
            reason: node.owned_text("Reason")?,
        })
    };
    node.list(list)?.iter().map(one).collect()
}
