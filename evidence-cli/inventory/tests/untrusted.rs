//! No response, however odd, makes reading fail or invents an answer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use cadastre_inventory::build;
use cadastre_model::{Outcome, Record};
use common::{declaration, everything, seal};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON, with the member names that answers have, so that it reaches deep.
fn any_json(names: Vec<String>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![
            Just("10.0.0.0/8"),
            Just("2026-11-21T10:00:00Z"),
            Just("-1"),
            Just("arn:aws:s3:::b"),
            Just(""),
            Just("é\u{1F600}"),
            Just("b1:x")
        ]
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let name = prop_oneof![9 => proptest::sample::select(names), 1 => ".{0,6}"];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every pointer into a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn member_names() -> Vec<String> {
    let mut names = Vec::new();
    for observation in everything() {
        let mut found = Vec::new();
        pointers(&observation.response, "", &mut found);
        names.extend(found.iter().filter_map(|pointer| pointer.rsplit('/').next().map(str::to_owned)));
    }
    names.sort();
    names.dedup();
    names
}

/// What is known of anything, by where it stands in the inventory.
fn settled(records: &[Record]) -> Value {
    serde_json::to_value(build(records, &declaration())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_response_is_read_or_named_as_unreadable(
        which in any::<prop::sample::Index>(),
        response in any_json(member_names()),
        in_request in any::<bool>(),
    ) {
        let mut observations = everything();
        let index = which.index(observations.len());
        if in_request {
            observations[index].request = response;
        } else {
            observations[index].response = response;
        }
        let records: Vec<Record> = observations.into_iter().filter_map(|observation| observation.seal().ok()).collect();
        let (inventory, coverage) = build(&records, &declaration());
        for defect in &inventory.unreadable {
            let known = records.iter().any(|record| *record.id() == defect.record);
            prop_assert!(known && defect.pointer.starts_with('/'));
        }
        let asked: usize = coverage.questions.values().flatten().map(|question| question.records.len()).sum();
        prop_assert_eq!(asked, records.len());
    }

    #[test]
    fn a_damaged_answer_reads_the_same_in_any_order(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        damage in prop_oneof![Just(json!(null)), Just(json!(-7)), Just(json!("?")), Just(json!([])), Just(json!({})), Just(json!([[]]))],
    ) {
        let mut observations = everything();
        let observed: Vec<usize> = observations.iter().enumerate()
            .filter(|(_, observation)| observation.outcome == Outcome::Observed).map(|(index, _)| index).collect();
        let observation = &mut observations[observed[which.index(observed.len())]];
        let mut found = Vec::new();
        pointers(&observation.response, "", &mut found);
        *observation.response.pointer_mut(&found[place.index(found.len())]).unwrap() = damage;
        let records = seal(observations);
        let first = settled(&records);
        let mut reversed = records;
        reversed.reverse();
        prop_assert_eq!(first, settled(&reversed));
    }
}
