//! Properties of batch evaluation over generated cases.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::case;
use super::judge::judge;
use super::policy::Compiled;
use super::request::Carried;
use super::{Outcome, answer};
use crate::condition::Condition;
use crate::expression::Expression;
use crate::variable::{Resolved, Template};

const PRINCIPALS: [&str; 7] = [
    "arn:aws:iam::111122223333:user/ann",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:sts::111122223333:assumed-role/app/one",
    "arn:aws:iam::444455556666:user/eve",
    "arn:aws:iam::111122223333:root",
    "events.amazonaws.com",
    "*",
];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(from).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = Value> {
    let single = (
        pick(&[
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringEqualsIfExists",
            "StringNotEqualsIfExists",
            "StringNotLikeIfExists",
        ]),
        pick(&["aws:SourceVpc", "aws:username", "AWS:sourcevpc", "aws:PrincipalTag/team"]),
        prop::collection::vec(
            pick(&[
                "red",
                "blue",
                "r*",
                "?ed",
                "${aws:username}",
                "${aws:PrincipalTag/team, 'red'}",
                "r${*}d",
            ]),
            1..3,
        ),
    );
    let several = (
        pick(&[
            "ForAllValues:StringEquals",
            "ForAnyValue:StringEquals",
            "ForAllValues:StringNotEquals",
            "ForAnyValue:StringNotEquals",
            "ForAnyValue:StringNotEqualsIfExists",
            "ForAllValues:StringLikeIfExists",
            "ForAnyValue:StringLikeIfExists",
            "StringNotEquals",
            "StringEquals",
        ]),
        pick(&["aws:TagKeys"]),
        prop::collection::vec(pick(&["a", "b", "c*"]), 1..3),
    );
    let other = prop_oneof![
        Just(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
        Just(json!({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}})),
        Just(json!({"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}})),
        Just(json!({"Null": {"aws:MultiFactorAuthAge": "true"}})),
        Just(json!({"Null": {"aws:TagKeys": "false"}})),
        Just(json!({"BoolIfExists": {"aws:SecureTransport": "true"}})),
        Just(json!({"DateGreaterThan": {"aws:CurrentTime": "2026-07-01"}})),
    ];
    let one = |(operator, key, values): (String, String, Vec<String>)| json!({operator: {key: values}});
    prop_oneof![single.prop_map(one), several.prop_map(one), other]
}

fn statement(place: &'static str) -> impl Strategy<Value = Value> {
    (
        pick(&["Allow", "Allow", "Allow", "Deny"]),
        any::<bool>(),
        pick(&["s3:GetObject", "s3:Get*", "s3:*", "*", "s3:PutObject"]),
        prop::bool::weighted(0.15),
        pick(&[
            "*",
            "arn:aws:s3:::data/*",
            "arn:aws:s3:::data/${aws:username}",
            "arn:aws:s3:::data/red",
            "arn:aws:s3:::b",
        ]),
        pick(&["*", "ann", "app", "one", "root", "other"]),
        prop::option::weighted(0.6, condition()),
    )
        .prop_map(move |(effect, not_action, action, not_resource, resource, named, condition)| {
            let mut statement = json!({"Effect": effect});
            statement[if not_action && action == "s3:PutObject" { "NotAction" } else { "Action" }] =
                json!(action);
            statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resource);
            if matches!(place, "resource" | "rcp" | "endpoint") {
                statement["Principal"] = match named.as_str() {
                    _ if place != "resource" => json!("*"),
                    "ann" => json!({"AWS": "arn:aws:iam::111122223333:user/ann"}),
                    "app" => json!({"AWS": "arn:aws:iam::111122223333:role/app"}),
                    "one" => json!({"AWS": "arn:aws:sts::111122223333:assumed-role/app/one"}),
                    "root" => json!({"AWS": ["111122223333", "444455556666"]}),
                    "other" => json!({"Service": "events.amazonaws.com"}),
                    _ => json!("*"),
                };
            }
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            statement
        })
}

fn document(place: &'static str) -> impl Strategy<Value = Value> {
    let version = pick(&["2012-10-17", "2012-10-17", "2012-10-17", "2008-10-17"]);
    (version, prop::collection::vec(statement(place), 1..4))
        .prop_map(|(version, statements)| json!({"Version": version, "Statement": statements}))
}

fn levels(place: &'static str) -> impl Strategy<Value = Value> {
    let full = json!({"Version": "2012-10-17", "Statement":
        [if place == "rcp" { json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}) }
         else { json!({"Effect": "Allow", "Action": "*", "Resource": "*"}) }]});
    prop::collection::vec(prop::option::of(document(place)), 0..3).prop_map(move |documents| {
        let level =
            |document: Option<Value>| Value::from_iter([Some(full.clone()), document].into_iter().flatten());
        documents.into_iter().map(level).collect()
    })
}

