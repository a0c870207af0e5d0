//! The evidence appendix: every cited record, with the places that statements rest on.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::RecordId;
use cadastre_model::evidence::Evidence;
use cadastre_model::record::Record;
use serde::Serialize;
use serde_json::Value;

use crate::text::head;
use crate::words;

/// How much of all records together is shown, in bytes; of those beyond it a line each.
const WHOLE: usize = 400 << 10;
/// How much of a response is shown, in bytes.
const RESPONSE: usize = 4 << 10;
/// How much of one cited place is shown, in bytes.
const PLACE: usize = 2 << 10;
/// How many cited places of one record are shown.
const PLACES: usize = 40;
/// How much of a request is shown, in bytes.
const REQUEST: usize = 1 << 10;

/// A cited record.
#[derive(Debug, Serialize)]
pub(crate) struct Cited {
    short: String,
    id: String,
    /// Absent when the evidence has no such record.
    record: Option<Shown>,
}

#[derive(Debug, Serialize)]
struct Shown {
    collector: String,
    operation: String,
    scope: String,
    subject: String,
    caller: String,
    observed_at: String,
    outcome: &'static str,
    problem: String,
    page: String,
    request: Excerpt,
    response: Excerpt,
    places: Vec<Place>,
    more_places: usize,
    /// Whether what follows from the request on is shown at all.
    content: bool,
}

impl Shown {
    fn size(&self) -> usize {
        let places: usize = self.places.iter().map(|place| place.excerpt.text.len()).sum();
        self.request.text.len() + self.response.text.len() + places
    }

    /// Leaves the content to the evidence directory.
    fn leave_out(&mut self) {
        self.request = Excerpt::default();
        self.response = Excerpt::default();
        self.places.clear();
        self.content = false;
    }
}

/// A place in the record that a statement points at.
#[derive(Debug, Serialize)]
struct Place {
    pointer: String,
    excerpt: Excerpt,
}

/// Pretty JSON, cut.
#[derive(Debug, Default, Serialize)]
struct Excerpt {
    text: String,
    /// Full size in bytes, where it was cut.
    cut_from: Option<usize>,
}

/// The cited records, in the order of the evidence.
pub(crate) fn build(evidence: &Evidence, cited: BTreeMap<RecordId, BTreeSet<String>>) -> Vec<Cited> {
    let mut rest = cited;
    let mut left = WHOLE;
    let mut appendix: Vec<Cited> = evidence
        .records()
        .iter()
        .filter_map(|record| {
            let (id, pointers) = rest.remove_entry(record.id())?;
            let mut shown = show(record, pointers);
            match left.checked_sub(shown.size()) {
                Some(rest) => left = rest,
                None => shown.leave_out(),
            }
            Some(Cited { short: id.short().to_owned(), id: id.to_string(), record: Some(shown) })
        })
        .collect();
    appendix.extend(rest.into_keys().map(|id| Cited {
        short: id.short().to_owned(),
        id: id.to_string(),
        record: None,
    }));
    appendix
}

fn show(record: &Record, pointers: BTreeSet<String>) -> Shown {
    let places: Vec<Place> = pointers
        .into_iter()
        .filter_map(|pointer| {
            let value = resolve(record, &pointer)?;
            Some(Place { excerpt: excerpt(value, PLACE), pointer })
        })
        .collect();
    let more_places = places.len().saturating_sub(PLACES);
    let page = if record.page.number == 1 && record.page.last {
        String::new()
    } else if record.page.last {
        format!("page {}, the last", record.page.number)
    } else {
        format!("page {}", record.page.number)
    };
    Shown {
        collector: record.collector.clone(),
        operation: record.operation.clone(),
        scope: record.scope.to_string(),
        subject: record.subject.clone(),
        caller: record.caller.clone(),
        observed_at: record.observed_at.to_string(),
        outcome: words::outcome(record.outcome),
        problem: record
            .problem
            .as_ref()
            .map(|problem| format!("{}: {}", problem.code, problem.message))
            .unwrap_or_default(),
        page,
        request: excerpt(&record.request, REQUEST),
        response: excerpt(&record.response, RESPONSE),
        places: places.into_iter().take(PLACES).collect(),
        more_places,
        content: true,
    }
}

/// The value at a pointer into the record, unless it is the whole of the response.
fn resolve<'a>(record: &'a Record, pointer: &str) -> Option<&'a Value> {
    let (root, rest) = if let Some(rest) = pointer.strip_prefix("/response") {
        (&record.response, rest)
    } else {
        (&record.request, pointer.strip_prefix("/request")?)
    };
    if rest.is_empty() { None } else { root.pointer(rest) }
}

fn excerpt(value: &Value, limit: usize) -> Excerpt {
    if matches!(value, Value::Null) || value.as_object().is_some_and(serde_json::Map::is_empty) {
        return Excerpt::default();
    }
    // A value that was parsed from JSON can be written as JSON.
    let full = serde_json::to_string_pretty(value).unwrap_or_default();
    let shown = head(&full, limit);
    Excerpt { cut_from: (shown.len() < full.len()).then_some(full.len()), text: shown.to_owned() }
}
