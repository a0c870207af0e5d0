//! Events that differ in nothing but their time, as the rows of records.

use std::collections::BTreeMap;

use cadastre_model::Observation;
use cadastre_model::Timestamp;
use cadastre_model::record::{Outcome, Page, Problem};
use serde_json::{Value, json};

use crate::events::Event;

/// How many rows of one account and region are kept.
const MAXIMUM: usize = 100_000;
/// How many events of a row are named.
const NAMED: usize = 3;
/// How many things one row names.
const NAMES: usize = 32;

/// What a row is told apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    principal: String,
    account: Option<String>,
    action: String,
    names: Vec<String>,
    source: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Clone)]
struct Row {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    events: Vec<String>,
}

/// The rows of one account and region.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    rows: BTreeMap<Key, Row>,
    events: u64,
    /// Events that did not fit.
    beyond: u64,
}

impl Rows {
    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn add(&mut self, event: &Event) {
        self.events = self.events.saturating_add(1);
        let key = Key {
            principal: event.identity.principal().to_owned(),
            account: event.identity.account.clone(),
            action: event.action(),
            names: names(event),
            source: event.identity.invoked_by.clone().or_else(|| event.source_address.clone()),
            error: event.error.clone(),
        };
        if self.rows.len() >= MAXIMUM && !self.rows.contains_key(&key) {
            self.beyond = self.beyond.saturating_add(1);
            return;
        }
        let row = self.rows.entry(key).or_insert_with(|| Row {
            count: 0,
            first: event.time,
            last: event.time,
            events: Vec::new(),
        });
        row.count = row.count.saturating_add(1);
        row.first = row.first.min(event.time);
        row.last = row.last.max(event.time);
        if row.events.len() < NAMED {
            row.events.push(event.id.clone());
        }
    }

    /// One observation for so many rows each, at least one; cut short where events did not fit.
    pub(super) fn pages(self, base: &Observation, size: usize) -> Vec<Observation> {
        let mut rows: Vec<Value> = self
            .rows
            .into_iter()
            .map(|(key, row)| {
                json!({
                    "Principal": key.principal, "Account": key.account, "Action": key.action, "Names": key.names,
                    "Source": key.source, "Error": key.error, "Count": row.count, "First": row.first,
                    "Last": row.last, "Events": row.events,
                })
            })
            .collect();
        let mut pages = Vec::new();
        let mut number = 0_u32;
        loop {
            let rest = rows.split_off(rows.len().min(size));
            let last = rest.is_empty();
            number = number.saturating_add(1);
            let mut page = base.clone();
            page.response = json!({"Rows": rows});
            page.page = Page { number, last };
            if last && self.beyond > 0 {
                page.outcome = Outcome::Truncated;
                page.problem = Some(Problem {
                    code: "too-many-rows".to_owned(),
                    message: format!("{} events did not fit into {MAXIMUM} rows", self.beyond),
                });
            }
            pages.push(page);
            if last {
                return pages;
            }
            rows = rest;
        }
    }
}

/// What an event is about. An object is told as its bucket: which objects there are is no affair of a review.
fn names(event: &Event) -> Vec<String> {
    const OBJECTS: &str = "arn:aws:s3:::";
    let mut names: Vec<String> = event
        .resources
        .iter()
        .chain(&event.names)
        .map(|name| match name.strip_prefix(OBJECTS).and_then(|path| path.split_once('/')) {
            Some((bucket, _)) => format!("{OBJECTS}{bucket}"),
            None => name.clone(),
        })
        .collect();
    names.sort();
    names.dedup();
    names.truncate(NAMES);
    names
}
