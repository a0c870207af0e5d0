//! Every use of a key that the trail shows, against the broker's own record of its uses (KEY-07).
//!
//! The two are joined by the key service's id of the request. A use that the trail shows and the ledger does not is unexplained:
//! somebody else used the key. An entry that the trail should show and does not means that the trail is incomplete.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::activity::KEY_USES;
use super::event::Event;
use super::ledger::{KeyLedger, LedgerLine};
use super::read::{EventFiles, Refused};

/// One use of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyUse {
    /// When.
    pub time: Timestamp,
    /// `Decrypt`, or the ledger's operation.
    pub operation: String,
    /// The key.
    pub key: String,
    /// The key service's id of the request.
    pub request: Option<String>,
    /// Who, where the trail says it.
    pub principal: Option<String>,
    /// The service that called on the principal's behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The event's id, or the entry's sequence.
    pub reference: String,
    /// Why it has no partner.
    pub reason: String,
}

/// Both sides, joined.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reconciliation {
    /// The keys whose uses were looked for.
    #[serde(default)]
    pub keys: BTreeSet<String>,
    /// Uses of these keys that the trail shows.
    pub events: u64,
    /// Entries about uses.
    pub entries: u64,
    /// Uses that both show.
    pub matched: u64,
    /// Uses that only the trail shows.
    pub unexplained: Vec<KeyUse>,
    /// Refused calls that only the trail shows: no use, but somebody tried.
    pub attempts: Vec<KeyUse>,
    /// Entries within the trail's window that the trail does not show.
    pub unseen: Vec<KeyUse>,
    /// Entries outside the trail's window, which it cannot show.
    pub outside: u64,
    /// Uses of other keys, which are no affair of this ledger.
    pub other_keys: u64,
    /// Where the ledger is broken.
    pub ledger_broken: Vec<Refused>,
    /// What the verdict rests on and is not there.
    pub incomplete: Vec<String>,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReconciliationOutcome {
    /// Each use has its entry, and each entry its use.
    Explained,
    /// Some use has no entry, or the ledger was altered.
    Unexplained,
    /// Nothing is unexplained, but something is missing.
    Incomplete,
}

impl Reconciliation {
    /// The verdict.
    #[must_use]
    pub fn outcome(&self) -> ReconciliationOutcome {
        if !self.unexplained.is_empty() || !self.ledger_broken.is_empty() {
            ReconciliationOutcome::Unexplained
        } else if !self.unseen.is_empty() || !self.incomplete.is_empty() {
            ReconciliationOutcome::Incomplete
        } else {
            ReconciliationOutcome::Explained
        }
    }
}

/// Joins a trail's events with the ledgers of all components that use the keys.
///
/// Keys are those of the ledgers and `keys`. `skew` is how many seconds the two clocks may differ; it widens the window at whose edges
/// an entry need not be in the trail.
#[must_use]
pub fn reconcile(
    ledgers: &[KeyLedger],
    events: &[Event],
    read: &EventFiles,
    keys: &BTreeSet<String>,
    skew: u32,
) -> Reconciliation {
    let ledger_broken = ledgers.iter().flat_map(|ledger| ledger.broken.iter().cloned()).collect();
    let mut result = Reconciliation { ledger_broken, ..Reconciliation::default() };
    let lines = ledgers.iter().flat_map(|ledger| &ledger.lines);
    let uses: Vec<&LedgerLine> = lines.filter(|line| is_use(line)).collect();
    result.entries = count(uses.len());
    let elsewhere = uses.iter().filter(|line| !of_kms(line)).count();
    if elsewhere > 0 {
        result.incomplete.push(format!("{elsewhere} entries are about keys that CloudTrail does not see"));
    }
    let uses: Vec<&LedgerLine> = uses.into_iter().filter(|line| of_kms(line)).collect();
    let own: BTreeSet<&str> = uses
        .iter()
        .flat_map(|line| [&line.key_id, &line.new_key_id])
        .flatten()
        .chain(keys)
        .map(String::as_str)
        .collect();
    let mut open: BTreeMap<&str, &LedgerLine> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for line in &uses {
        match &line.request_id {
            Some(request) => {
                if open.insert(request, line).is_some() {
                    let broken = format!("entry {} repeats request `{request}`", line.sequence);
                    result.incomplete.push(broken);
                }
            }
            None => unnamed.push(*line),
        }
    }
    let is_key_use =
        |event: &&Event| event.source == "kms.amazonaws.com" && KEY_USES.contains(&event.name.as_str());
    for event in events.iter().filter(is_key_use) {
        let named = event.resources.iter().chain(&event.key).any(|key| own.contains(key.as_str()));
        let entry = event.request.as_deref().and_then(|request| open.get(request).copied());
        if !named && entry.is_none() {
            result.other_keys = result.other_keys.saturating_add(1);
            continue;
        }
        result.events = result.events.saturating_add(1);
        match entry.map(|entry| (entry, disagreement(entry, event, named, skew))) {
            Some((_, None)) => {
                result.matched = result.matched.saturating_add(1);
                if let Some(request) = event.request.as_deref() {
                    open.remove(request);
                }
            }
            Some((entry, Some(reason))) => {
                result
                    .unexplained
                    .push(of_event(event, format!("entry {} has the request, and {reason}", entry.sequence)));
            }
            None if event.error.is_some() => {
                result
                    .attempts
                    .push(of_event(event, "no entry has the request, which was refused".to_owned()));
            }
            None => result.unexplained.push(of_event(event, "no entry has the request".to_owned())),
        }
    }
    for line in open.into_values().chain(unnamed) {
        if within(line.time, read, skew) && line.outcome == "ok" {
            let reason =
                if line.request_id.is_some() { "no event has the request" } else { "it names no request" };
            result.unseen.push(of_line(line, reason));
        } else if !within(line.time, read, skew) {
            result.outside = result.outside.saturating_add(1);
        }
    }
    result.keys = own.into_iter().map(str::to_owned).collect();
    result.incomplete.extend(missing(ledgers, read, &result));
    for list in [&mut result.unexplained, &mut result.attempts, &mut result.unseen] {
        list.sort();
    }
    result
}

