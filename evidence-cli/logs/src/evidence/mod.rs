//! Logs as evidence: a trail's directory and components' key ledgers in, observations out (docs/formats/trail-records.md).
//!
//! What is observed does not depend on who is declared to be a vendor, so that the same evidence can be judged by another
//! declaration. The files' own time dates it, so that the same files give the same observations.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cadastre_model::record::{Outcome, Page, Problem as RecordProblem};
use cadastre_model::{Observation, Scope, Timestamp};
use serde_json::{Value, json};

use crate::error::LogsError;
use crate::events::{EventFiles, KeyLedger, read_events, reconcile};
use crate::trail::{self, ProblemKind, PublicKeys, TrailVerification, TrailWindow, trail_end, verify_trail};
use rows::Rows;

/// Whether the files of an account and region are all there and unchanged.
pub const VERIFY: &str = "trail:VerifyFiles";
/// Who did what.
pub const ACTIVITY: &str = "trail:ListActivity";
/// Key uses against components' own records.
pub const RECONCILE: &str = "ledger:ReconcileKeyUses";

/// The collector's name: its records are in `records/logs.ndjson`.
const COLLECTOR: &str = "logs";
/// Rows of one record.
const PAGE: usize = 1_000;
/// How many problems, and key uses without a partner, one record tells.
const TOLD: usize = 500;

/// Account and region.
pub type Field = (String, String);

/// What to read.
#[derive(Debug)]
pub struct LogSources<'a> {
    /// The directory, laid out as CloudTrail lays out its bucket.
    pub trail: &'a Path,
    /// Keys that digests are signed with; without them nothing is proven whole.
    pub public_keys: Option<&'a PublicKeys>,
    /// Key ledgers of the components that use the keys; empty where none was handed over.
    pub ledgers: &'a [KeyLedger],
    /// ARNs of keys that only these components may use, beside those that the ledgers name.
    pub keys: BTreeSet<String>,
    /// Seconds that the clocks of components and key service may differ.
    pub skew: u32,
    /// Seconds that chains must reach back from the newest digest.
    pub window: i64,
    /// Accounts and regions that must be in it.
    pub fields: BTreeSet<Field>,
}

/// Observes a trail and what ledgers say about its key uses. Events are handed over by file; what could not be used is
/// told in the observations.
///
/// # Errors
/// When the directory cannot be listed or holds nothing of a trail. Damage is part of the result.
pub fn observe(sources: &LogSources<'_>) -> Result<Vec<Observation>, LogsError> {
    let end = trail_end(sources.trail)?;
    let from = end.and_then(|end| Timestamp::from_seconds(end.seconds().saturating_sub(sources.window)));
    let verification = match sources.public_keys {
        Some(keys) => Some(verify_trail(sources.trail, keys, TrailWindow { from, to: None })?),
        None => None,
    };
    let mut rows: BTreeMap<Field, Rows> = BTreeMap::new();
    let mut key_events = Vec::new();
    let read = read_events(sources.trail, None, None, |event| {
        if from.is_none_or(|from| from <= event.time) {
            let account =
                event.account.clone().or_else(|| event.identity.account.clone()).unwrap_or_default();
            rows.entry((account, event.region.clone())).or_default().add(&event);
        }
        if event.source == "kms.amazonaws.com" && !sources.ledgers.is_empty() {
            key_events.push(event);
        }
    })?;
    let at = end.max(read.until).ok_or_else(|| LogsError::Nothing {
        path: sources.trail.display().to_string(),
        expected: "events or digests that say when they were written",
    })?;
    let base = |operation: &str, scope: Scope, subject: String| Observation {
        collector: COLLECTOR.to_owned(),
        operation: operation.to_owned(),
        scope,
        subject,
        // Nobody was asked: files vouch for themselves, by signature.
        caller: String::new(),
        observed_at: at.truncated_to_seconds(),
        outcome: Outcome::Observed,
        request: json!({}),
        response: Value::Null,
        problem: None,
        page: Page::ONLY,
    };
    let mut observations = Vec::new();
    let mut fields: BTreeSet<Field> = sources.fields.clone();
    fields.extend(rows.keys().cloned());
    let chains = verification.iter().flat_map(|verification| &verification.chains);
    fields.extend(chains.map(|chain| (chain.account.clone(), chain.region.clone())));
    for field in &fields {
        let scope = || Scope::region(&field.0, &field.1);
        let subject = || format!("{}/{}", field.0, field.1);
        let held = rows.remove(field);
        let mut check = base(VERIFY, scope(), subject());
        check.request = json!({"From": from, "Skew": sources.skew});
        match verification.as_ref().map(|verification| (verification, span(verification, field))) {
            None => fail(
                &mut check,
                "no-public-keys",
                "the digest chain was not verified: the keys that sign it were not handed over",
            ),
            Some((_, None)) if held.is_none() => {
                fail(&mut check, "not-in-the-trail", "the files hold nothing of this account and region");
            }
            Some((verification, span)) => {
                check.response = checked(verification, span, field, held.as_ref(), &read);
            }
        }
        let missing = check.problem.as_ref().is_some_and(|problem| problem.code == "not-in-the-trail");
        observations.push(check);
        let mut listed = base(ACTIVITY, scope(), subject());
        match held {
            None if missing => {
                fail(&mut listed, "not-in-the-trail", "the files hold nothing of this account and region");
                observations.push(listed);
            }
            held => observations.extend(held.unwrap_or_default().pages(&listed, PAGE)),
        }
    }
    if !sources.ledgers.is_empty() {
        let mut joined = base(RECONCILE, Scope::default(), "key-ledgers".to_owned());
        joined.request =
            json!({"Skew": sources.skew, "Ledgers": sources.ledgers.len(), "FurtherKeys": sources.keys});
        joined.response = reconciled(sources, &key_events, &read);
        observations.push(joined);
    }
    Ok(observations)
}