fn context() -> impl Strategy<Value = Value> {
    let maybe = |values: &'static [&'static str]| prop::option::of(pick(values));
    (
        maybe(&["red", "blue"]),
        maybe(&["red", "ann"]),
        maybe(&["red", "Red", "r*d"]),
        maybe(&["10.1.2.3", "203.0.113.7", "2001:db8::1"]),
        maybe(&["10", "900"]),
        maybe(&["true", "false"]),
        prop::option::of(prop::sample::subsequence(vec!["a", "b", "cd"], 1..3)),
        maybe(&["2026-06-30T00:00:00Z", "2026-07-02T00:00:00Z"]),
    )
        .prop_map(|(vpc, name, team, address, age, secure, tags, time)| {
            let mut context = Map::new();
            for (key, value) in [
                ("aws:SourceVpc", vpc),
                ("aws:username", name),
                ("aws:PrincipalTag/team", team),
                ("aws:SourceIp", address),
                ("aws:MultiFactorAuthAge", age),
                ("aws:SecureTransport", secure),
                ("aws:CurrentTime", time),
            ] {
                context.extend(value.map(|value| (key.to_owned(), json!(value))));
            }
            context.extend(tags.map(|tags| ("aws:TagKeys".to_owned(), json!(tags))));
            Value::Object(context)
        })
}

fn cases() -> impl Strategy<Value = Value> {
    let policies = (
        prop::collection::vec(document("identity"), 0..3),
        prop::option::of(document("resource")),
        prop::option::weighted(0.3, document("boundary")),
        prop::option::weighted(0.3, document("session")),
        levels("scp"),
        levels("rcp"),
        prop::option::weighted(0.2, document("endpoint")),
    );
    (pick(&PRINCIPALS), context(), policies).prop_map(
        |(principal, context, (identity, resource, boundary, session, scp, rcp, endpoint))| {
            json!({
                "id": 1,
                "request": {"principal": principal, "action": "s3:GetObject", "resource": "arn:aws:s3:::data/red",
                    "resourceAccount": "111122223333", "context": context, "contextComplete": true},
                "policies": {"identity": identity, "resource": resource, "boundary": boundary, "session": session,
                    "scp": scp, "rcp": rcp, "endpoint": endpoint}
            })
        },
    )
}

/// How much an outcome lets through.
fn width(case: &Value) -> u8 {
    match answer(&case.to_string()).decision {
        Outcome::Deny => 0,
        Outcome::Unknown => 1,
        Outcome::Conditional => 2,
        Outcome::Allow => 3,
    }
}

/// The places of a case that a statement can be added to.
fn with_statement(case: &Value, place: &str, statement: &Value) -> Option<Value> {
    let mut changed = case.clone();
    let document = match place {
        "identity" => changed["policies"]["identity"].get_mut(0)?,
        "scp" | "rcp" => changed["policies"][place].get_mut(0)?.get_mut(0)?,
        _ => changed["policies"].get_mut(place).filter(|document| document.is_object())?,
    };
    document["Statement"].as_array_mut()?.push(statement.clone());
    Some(changed)
}

/// What a symbolic verdict comes to in a complete context.
fn settle(expression: &Expression, context: &Carried, resource: &str) -> bool {
    match expression {
        Expression::Yes => true,
        Expression::No | Expression::Unknown(_) => false,
        Expression::All(parts) => parts.iter().all(|part| settle(part, context, resource)),
        Expression::Any(parts) => parts.iter().any(|part| settle(part, context, resource)),
        Expression::Test(test) if test.body.key == "resource" => {
            let like = test.body.values.iter().any(|text| {
                match Template::parse(text, true, crate::glob::Wildcards::Resource).resolve(context) {
                    Resolved::Plain(glob) => glob.matches(resource),
                    Resolved::Pattern(bytes) => crate::glob::matches(&bytes, resource),
                    _ => false,
                }
            });
            like != test.negated
        }
        Expression::Test(test) => {
            let holds = Condition::of_test(&test.body)
                .is_some_and(|condition| condition.evaluate(context) == Expression::Yes);
            holds != test.negated
        }
    }
}

