//! What was granted against what was used, what vendors did, and which key uses are explained.

use std::collections::BTreeMap;

use cadastre_model::asset::activity::KeyReconciliation;
use cadastre_model::usage::{Usage as Row, UsageState, VendorAct};
use serde::Serialize;

use crate::citations::{Citations, Link};
use crate::input::ReportInput;
use crate::words;

/// How many rows of one kind are listed.
const LISTED: usize = 100;

/// The section.
#[derive(Debug, Serialize)]
pub(crate) struct Usage {
    observed: bool,
    since: String,
    until: String,
    trails: Vec<Trail>,
    /// Granted against used, what speaks against somebody first.
    rows: Vec<Shown>,
    more_rows: usize,
    /// Why no trail would show a use, and of how many permissions.
    blind: Vec<(String, usize)>,
    /// What vendors did, the unexplained first.
    acts: Vec<Act>,
    more_acts: usize,
    ledgers: Vec<Ledger>,
}

#[derive(Debug, Serialize)]
struct Trail {
    id: String,
    state: &'static str,
    from: Option<String>,
    to: Option<String>,
    events: u64,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Shown {
    principal: String,
    capability: &'static str,
    target: String,
    state: &'static str,
    actions: String,
    count: u64,
    last: Option<String>,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Act {
    vendor: String,
    principal: String,
    action: String,
    function: Option<String>,
    error: Option<String>,
    count: u64,
    last: String,
    evidence: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Ledger {
    keys: Vec<String>,
    matched: u64,
    unexplained: usize,
    attempts: usize,
    unseen: usize,
    broken: usize,
    evidence: Vec<Link>,
}

/// Builds the section from what logs say.
pub(crate) fn build(input: &ReportInput<'_>, citations: &mut Citations) -> Usage {
    let mut rows: Vec<&Row> =
        input.usage.rows.iter().filter(|row| row.state != UsageState::Unobserved).collect();
    rows.sort_by_key(|row| rank(row.state));
    let mut blind: BTreeMap<&str, usize> = BTreeMap::new();
    for why in input.usage.rows.iter().filter_map(|row| row.blind.as_deref()) {
        *blind.entry(why).or_default() += 1;
    }
    let mut acts: Vec<&VendorAct> = input.usage.vendors.iter().collect();
    acts.sort_by_key(|act| act.function.is_some());
    let time = |time: Option<cadastre_model::Timestamp>| time.map(|time| time.to_string());
    Usage {
        observed: input.usage.observed,
        since: time(input.usage.since).unwrap_or_default(),
        until: time(input.usage.until).unwrap_or_default(),
        trails: input
            .inventory
            .trail_checks
            .iter()
            .map(|check| Trail {
                id: check.id.clone(),
                state: match (check.valid, check.wrong) {
                    (true, _) => "whole",
                    (false, true) => "damaged",
                    (false, false) => "not proven",
                },
                from: time(check.from),
                to: time(check.to),
                events: check.events,
                evidence: citations.records(&check.evidence),
            })
            .collect(),
        more_rows: rows.len().saturating_sub(LISTED),
        rows: rows.into_iter().take(LISTED).map(|row| shown(row, citations)).collect(),
        blind: blind.into_iter().map(|(why, count)| (why.to_owned(), count)).collect(),
        more_acts: acts.len().saturating_sub(LISTED),
        acts: acts.into_iter().take(LISTED).map(|act| told(act, citations)).collect(),
        ledgers: input.inventory.key_reconciliations.iter().map(|one| ledger(one, citations)).collect(),
    }
}

/// What is told first.
const fn rank(state: UsageState) -> u8 {
    match state {
        UsageState::NotGranted => 0,
        UsageState::Unused => 1,
        UsageState::Used => 2,
        UsageState::Unobserved => 3,
    }
}

fn shown(row: &Row, citations: &mut Citations) -> Shown {
    let actions: Vec<&str> = match row.used.is_empty() {
        true => row.granted.iter().map(String::as_str).collect(),
        false => row.used.keys().map(String::as_str).collect(),
    };
    Shown {
        principal: row.principal.clone(),
        capability: words::capability(row.capability),
        target: row.target.clone(),
        state: row.state.name(),
        actions: actions.join(", "),
        count: row.count(),
        last: row.last.map(|last| last.to_string()),
        evidence: citations.records(&row.evidence),
    }
}

fn told(act: &VendorAct, citations: &mut Citations) -> Act {
    Act {
        vendor: act.vendor.clone(),
        principal: act.principal.clone(),
        action: act.action.clone(),
        function: act.function.clone(),
        error: act.error.clone(),
        count: act.count,
        last: act.last.to_string(),
        evidence: citations.records(&act.evidence),
    }
}

fn ledger(one: &KeyReconciliation, citations: &mut Citations) -> Ledger {
    Ledger {
        keys: one.keys.iter().cloned().collect(),
        matched: one.matched,
        unexplained: one.unexplained.len(),
        attempts: one.attempts.len(),
        unseen: one.unseen.len(),
        broken: one.broken.len(),
        evidence: citations.records(&one.evidence),
    }
}
