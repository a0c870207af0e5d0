//! The report as data, for a renderer that lays the pages out itself.

use serde::Serialize;
use serde_json::Value;

use crate::citations::Citations;
use crate::diagram;
use crate::error::ReportError;
use crate::input::ReportInput;
use crate::section::trails::Trails;
use crate::section::{
    appendix, coverage, decision, flows, frameworks, incidents, kafka, keys, paths, permissions, readiness,
    retention, runbooks, safeguards, usage, visibility,
};
use crate::text;

/// How much of one excerpt a printed page repeats, in bytes. The whole record lies in the evidence.
const EXCERPT: usize = 480;
/// How many cited places of one record are printed.
const PLACES: usize = 2;

/// The sections of the report as one JSON object, with the members that the templates under `report-templates/` know:
/// `name`, `decision`, `readiness`, `paths`, `permissions`, `safeguards`, `usage`, `flows`, `keys`, `kafka`, `retention`, `runbooks`,
/// `incidents`, `frameworks`, `visibility`, `coverage` and `appendix`. Every record that a statement cites has its entry in the appendix, under a `short` id that is unique.
///
/// Every string is inert: what would change how its neighbours are shown is named by its code point. Excerpts are cut
/// to what a page can carry, and say so.
///
/// # Errors
/// When a section cannot be written as JSON.
pub fn document(input: &ReportInput<'_>) -> Result<Value, ReportError> {
    let mut citations = Citations::default();
    let mut sections = serde_json::Map::new();
    let mut put = |name: &str, value: Result<Value, serde_json::Error>| {
        let mut value = value?;
        make_inert(&mut value);
        sections.insert(name.to_owned(), value);
        Ok::<(), ReportError>(())
    };
    put("name", to_value(&input.declaration.name))?;
    put("decision", to_value(&decision::build(input)))?;
    let boxes = diagram::embedded(input.graph).boxes;
    let paths = paths::build(input.graph, &boxes, &mut citations);
    let trails = Trails::new(input.graph, &boxes, &paths.told);
    put("readiness", to_value(&readiness::build(input.checklist, &trails, &mut citations)))?;
    put("paths", to_value(&paths))?;
    put("permissions", to_value(&permissions::build(input.access, input.graph, &mut citations)))?;
    put("safeguards", to_value(&safeguards::build(input.access, input.graph, &mut citations)))?;
    put("usage", to_value(&usage::build(input, &mut citations)))?;
    put("flows", to_value(&flows::build(input, &mut citations)))?;
    put("keys", to_value(&keys::build(input, &mut citations)))?;
    put("kafka", to_value(&kafka::build(input, &mut citations)))?;
    put("retention", to_value(&retention::build(input, &mut citations)))?;
    put("runbooks", to_value(&runbooks::build(input, &mut citations)))?;
    put("incidents", to_value(&incidents::build(input)))?;
    put("frameworks", to_value(&frameworks::build(input.frameworks)))?;
    put("visibility", to_value(&visibility::build(input)?))?;
    put("coverage", to_value(&coverage::build(input, &mut citations)))?;
    let mut cited = to_value(&appendix::build(input.evidence, citations.into_cited()))?;
    shorten(&mut cited);
    put("appendix", Ok(cited))?;
    Ok(Value::Object(sections))
}

fn to_value<T: Serialize>(section: &T) -> Result<Value, serde_json::Error> {
    serde_json::to_value(section)
}

/// Makes every string of a value inert; names of members are ours.
fn make_inert(value: &mut Value) {
    match value {
        Value::String(text) => *text = text::inert(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(make_inert),
        Value::Object(members) => members.values_mut().for_each(make_inert),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts excerpts. Where places are cited, the head of the whole response adds nothing.
fn shorten(appendix: &mut Value) {
    let entries = appendix.as_array_mut().into_iter().flatten();
    for record in entries.filter_map(|entry| entry.get_mut("record")).filter_map(Value::as_object_mut) {
        let mut dropped = 0;
        if let Some(places) = record.get_mut("places").and_then(Value::as_array_mut) {
            dropped = places.len().saturating_sub(PLACES);
            places.truncate(PLACES);
            places.iter_mut().filter_map(|place| place.get_mut("excerpt")).for_each(cut);
        }
        let more = record.get("more_places").and_then(Value::as_u64).unwrap_or_default();
        record.insert("more_places".to_owned(), Value::from(more.saturating_add(dropped as u64)));
        for name in ["request", "response"] {
            record.get_mut(name).into_iter().for_each(cut);
        }
    }
}

fn cut(excerpt: &mut Value) {
    let Some(full) = excerpt.get("text").and_then(Value::as_str) else { return };
    let length = full.len();
    let head = text::head(full, EXCERPT).to_owned();
    if head.len() < length {
        let from = excerpt.get("cut_from").and_then(Value::as_u64).unwrap_or(length as u64);
        *excerpt = serde_json::json!({"text": head, "cut_from": from});
    }
}
