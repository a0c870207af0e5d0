//! What logs tell. One noun a file; the shapes are those of `docs/formats/trail-records.md`.

mod activity;
mod key_reconciliations;
mod trail_checks;

use cadastre_model::inventory::Inventory;

use crate::reader::Reader;

/// Reads what trails and ledgers show into an inventory.
pub(crate) fn read(reader: &mut Reader<'_>, inventory: &mut Inventory) {
    inventory.trail_checks = trail_checks::read(reader);
    inventory.activity = activity::read(reader);
    inventory.key_reconciliations = key_reconciliations::read(reader);
}