/// What the verdict rests on and is not there.
fn missing(ledgers: &[KeyLedger], read: &EventFiles, result: &Reconciliation) -> Vec<String> {
    let mut missing = Vec::new();
    if !read.is_whole() {
        missing.push(format!("{} files or events of the trail could not be used", read.refused));
    }
    if read.events == 0 {
        missing.push("the trail holds no event".to_owned());
    }
    if result.entries == 0 {
        missing.push("the ledger holds no use of a key".to_owned());
    } else if result.outside == result.entries {
        missing.push("no entry of the ledger lies in the trail's window".to_owned());
    }
    for ledger in ledgers {
        if !ledger.refused.is_empty() {
            missing.push(format!("{} lines of the ledger could not be read", ledger.refused.len()));
        }
        if let Some(first) = ledger.lines.first().filter(|line| line.sequence != 1) {
            missing.push(format!("the ledger begins with entry {}", first.sequence));
        }
        if !ledger.gaps.is_empty() {
            missing.push(format!(
                "{} entries of the ledger say that others were not written",
                ledger.gaps.len()
            ));
        }
    }
    missing
}

fn is_use(line: &LedgerLine) -> bool {
    matches!(line.operation.as_str(), "generate" | "wrap" | "unwrap" | "rewrap")
}

/// Whether AWS's trail shows uses of its key.
fn of_kms(line: &LedgerLine) -> bool {
    line.key_id.as_deref().is_some_and(|key| key.starts_with("arn:"))
}

/// Why an entry with an event's request does not speak of it.
fn disagreement(entry: &LedgerLine, event: &Event, named: bool, skew: u32) -> Option<&'static str> {
    let operation = match entry.operation.as_str() {
        "generate" => event.name.starts_with("GenerateDataKey"),
        "wrap" => event.name == "Encrypt",
        "unwrap" => event.name == "Decrypt",
        "rewrap" => event.name == "ReEncrypt",
        _ => false,
    };
    if !operation {
        return Some("another operation");
    }
    if !named {
        return Some("another key");
    }
    if (entry.outcome == "ok") != event.error.is_none() {
        return Some("another outcome");
    }
    if !event.encryption_context.is_empty()
        && !entry.context.is_empty()
        && event.encryption_context != entry.context
    {
        return Some("another encryption context");
    }
    let apart = entry.time.seconds_since(event.time).unsigned_abs();
    (apart > u64::from(skew)).then_some("another time")
}

/// Whether a trail would show what happened at a time.
fn within(time: Timestamp, read: &EventFiles, skew: u32) -> bool {
    let skew = i64::from(skew);
    match (read.since, read.until) {
        (Some(since), Some(until)) => time.seconds_since(since) >= skew && until.seconds_since(time) >= skew,
        _ => false,
    }
}

fn of_event(event: &Event, reason: String) -> KeyUse {
    KeyUse {
        time: event.time,
        operation: event.name.clone(),
        key: event.key.clone().unwrap_or_default(),
        request: event.request.clone(),
        principal: Some(event.identity.principal().to_owned()),
        via: event.identity.invoked_by.clone(),
        reference: event.id.clone(),
        reason,
    }
}

fn of_line(line: &LedgerLine, reason: &str) -> KeyUse {
    KeyUse {
        time: line.time,
        operation: line.operation.clone(),
        key: line.key_id.clone().unwrap_or_default(),
        request: line.request_id.clone(),
        principal: None,
        via: None,
        reference: line.sequence.to_string(),
        reason: reason.to_owned(),
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
