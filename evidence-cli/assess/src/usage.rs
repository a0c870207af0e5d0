//! What CloudTrail's event history saw used, joined to what access knows of actions and targets.
//!
//! `cloudtrail:LookupEvents` ("Working with CloudTrail Event history", AWS CloudTrail User Guide) lists one region's
//! management events of ninety days: key use and administration are among them, object access is not. So a capability
//! counts as covered only where its target lies in a region whose history was read to its end.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_graph::{ObservedUse, ObservedUses};
use cadastre_model::Timestamp;
use cadastre_model::access::{Access, Capability};
use cadastre_model::record::{Outcome, Record};
use serde_json::Value;

/// The operation that holds events.
const OPERATION: &str = "cloudtrail:LookupEvents";
/// Where events of IAM are recorded, whoever calls from wherever.
const GLOBAL_REGION: &str = "us-east-1";
/// What management events show of a target that lies in a region.
const MANAGEMENT: [Capability; 4] =
    [Capability::Decrypt, Capability::ManageKey, Capability::OperateHost, Capability::AlterLogs];

/// The uses that the evidence's events show; none where it holds no events.
#[must_use]
pub fn observed_uses(records: &[Record], access: &Access) -> Option<ObservedUses> {
    let pages: Vec<&Record> = records
        .iter()
        .filter(|record| record.operation == OPERATION)
        .filter(|record| matches!(record.outcome, Outcome::Observed | Outcome::Truncated))
        .collect();
    if pages.is_empty() {
        return None;
    }
    let known = Known::new(access);
    let mut uses: BTreeMap<(String, String, Capability, String), ObservedUse> = BTreeMap::new();
    let mut observed = ObservedUses::default();
    for page in &pages {
        for listed in page.response.get("Events").and_then(Value::as_array).into_iter().flatten() {
            let Some(event) = Event::read(listed) else { continue };
            observed.since = Some(observed.since.map_or(event.at, |since| since.min(event.at)));
            observed.until = observed.until.max(Some(event.at));
            // A call that was refused used nothing.
            let Some(principal) = event.principal.as_ref().filter(|_| !event.refused) else { continue };
            let Some(target) = known.target(&event) else { continue };
            for capability in known.capabilities(&event.action, &target) {
                let key = (principal.clone(), event.action.clone(), capability, target.clone());
                let used = uses.entry(key).or_insert_with(|| ObservedUse {
                    principal: principal.clone(),
                    action: event.action.clone(),
                    capability: Some(capability),
                    target: target.clone(),
                    count: 0,
                    last: None,
                    evidence: BTreeSet::new(),
                });
                used.count += 1;
                used.last = used.last.max(Some(event.at));
                used.evidence.insert(page.id().clone());
            }
        }
    }
    observed.uses = uses.into_values().collect();
    observed.covered = covered(&pages, access);
    Some(observed)
}

/// What would have been seen: targets in regions whose history was read to its end.
fn covered(pages: &[&Record], access: &Access) -> BTreeSet<(Capability, String)> {
    let ended: BTreeSet<(&str, &str)> = pages
        .iter()
        .filter(|page| page.outcome == Outcome::Observed && page.page.last)
        .filter_map(|page| Some((page.scope.account.as_deref()?, page.scope.region.as_deref()?)))
        .collect();
    let mut covered = BTreeSet::new();
    for edge in &access.edges {
        let mut parts = edge.target.split(':').skip(2);
        let (service, region, account) = (parts.next(), parts.next(), parts.next());
        let seen = match (service, region, account) {
            (Some("iam"), Some(""), Some(account)) => {
                edge.capability == Capability::ChangePolicy && ended.contains(&(account, GLOBAL_REGION))
            }
            (Some(_), Some(region), Some(account)) if !region.is_empty() => {
                MANAGEMENT.contains(&edge.capability) && ended.contains(&(account, region))
            }
            _ => false,
        };
        if seen {
            covered.insert((edge.capability, edge.target.clone()));
        }
    }
    covered
}

/// One event, as far as it matters here.
struct Event {
    at: Timestamp,
    /// `kms:Decrypt`.
    action: String,
    principal: Option<String>,
    account: Option<String>,
    refused: bool,
    /// ARNs that it names, and names that stand for one.
    names: Vec<String>,
}

impl Event {
    fn read(listed: &Value) -> Option<Self> {
        let told = listed.get("CloudTrailEvent")?;
        let event: Value = match told {
            Value::String(text) => serde_json::from_str(text).ok()?,
            other => other.clone(),
        };
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let service = text("/eventSource")?.strip_suffix(".amazonaws.com")?;
        let mut names: Vec<String> = Vec::new();
        for resource in event.get("resources").and_then(Value::as_array).into_iter().flatten() {
            names.extend(resource.get("ARN").and_then(Value::as_str).map(str::to_owned));
        }
        for member in ["keyId", "roleArn", "roleName", "userName", "name", "instanceId", "target"] {
            names.extend(text(&format!("/requestParameters/{member}")).map(str::to_owned));
        }
        names.extend(text("/requestParameters/bucketName").map(|name| format!("arn:aws:s3:::{name}")));
        Some(Self {
            at: text("/eventTime")?.parse().ok()?,
            action: format!("{service}:{}", text("/eventName")?),
            principal: text("/userIdentity/arn")
                .map(str::to_owned)
                .or_else(|| text("/userIdentity/invokedBy").map(|service| format!("service:{service}"))),
            account: text("/recipientAccountId").map(str::to_owned),
            refused: text("/errorCode").is_some(),
            names,
        })
    }
}

/// Actions and targets that access knows.
struct Known<'a> {
    targets: BTreeSet<&'a str>,
    /// By action in lower case, of which several may be needed at once.
    capabilities: BTreeMap<String, BTreeSet<(Capability, &'a str)>>,
}

