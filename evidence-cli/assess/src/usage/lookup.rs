//! CloudTrail's event history, as `cloudtrail:LookupEvents` lists it.
//!
//! The history holds one region's management events of ninety days ("Working with CloudTrail Event history", AWS CloudTrail
//! User Guide): key use and administration are among them, object access is not. Nobody who has the account can alter it,
//! so that a list that was read to its end is whole.

use std::collections::BTreeSet;

use cadastre_model::Timestamp;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::record::{Outcome, Record};
use serde_json::Value;

use super::uses::Call;

/// The operation that holds events.
const OPERATION: &str = "cloudtrail:LookupEvents";
/// How far back it reaches, in seconds.
pub(super) const REACH: i64 = 90 * 86_400;

/// Everything that was listed.
#[derive(Debug, Default)]
pub(super) struct History {
    events: Vec<Event>,
    /// Accounts and regions whose history was read to its end, with when it was read.
    ended: BTreeSet<(String, String, Timestamp)>,
    pages: usize,
}

#[derive(Debug)]
struct Event {
    at: Timestamp,
    action: String,
    principal: String,
    account: String,
    principal_account: Option<String>,
    source: Option<String>,
    error: Option<String>,
    names: Vec<String>,
    evidence: EvidenceIds,
}

impl History {
    pub(super) fn read(records: &[Record]) -> Self {
        let mut history = Self::default();
        for page in records.iter().filter(|record| record.operation == OPERATION) {
            if !matches!(page.outcome, Outcome::Observed | Outcome::Truncated) {
                continue;
            }
            history.pages += 1;
            let listed = page.response.get("Events").and_then(Value::as_array).into_iter().flatten();
            history.events.extend(listed.filter_map(|listed| Event::read(listed, page)));
            if let (Outcome::Observed, true, Some(account), Some(region)) =
                (page.outcome, page.page.last, &page.scope.account, &page.scope.region)
            {
                history.ended.insert((account.clone(), region.clone(), page.observed_at));
            }
        }
        history
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.pages == 0
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.events.iter().map(|event| Call {
            account: &event.account,
            principal: &event.principal,
            principal_account: event.principal_account.as_deref(),
            action: &event.action,
            names: &event.names,
            source: event.source.as_deref(),
            error: event.error.as_deref(),
            count: 1,
            first: event.at,
            last: event.at,
            evidence: &event.evidence,
        })
    }

    /// When an account's history in a region was read to its end, the latest time.
    pub(super) fn ended(&self, account: &str, region: &str) -> Option<Timestamp> {
        let of_field = self.ended.iter().filter(|(a, r, _)| a == account && r == region);
        of_field.map(|(_, _, at)| *at).max()
    }
}

impl Event {
    fn read(listed: &Value, page: &Record) -> Option<Self> {
        let event: Value = match listed.get("CloudTrailEvent")? {
            Value::String(text) => serde_json::from_str(text).ok()?,
            other => other.clone(),
        };
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let source = text("/eventSource")?;
        let mut names: Vec<String> = Vec::new();
        for resource in event.get("resources").and_then(Value::as_array).into_iter().flatten() {
            names.extend(resource.get("ARN").and_then(Value::as_str).map(str::to_owned));
        }
        for member in ["keyId", "roleArn", "roleName", "userName", "name", "instanceId", "target"] {
            names.extend(text(&format!("/requestParameters/{member}")));
        }
        names.extend(text("/requestParameters/bucketName").map(|name| format!("arn:aws:s3:::{name}")));
        let invoked_by = text("/userIdentity/invokedBy");
        Some(Self {
            at: text("/eventTime")?.parse().ok()?,
            action: format!("{}:{}", source.strip_suffix(".amazonaws.com")?, text("/eventName")?),
            principal: text("/userIdentity/sessionContext/sessionIssuer/arn")
                .or_else(|| text("/userIdentity/arn"))
                .or_else(|| invoked_by.as_ref().map(|service| format!("service:{service}")))?,
            account: text("/recipientAccountId").or_else(|| page.scope.account.clone()).unwrap_or_default(),
            principal_account: text("/userIdentity/accountId"),
            source: invoked_by.or_else(|| text("/sourceIPAddress")),
            error: text("/errorCode"),
            names,
            evidence: EvidenceIds::from([page.id().clone()]),
        })
    }
}