/// Any JSON at all, with a liking for the words of cases.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        pick(&[
            "*",
            "Allow",
            "Deny",
            "s3:GetObject",
            "2012-10-17",
            "arn:aws:s3:::data/red",
            "${",
            "111122223333"
        ])
        .prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        pick(&[
            "id",
            "request",
            "policies",
            "principal",
            "action",
            "resource",
            "context",
            "contextComplete",
            "identity",
            "scp",
            "rcp",
            "grants",
            "Statement",
            "Effect",
            "Action",
            "Resource",
            "Principal",
            "Condition",
            "Version",
            "StringLike",
            "aws:username",
            "Constraints",
            "Operations",
            "GranteePrincipal",
        ]),
        "\\PC{0,6}",
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_deny_never_widens(case in cases(), place in pick(&["identity", "resource", "boundary", "session", "scp", "rcp", "endpoint"]),
        added in statement("identity"), named in statement("resource"))
    {
        let mut added = if matches!(place.as_str(), "resource" | "rcp" | "endpoint") { named } else { added };
        added["Effect"] = json!("Deny");
        if let Some(changed) = with_statement(&case, &place, &added) {
            prop_assert!(width(&changed) <= width(&case), "{changed}");
        }
    }

    #[test]
    fn taking_an_allow_away_never_widens(case in cases(), place in pick(&["identity", "resource", "boundary", "session", "scp", "endpoint"]),
        added in statement("identity"), named in statement("resource"))
    {
        let mut added = if matches!(place.as_str(), "resource" | "endpoint") { named } else { added };
        added["Effect"] = json!("Allow");
        if let Some(wider) = with_statement(&case, &place, &added) {
            prop_assert!(width(&case) <= width(&wider), "{wider}");
        }
    }

    #[test]
    fn a_complete_context_settles_everything(case in cases()) {
        let answer = answer(&case.to_string());
        prop_assert!(matches!(answer.decision, Outcome::Allow | Outcome::Deny), "{answer:?}");
        prop_assert!(answer.condition.is_none() && answer.error.is_none());
        prop_assert!(answer.decision == Outcome::Allow || answer.by.is_empty() != answer.missing.is_empty(), "{answer:?}");
    }

    #[test]
    fn a_condition_filled_in_is_the_decision(case in cases(), known in prop::collection::vec(any::<bool>(), 8)) {
        let mut open = case.clone();
        open["request"]["contextComplete"] = json!(false);
        if let Some(context) = open["request"]["context"].as_object_mut() {
            let mut known = known.iter().copied();
            context.retain(|_, _| known.next().unwrap_or(false));
        }
        let mut compiled = Compiled::default();
        let direct = case::read(&case.to_string(), &mut compiled).expect("a case");
        let symbolic = case::read(&open.to_string(), &mut compiled).expect("a case");
        let expected = judge(&direct.request, &direct.policies).expression == Expression::Yes;
        let verdict = judge(&symbolic.request, &symbolic.policies);
        let settled = settle(&verdict.expression, &direct.request.context, &direct.request.resource);
        prop_assert_eq!(settled, expected, "{} under {:?}", case, verdict.expression);
    }

    #[test]
    fn any_line_is_answered(line in prop_oneof![anything().prop_map(|value| value.to_string()), "\\PC{0,200}"]) {
        let answered = answer(&line);
        prop_assert!(answered.error.is_none_or(|error| error.starts_with("line 1: ")));
    }

    #[test]
    fn any_policies_are_answered(policy in anything(), grants in anything(), context in anything()) {
        let mut case = json!({"request": {"principal": PRINCIPALS[0], "action": "kms:Decrypt",
            "resource": "arn:aws:kms:us-east-1:111122223333:key/k", "context": {"aws:username": "ann"}},
            "policies": {"identity": [policy], "resource": policy, "scp": [[policy]], "endpoint": policy}});
        prop_assert!(answer(&case.to_string()).error.is_none());
        case["request"]["context"] = context;
        case["policies"]["grants"] = grants;
        let answered = answer(&case.to_string());
        prop_assert!(answered.error.is_none() || answered.decision == Outcome::Unknown);
    }
}

/// Generous for a slow machine; a quadratic walk over any of these would take minutes.
const LONG: Duration = Duration::from_secs(60);

#[track_caller]
fn answered_soon(policy: &Value, context: &Value, complete: bool) {
    let case = json!({"request": {"principal": PRINCIPALS[0], "action": "s3:GetObject", "resource": "arn:aws:s3:::data/red",
        "resourceAccount": "111122223333", "context": context, "contextComplete": complete},
        "policies": {"identity": [policy], "resource": policy}});
    let started = Instant::now();
    let answered = answer(&case.to_string());
    assert!(answered.error.is_none(), "{answered:?}");
    assert!(started.elapsed() < LONG, "took {:?}", started.elapsed());
}

#[test]
fn hostile_lines_are_answered_in_bounded_time() {
    let allow = |resource: &str| json!({"Effect": "Allow", "Action": "*", "Resource": resource});
    let policy = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements});
    answered_soon(&policy(json!([allow(&"*a".repeat(100_000))])), &json!({}), true);
    answered_soon(&policy(Value::from(vec![allow("arn:aws:s3:::*"); 4_096])), &json!({}), false);
    let keys: Map<String, Value> =
        (0..4_000).map(|number| (format!("aws:k{number}"), json!(["a*", "b"]))).collect();
    let many =
        json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotLike": keys}});
    answered_soon(&policy(json!([allow("*"), many])), &json!({}), false);
    let values: Vec<String> = (0..1_000).map(|number| format!("*{number}*")).collect();
    let wide = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition":
        {"ForAnyValue:StringLike": {"aws:TagKeys": values}}});
    answered_soon(&policy(json!([wide])), &json!({"aws:TagKeys": vec!["1111111111"; 1_000]}), true);
    let text = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(answer(&text).error.is_some());
}
