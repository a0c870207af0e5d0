//! Evidence records in, typed assets out.
//!
//! [`build`] is a pure function of the records and the declaration: the order of the records does not
//! matter, nothing is asked of a network or a clock, and no answer is ever made up. A property whose
//! question was not asked, was refused, was cut short or cannot be read is [`Known::Unknown`]; what exactly
//! went wrong with a question stands in the [`Coverage`].
//!
//! [`Known::Unknown`]: cadastre_model::Known::Unknown

mod answers;
mod assets;
mod aws;
mod azure;
mod documents;
mod drills;
mod kafka;
mod logs;
mod node;
mod reader;

use cadastre_model::Record;
use cadastre_model::coverage::Coverage;
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;

use crate::answers::Answers;
use crate::reader::Reader;

/// Reads every asset that the records show, and says which questions were answered.
///
/// Accounts and clusters that the declaration names are part of the inventory even when no record speaks
/// of them: everything about them is then unknown.
#[must_use]
pub fn build(records: &[Record], declaration: &Declaration) -> (Inventory, Coverage) {
    let answers = Answers::new(records);
    let mut reader = Reader::new(&answers);
    let mut inventory = aws::read(&mut reader, declaration);
    inventory.azure = azure::read(&mut reader, declaration);
    inventory.clusters = kafka::read(&mut reader, declaration);
    logs::read(&mut reader, &mut inventory);
    inventory.documents = documents::read(&mut reader);
    inventory.drills = drills::read(&mut reader);
    let unreadable = reader.into_unreadable();
    let coverage = answers.coverage(&unreadable);
    inventory.unreadable = unreadable.into_iter().collect();
    (inventory, coverage)
}
