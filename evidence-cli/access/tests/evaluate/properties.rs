//! What must hold for all policies.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::access::Decision;
use cadastre_model::asset::PolicyKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{ACCOUNT, APP, World, document, grant, policy};

/// How much a decision lets through.
fn breadth(decision: &Decision) -> u8 {
    match decision {
        Decision::Deny => 0,
        Decision::Conditional(_) | Decision::Unknown(_) => 1,
        Decision::Allow => 2,
    }
}

/// Every answer about the small world, by question.
fn answers(identity: &[Value], bucket: &[Value], key: &[Value]) -> BTreeMap<String, u8> {
    let mut world = World::new();
    world.role(APP, json!(identity));
    world.bucket(json!(bucket));
    world.key(json!(key)).grants =
        Known::Observed(vec![grant("arn:aws:iam::111122223333:role/b", &["Decrypt"])]);
    let mut answers = BTreeMap::new();
    for edge in world.evaluate().edges {
        let wider = breadth(&edge.decision);
        let mut answer = |question: String| {
            let known = answers.entry(question).or_insert(0);
            *known = wider.max(*known);
        };
        // A way round that adds nothing to what is held already is not told, so ways round count for what they lead to.
        let way_round = edge.enables.as_ref().filter(|_| edge.action.starts_with("iam:"));
        let leads_to = way_round.map_or(edge.capability, |enabled| enabled.capability);
        answer(format!("{} {leads_to} {} by any way", edge.principal, edge.target));
        if way_round.is_none() {
            answer(format!("{} {} {} {}", edge.principal, edge.capability, edge.target, edge.action));
        }
    }
    answers
}

fn condition() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        Just(Some(json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}))),
        Just(Some(json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}))),
        Just(Some(json!({"ArnNotEquals": {"aws:PrincipalArn": APP}}))),
        Just(Some(json!({"Bool": {"aws:SecureTransport": "false"}}))),
    ]
}

fn statement(resource_policy: bool) -> impl Strategy<Value = Value> {
    let effect = prop_oneof![Just("Allow"), Just("Deny")];
    let action = prop_oneof![
        Just("*"),
        Just("s3:*"),
        Just("s3:GetObject"),
        Just("kms:Decrypt"),
        Just("kms:*"),
        Just("iam:Put*")
    ];
    let resource = prop_oneof![
        Just("*"),
        Just("arn:aws:s3:::data/*"),
        Just("arn:aws:s3:::data/logs/*"),
        Just("arn:aws:kms:*:*:key/*")
    ];
    let who = prop_oneof![
        Just(json!("*")),
        Just(json!({"AWS": APP})),
        Just(json!({"AWS": ACCOUNT})),
        Just(json!({"AWS": "999988887777"}))
    ];
    (effect, action, resource, who, condition(), any::<bool>()).prop_map(
        move |(effect, action, resource, who, condition, inverted)| {
            let mut statement = json!({"Effect": effect, "Resource": resource});
            statement[if inverted { "NotAction" } else { "Action" }] = json!(action);
            if resource_policy {
                statement["Principal"] = who;
            }
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            statement
        },
    )
}

fn of_effect(mut statement: Value, effect: &str) -> Value {
    statement["Effect"] = json!(effect);
    statement
}

/// Any JSON at all, with a liking for the words of policies.
fn anything() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("Allow".to_owned()),
        Just("*".to_owned()),
        Just("s3:GetObject".to_owned()),
        Just("${".to_owned()),
        Just("2012-10-17".to_owned()),
        "[a-z*?:$\\{\\}]{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("Version".to_owned()),
        Just("Statement".to_owned()),
        Just("Effect".to_owned()),
        Just("Action".to_owned()),
        Just("NotAction".to_owned()),
        Just("Resource".to_owned()),
        Just("Principal".to_owned()),
        Just("Condition".to_owned()),
        Just("AWS".to_owned()),
        Just("StringLike".to_owned()),
        Just("ForAllValues:StringEquals".to_owned()),
        Just("aws:username".to_owned()),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn adding_a_deny_never_widens(
        identity in prop::collection::vec(statement(false), 0..4),
        bucket in prop::collection::vec(statement(true), 0..3),
        key in prop::collection::vec(statement(true), 0..3),
        added in statement(false),
    ) {
        let before = answers(&identity, &bucket, &key);
        let mut stricter = identity;
        stricter.push(of_effect(added, "Deny"));
        for (question, after) in answers(&stricter, &bucket, &key) {
            prop_assert!(after <= before.get(&question).copied().unwrap_or(0), "{question}");
        }
    }

    #[test]
    fn removing_an_allow_never_widens(
        identity in prop::collection::vec(statement(false), 0..4),
        bucket in prop::collection::vec(statement(true), 0..3),
        key in prop::collection::vec(statement(true), 0..3),
        removed in statement(true),
    ) {
        let mut wider = bucket.clone();
        wider.push(of_effect(removed, "Allow"));
        let before = answers(&identity, &wider, &key);
        for (question, after) in answers(&identity, &bucket, &key) {
            prop_assert!(after <= before.get(&question).copied().unwrap_or(0), "{question}");
        }
    }

    #[test]
    fn any_document_is_survived(identity in anything(), bucket in anything(), trust in anything()) {
        let mut world = World::new();
        let app = world.of(APP);
        app.policies = Known::Observed(vec![
            document("whole", PolicyKind::Inline, identity.clone()),
            document("statement", PolicyKind::Managed, policy(identity.clone())),
            document("statements", PolicyKind::Inline, policy(json!([identity]))),
        ]);
        app.trust = Known::Observed(document("trust", PolicyKind::Trust, policy(trust)));
        world.bucket(json!([])).policy = Known::Observed(document("bucket-policy", PolicyKind::Resource, policy(bucket)));
        world.evaluate();
    }
}
