//! Whether a trail's files are whole.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::activity::TrailCheck;

use crate::answers::Answer;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads the newest check of each account and region.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<TrailCheck> {
    let answers = reader.answers;
    let pages = answers.of("trail:VerifyFiles").filter_map(Answer::latest);
    let items = pages.flat_map(|series| series.pages.iter().map(|record| Node::response(record))).collect();
    reader.assets_from(items, |_, node| check(node))
}

fn check(node: &Node<'_>) -> Read<Option<TrailCheck>> {
    let (account, region) = (node.account()?, node.region()?);
    Ok(Some(TrailCheck {
        id: format!("{account}/{region}"),
        account: account.to_owned(),
        region: region.to_owned(),
        trails: node.texts("Trails")?.into_iter().collect(),
        valid: node.boolean("Valid")?,
        wrong: node.boolean("Wrong")?,
        from: node.optional_time("From")?,
        to: node.optional_time("To")?,
        events: node.count("Events")?,
        refused: node.count("Refused")?,
        problems: node.texts("Problems")?,
        evidence: EvidenceIds::new(),
    }))
}