fn fail(observation: &mut Observation, code: &str, message: &str) {
    observation.outcome = Outcome::Failed;
    observation.problem = Some(RecordProblem { code: code.to_owned(), message: message.to_owned() });
}

/// The names of an account's trails in a region, and the time that their chains speak of.
type Span<'a> = (BTreeSet<&'a str>, Timestamp, Timestamp);

fn span<'a>(verification: &'a TrailVerification, field: &Field) -> Option<Span<'a>> {
    let of_field =
        || verification.chains.iter().filter(|chain| chain.account == field.0 && chain.region == field.1);
    let from = of_field().map(|chain| chain.from).min()?;
    let to = of_field().map(|chain| chain.to).max()?;
    Some((of_field().map(|chain| chain.trail.as_str()).collect(), from, to))
}

/// What verifying says about one account and region. A problem whose file does not say where it belongs may be anybody's.
fn checked(
    verification: &TrailVerification,
    span: Option<Span<'_>>,
    field: &Field,
    rows: Option<&Rows>,
    read: &EventFiles,
) -> Value {
    let concerns = |file: &str| trail::field_of(file).is_none_or(|of_file| of_file == *field);
    let problems: Vec<_> = verification.problems.iter().filter(|problem| concerns(&problem.file)).collect();
    let unchecked: Vec<_> = verification.unchecked.iter().filter(|file| concerns(&file.file)).collect();
    let refusals: Vec<_> = read.refusals.iter().filter(|refused| concerns(&refused.file)).collect();
    // Refusals beyond those that are named may be anybody's.
    let unnamed = usize::try_from(read.refused).unwrap_or(usize::MAX).saturating_sub(read.refusals.len());
    let refused = refusals.len().saturating_add(unnamed);
    let no_digests = span.is_none();
    let wrong = problems.iter().any(|problem| problem.kind != ProblemKind::UnknownKey);
    let whole = problems.is_empty() && unchecked.is_empty() && verification.omitted == 0 && !no_digests;
    let mut told: Vec<String> = Vec::new();
    if no_digests {
        told.push("there are log files and no digest that speaks of them".to_owned());
    }
    told.extend(
        problems
            .iter()
            .map(|problem| format!("{}: `{}`: {}", problem.kind.name(), problem.file, problem.detail)),
    );
    told.extend(unchecked.iter().map(|file| format!("not checked: `{}`: {}", file.file, file.detail)));
    told.extend(refusals.iter().map(|refused| {
        let record = refused.record.map_or_else(String::new, |record| format!(", record {record}"));
        format!("not used: `{}`{record}: {}", refused.file, refused.problem)
    }));
    let problems = told.len().saturating_add(verification.omitted).saturating_add(unnamed);
    told.truncate(TOLD);
    let (trails, from, to) = match span {
        Some((trails, from, to)) => (trails, Some(from), Some(to)),
        None => (BTreeSet::new(), None, None),
    };
    json!({
        "Trails": trails, "Valid": whole, "Wrong": wrong, "From": from, "To": to,
        "Events": rows.map_or(0, Rows::events), "Refused": refused,
        "Problems": told, "ProblemCount": problems,
    })
}

fn reconciled(sources: &LogSources<'_>, events: &[crate::events::Event], read: &EventFiles) -> Value {
    let mut result = reconcile(sources.ledgers, events, read, &sources.keys, sources.skew);
    let times = || sources.ledgers.iter().flat_map(|ledger| &ledger.lines).map(|line| line.time);
    for list in [&mut result.unexplained, &mut result.attempts, &mut result.unseen] {
        if list.len() > TOLD {
            result.incomplete.push(format!("{} further key uses are not told one by one", list.len() - TOLD));
            list.truncate(TOLD);
        }
    }
    let broken: Vec<String> = result
        .ledger_broken
        .iter()
        .take(TOLD)
        .map(|broken| format!("line {}: {}", broken.record.unwrap_or_default(), broken.problem))
        .collect();
    let alone = |uses: &[crate::events::KeyUse]| -> Vec<Value> {
        uses.iter()
            .map(|lone| {
                json!({
                    "Time": lone.time, "Operation": lone.operation, "Key": lone.key, "Principal": lone.principal,
                    "Via": lone.via, "Reference": lone.reference, "Reason": lone.reason,
                })
            })
            .collect()
    };
    json!({
        "Keys": result.keys, "TrailUses": result.events, "LedgerUses": result.entries, "Matched": result.matched,
        "OutsideTheTrail": result.outside, "Unexplained": alone(&result.unexplained),
        "Attempts": alone(&result.attempts), "Unseen": alone(&result.unseen), "LedgerBroken": broken,
        "Incomplete": result.incomplete, "LedgerFrom": times().min(), "LedgerTo": times().max(),
    })
}
