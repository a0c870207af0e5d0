//! What trails saw used, joined to what access knows of actions and targets (IDN-05), and what vendors did (AUD-05).
//!
//! Two kinds of evidence tell of events: a trail's own files, which `cadastre scan --trail` turns into rows, and the event
//! history that `cloudtrail:LookupEvents` lists. A use counts wherever it was seen. That something was *not* used follows
//! only from a trail that would have shown it: whole, unchanged, over the whole window, and with the events in question
//! recorded ([`coverage`]).

mod coverage;
mod lookup;
mod uses;
mod vendors;

use cadastre_model::Timestamp;
use cadastre_model::access::Access;
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use cadastre_model::record::Record;
use cadastre_model::usage::{UsageReport, UsageState};

use coverage::Trails;
use lookup::History;
use uses::Call;

/// What the window is asked of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) records: &'a [Record],
    pub(crate) inventory: &'a Inventory,
    pub(crate) access: &'a Access,
    pub(crate) graph: &'a BoundaryGraph,
    pub(crate) declaration: &'a Declaration,
    pub(crate) as_of: Timestamp,
}

/// Granted against used over the declared window, and what vendors did in it.
#[must_use]
pub(crate) fn report(subject: &Subject<'_>) -> UsageReport {
    let window = subject.declaration.limits.usage_window.seconds();
    let since = Timestamp::from_seconds(subject.as_of.seconds().saturating_sub(window));
    let since = since.unwrap_or(subject.as_of);
    let history = History::read(subject.records);
    let mut calls: Vec<Call<'_>> = subject.inventory.activity.iter().map(Call::of_row).collect();
    calls.extend(history.calls());
    calls.retain(|call| call.last >= since && call.first <= subject.as_of);
    let observed = !subject.inventory.trail_checks.is_empty() || !history.is_empty();
    let uses = uses::observed(&calls, subject.access);
    let mut rows = cadastre_graph::granted_versus_used(subject.access, observed.then_some(&uses));
    let trails = Trails::new(subject, &history, since);
    for row in rows.iter_mut().filter(|row| row.state == UsageState::Unobserved) {
        match trails.would_show(row.capability, &row.target, &row.granted) {
            Ok(evidence) => {
                row.state = UsageState::Unused;
                row.evidence.extend(evidence);
            }
            Err(why) => row.blind = Some(why),
        }
    }
    UsageReport {
        since: Some(since),
        until: Some(subject.as_of),
        observed,
        rows,
        vendors: vendors::acts(&calls, subject),
        doubts: trails.doubts(subject.declaration),
        unseen_keys: trails.unseen_keys(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::access::{Capability, CapabilityEdge, Decision};
    use cadastre_model::record::{Observation, Outcome, Page, Scope};
    use serde_json::{Value, json};

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
            operation: "cloudtrail:LookupEvents".into(),
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

    fn reported(records: &[Record], window: &str) -> UsageReport {
        let declaration = format!(
            "schema: cadastre/boundary/v1\nname: b\noperating-model: self-managed\narchitecture: shared-storage\nlimits: {{usage-window: {window}}}\n"
        );
        report(&Subject {
            records,
            inventory: &Inventory::default(),
            access: &access(),
            graph: &BoundaryGraph::default(),
            declaration: &Declaration::parse(&declaration, "boundary.yaml").unwrap(),
            as_of: "2026-11-21T12:00:00Z".parse().unwrap(),
        })
    }

    #[track_caller]
    fn check(records: &[Record], who: &str, capability: Capability, expected: UsageState) {
        let report = reported(records, "90d");
        let found =
            report.rows.iter().find(|row| row.principal == who && row.capability == capability).unwrap();
        assert_eq!(found.state, expected, "{found:?}");
        assert_eq!(found.blind.is_some(), expected == UsageState::Unobserved, "{found:?}");
    }

    #[test]
    fn what_was_used_is_told_from_what_was_not() {
        let records = [page(&[event("app", "Decrypt", None), event("app", "Decrypt", None)], true)];
        check(&records, APP, Capability::Decrypt, UsageState::Used);
        check(&records, IDLE, Capability::Decrypt, UsageState::Unused);
        // Object access is no management event, so nobody would have seen it.
        check(&records, IDLE, Capability::ReadObjects, UsageState::Unobserved);
        let report = reported(&records, "90d");
        assert_eq!(
            report.rows.iter().map(cadastre_model::usage::Usage::count).collect::<Vec<_>>(),
            [2, 0, 0]
        );
    }

    #[test]
    fn refused_calls_use_nothing_and_a_history_cut_short_covers_nothing() {
        let refused = [page(&[event("app", "Decrypt", Some("AccessDenied"))], true)];
        check(&refused, APP, Capability::Decrypt, UsageState::Unused);
        let cut = [page(&[event("app", "Decrypt", None)], false)];
        check(&cut, APP, Capability::Decrypt, UsageState::Used);
        check(&cut, IDLE, Capability::Decrypt, UsageState::Unobserved);
        check(&[], IDLE, Capability::Decrypt, UsageState::Unobserved);
        assert!(!reported(&[], "90d").observed);
    }

    #[test]
    fn the_event_history_proves_no_more_than_its_ninety_days() {
        let records = [page(&[], true)];
        let state = |window: &str| {
            let report = reported(&records, window);
            report.rows.iter().find(|row| row.principal == IDLE && row.target == KEY).unwrap().state
        };
        assert_eq!(state("90d"), UsageState::Unused);
        assert_eq!(state("91d"), UsageState::Unobserved);
    }

    #[test]
    fn what_cannot_be_read_is_no_use() {
        let odd = [page(
            &[json!({"CloudTrailEvent": "{"}), json!({}), json!({"CloudTrailEvent": {"eventName": 7}})],
            true,
        )];
        assert!(reported(&odd, "90d").rows.iter().all(|row| row.count() == 0));
    }
}
