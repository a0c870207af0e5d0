//! Who did what, as trails show it.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::activity::Activity;

use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every row, by account, region and place in the evidence.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Activity> {
    let rows = reader.items("trail:ListActivity", "Rows");
    let mut read: Vec<Activity> = Vec::with_capacity(rows.len());
    for node in rows {
        match row(&node) {
            Ok(row) => read.push(row),
            Err(defect) => {
                reader.reject(defect);
            }
        }
    }
    read
}

fn row(node: &Node<'_>) -> Read<Activity> {
    Ok(Activity {
        account: node.account()?.to_owned(),
        region: node.region()?.to_owned(),
        principal: node.owned_text("Principal")?,
        principal_account: node.optional_owned_text("Account")?,
        action: node.owned_text("Action")?,
        names: node.texts("Names")?,
        source: node.optional_owned_text("Source")?,
        error: node.optional_owned_text("Error")?,
        count: node.count("Count")?,
        first: node.time("First")?,
        last: node.time("Last")?,
        events: node.texts("Events")?,
        evidence: EvidenceIds::from([node.record.id().clone()]),
    })
}
