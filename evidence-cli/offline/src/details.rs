//! `aws iam get-account-authorization-details`: one merged answer, or its pages.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::record::{Observation, Outcome, Page, Record, Scope};
use cadastre_model::time::Timestamp;
use serde_json::{Value, json};

use crate::{OfflineError, OfflineFile};

const OPERATION: &str = "iam:GetAccountAuthorizationDetails";
const LISTS: [&str; 4] = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];

/// Whether an answer is one, by its shape.
pub(crate) fn is_one(answer: &Value) -> bool {
    ["UserDetailList", "RoleDetailList", "GroupDetailList"]
        .iter()
        .any(|list| answer.get(list).is_some_and(Value::is_array))
}

/// A page of an account's details.
struct Dump<'a> {
    file: &'a OfflineFile,
    answer: &'a Value,
    /// Whether the service said that more follows.
    more: bool,
}

/// One record a page. Pages of one account are put in the order of their names, the one that says that nothing follows
/// last; where none says so the answer is cut short.
pub(crate) fn records(
    files: &[(&OfflineFile, Value)],
    skipped: &mut Vec<(String, String)>,
) -> Result<Vec<Record>, OfflineError> {
    let mut by_account: BTreeMap<String, Vec<Dump<'_>>> = BTreeMap::new();
    for (file, answer) in files {
        let accounts = accounts(answer);
        let mut accounts = accounts.into_iter();
        match (accounts.next(), accounts.next()) {
            (Some(account), None) => {
                let more = answer.get("IsTruncated").and_then(Value::as_bool).unwrap_or(false)
                    || answer.get("NextToken").is_some();
                by_account.entry(account).or_default().push(Dump { file, answer, more });
            }
            (None, _) => skipped.push((file.path.clone(), "it names no account".to_owned())),
            (Some(_), Some(_)) => {
                let problem = "it speaks of several accounts at once".to_owned();
                return Err(OfflineError::NotAnAnswer { path: file.path.clone(), problem });
            }
        }
    }
    let mut records = Vec::new();
    for (account, mut dumps) in by_account {
        dumps.sort_by(|a, b| (!a.more, &a.file.path).cmp(&(!b.more, &b.file.path)));
        let finals = dumps.iter().filter(|dump| !dump.more).count();
        if finals > 1 {
            let paths: Vec<&str> = dumps.iter().map(|dump| dump.file.path.as_str()).collect();
            let problem = format!(
                "account {account} has {finals} answers that each say that nothing follows: {}",
                paths.join(", ")
            );
            let path = dumps.last().map(|dump| dump.file.path.clone()).unwrap_or_default();
            return Err(OfflineError::NotAnAnswer { path, problem });
        }
        // One answer was given at one time, so its pages carry the time of the oldest file.
        let written_at = dumps.iter().map(|dump| dump.file.written_at).min();
        for (number, dump) in (1_u32..).zip(&dumps) {
            records.push(record(&account, dump, number, written_at.unwrap_or(dump.file.written_at))?);
        }
    }
    Ok(records)
}

fn record(account: &str, dump: &Dump<'_>, number: u32, at: Timestamp) -> Result<Record, OfflineError> {
    let lists = LISTS
        .iter()
        .map(|list| ((*list).to_owned(), dump.answer.get(*list).cloned().unwrap_or_else(|| json!([]))));
    let observation = Observation {
        collector: "aws".to_owned(),
        operation: OPERATION.to_owned(),
        scope: Scope::account(account),
        subject: account.to_owned(),
        caller: format!("file:{}", dump.file.path),
        observed_at: at.truncated_to_seconds(),
        outcome: Outcome::Observed,
        request: json!({}),
        response: Value::Object(lists.collect()),
        problem: None,
        page: Page { number, last: !dump.more },
    };
    Ok(observation.seal()?)
}

/// The accounts whose users, roles, groups and own policies an answer lists.
fn accounts(answer: &Value) -> BTreeSet<String> {
    let arns = LISTS
        .iter()
        .filter_map(|list| answer.get(*list)?.as_array())
        .flatten()
        .filter_map(|item| item.get("Arn")?.as_str());
    arns.filter_map(|arn| arn.split(':').nth(4))
        .filter(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}