impl<'a> Known<'a> {
    fn new(access: &'a Access) -> Self {
        let mut known = Self { targets: BTreeSet::new(), capabilities: BTreeMap::new() };
        for edge in &access.edges {
            known.targets.insert(&edge.target);
            for action in edge.action.split(" and ") {
                let of_action = known.capabilities.entry(action.to_ascii_lowercase()).or_default();
                of_action.insert((edge.capability, &edge.target));
            }
        }
        known
    }

    /// What an event is about: an ARN that is known, or the one known thing of the account that has the name.
    fn target(&self, event: &Event) -> Option<String> {
        let by_arn = event.names.iter().find(|name| self.targets.contains(name.as_str()));
        by_arn.cloned().or_else(|| {
            let account = event.account.as_deref()?;
            event.names.iter().find_map(|name| {
                let mut named = self.targets.iter().filter(|target| {
                    target.split(':').nth(4) == Some(account)
                        && target.rsplit(['/', ':']).next() == Some(name.as_str())
                });
                match (named.next(), named.next()) {
                    (Some(target), None) => Some((*target).to_owned()),
                    _ => None,
                }
            })
        })
    }

    fn capabilities(&self, action: &str, target: &str) -> BTreeSet<Capability> {
        let of_action = self.capabilities.get(&action.to_ascii_lowercase());
        of_action.into_iter().flatten().filter(|(_, known)| *known == target).map(|(one, _)| *one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_graph::{UsageState, granted_versus_used};
    use cadastre_model::access::{CapabilityEdge, Decision};
    use cadastre_model::record::{Observation, Page, Scope};
    use serde_json::json;

    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1";
    const APP: &str = "arn:aws:iam::111122223333:role/app";
    const IDLE: &str = "arn:aws:iam::111122223333:role/idle";
    const BUCKET: &str = "arn:aws:s3:::data";

    fn edge(principal: &str, capability: Capability, target: &str, action: &str) -> CapabilityEdge {
        CapabilityEdge {
            principal: principal.into(),
            capability,
            target: target.into(),
            decision: Decision::Allow,
            action: action.into(),
            statements: Vec::new(),
            choices: Vec::new(),
            enables: None,
            summary: false,
        }
    }

    fn access() -> Access {
        Access {
            edges: vec![
                edge(APP, Capability::Decrypt, KEY, "kms:Decrypt"),
                edge(IDLE, Capability::Decrypt, KEY, "kms:Decrypt"),
                edge(IDLE, Capability::ReadObjects, BUCKET, "s3:GetObject"),
            ],
            ..Access::default()
        }
    }

    fn event(session: &str, name: &str, error: Option<&str>) -> Value {
        let whole = json!({
            "eventTime": "2026-11-20T10:00:00Z", "eventSource": "kms.amazonaws.com", "eventName": name,
            "userIdentity": {"type": "AssumedRole", "arn": format!("arn:aws:sts::111122223333:assumed-role/{session}/one")},
            "recipientAccountId": "111122223333", "errorCode": error, "resources": [{"ARN": KEY}]
        });
        json!({"EventName": name, "CloudTrailEvent": whole.to_string()})
    }

    fn page(events: &[Value], last: bool) -> Record {
        Observation {
            collector: "aws".into(),
            operation: OPERATION.into(),
            scope: Scope::region("111122223333", "eu-central-1"),
            subject: "111122223333/eu-central-1".into(),
            caller: String::new(),
            observed_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            outcome: Outcome::Observed,
            request: json!({}),
            response: json!({"Events": events}),
            problem: None,
            page: Page { number: 1, last },
        }
        .seal()
        .unwrap()
    }

    #[track_caller]
    fn check(records: &[Record], who: &str, capability: Capability, expected: UsageState) {
        let access = access();
        let observed = observed_uses(records, &access);
        let usages = granted_versus_used(&access, observed.as_ref());
        let found =
            usages.iter().find(|usage| usage.principal == who && usage.capability == capability).unwrap();
        assert_eq!(found.state, expected, "{found:?}");
    }

    #[test]
    fn what_was_used_is_told_from_what_was_not() {
        let records = [page(&[event("app", "Decrypt", None), event("app", "Decrypt", None)], true)];
        check(&records, APP, Capability::Decrypt, UsageState::Used);
        check(&records, IDLE, Capability::Decrypt, UsageState::Unused);
        // Object access is no management event, so nobody would have seen it.
        check(&records, IDLE, Capability::ReadObjects, UsageState::Unobserved);
        let uses = observed_uses(&records, &access()).unwrap().uses;
        assert_eq!(uses.iter().map(|used| used.count).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn refused_calls_use_nothing_and_a_history_cut_short_covers_nothing() {
        let refused = [page(&[event("app", "Decrypt", Some("AccessDenied"))], true)];
        check(&refused, APP, Capability::Decrypt, UsageState::Unused);
        let cut = [page(&[event("app", "Decrypt", None)], false)];
        check(&cut, APP, Capability::Decrypt, UsageState::Used);
        check(&cut, IDLE, Capability::Decrypt, UsageState::Unobserved);
        check(&[], IDLE, Capability::Decrypt, UsageState::Unobserved);
        assert_eq!(observed_uses(&[], &access()), None);
    }

    #[test]
    fn what_cannot_be_read_is_no_use() {
        let odd = [page(
            &[json!({"CloudTrailEvent": "{"}), json!({}), json!({"CloudTrailEvent": {"eventName": 7}})],
            true,
        )];
        assert_eq!(observed_uses(&odd, &access()).unwrap().uses, []);
    }
}
