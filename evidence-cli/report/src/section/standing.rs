//! How a few controls stand, for sections that are about them: judged, or not examined.

use cadastre_model::checklist::Checklist;
use serde::Serialize;

use crate::words;

/// One control of the catalogue.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    pub(crate) id: String,
    title: String,
    /// The verdict's name, or nothing where the control was not examined.
    verdict: &'static str,
    pub(crate) label: &'static str,
}

/// The controls of a list, in its order.
pub(crate) fn of(checklist: &Checklist, ids: &[&str]) -> Vec<Standing> {
    ids.iter()
        .map(|id| {
            let control = checklist.controls.iter().find(|control| control.id == *id);
            Standing {
                id: (*id).to_owned(),
                title: control.map(|control| control.title.clone()).unwrap_or_default(),
                verdict: control.map_or("", |control| control.verdict.name()),
                label: control.map_or("not examined", |control| words::verdict(control.verdict)),
            }
        })
        .collect()
}
