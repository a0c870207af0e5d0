//! What was exercised, as `docs/formats/drill-records.md` describes it.

use std::collections::BTreeMap;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::drill::{Drill, DrillCheck};
use cadastre_model::{Outcome, Record};

use crate::node::{Node, Read};
use crate::reader::Reader;

/// What the names of a drill's operations begin with.
const OPERATION: &str = "drill:";

/// Reads the newest record of each drill on each cluster.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Drill> {
    let answers = reader.answers;
    let mut newest: BTreeMap<(&str, &str), &Record> = BTreeMap::new();
    for record in answers.records() {
        let (Some(drill), Some(cluster)) =
            (record.operation.strip_prefix(OPERATION), record.scope.cluster.as_deref())
        else {
            continue;
        };
        let seen = newest.entry((cluster, drill)).or_insert(record);
        if (seen.observed_at, seen.id()) < (record.observed_at, record.id()) {
            *seen = record;
        }
    }
    let mut drills = Vec::new();
    for ((cluster, name), record) in newest {
        match drill(cluster, name, record) {
            Ok(drill) => drills.push(drill),
            Err(defect) => {
                reader.reject(defect);
            }
        }
    }
    drills
}

fn drill(cluster: &str, name: &str, record: &Record) -> Read<Drill> {
    let mut drill = Drill {
        id: format!("{cluster}/{name}"),
        cluster: cluster.to_owned(),
        drill: name.to_owned(),
        outcome: String::new(),
        reason: record.problem.as_ref().map(|problem| problem.message.clone()),
        cluster_id: None,
        client: Node::request(record).optional_owned_text("client")?,
        at: record.observed_at,
        checks: Vec::new(),
        measurements: BTreeMap::new(),
        evidence: EvidenceIds::from([record.id().clone()]),
    };
    drill.outcome = match record.outcome {
        Outcome::Observed | Outcome::Truncated => {
            let node = Node::response(record);
            drill.cluster_id = node.optional_owned_text("cluster_id")?;
            drill.checks = node.list("checks")?.iter().map(check).collect::<Read<_>>()?;
            drill.measurements = measurements(&node)?;
            // A drill that was cut short is that, whatever it says of itself.
            if record.outcome == Outcome::Observed {
                node.owned_text("outcome")?
            } else {
                "stopped".to_owned()
            }
        }
        Outcome::Failed | Outcome::Absent | Outcome::Denied => "not-exercised".to_owned(),
    };
    Ok(drill)
}

fn check(node: &Node<'_>) -> Read<DrillCheck> {
    Ok(DrillCheck {
        promise: node.owned_text("promise")?,
        kept: node.optional_boolean("kept")?,
        seen: node.owned_text("seen")?,
    })
}

fn measurements(node: &Node<'_>) -> Read<BTreeMap<String, u64>> {
    let Some(object) = node.optional_object("measurements")? else { return Ok(BTreeMap::new()) };
    let names = object.value.as_object().into_iter().flat_map(|members| members.keys());
    names.map(|name| Ok((name.clone(), object.count(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use cadastre_model::record::{Observation, Page, Problem};
    use cadastre_model::{Scope, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::answers::Answers;

    fn record(at: i64, outcome: Outcome, response: Value) -> Record {
        Observation {
            collector: "drills".into(),
            operation: "drill:clients".into(),
            scope: Scope::cluster("payments"),
            subject: "payments".into(),
            caller: String::new(),
            observed_at: Timestamp::from_seconds(at).unwrap(),
            outcome,
            request: json!({"client": "librdkafka 2"}),
            response,
            problem: (outcome != Outcome::Observed)
                .then(|| Problem { code: "stopped".into(), message: "interrupted".into() }),
            page: Page::ONLY,
        }
        .seal()
        .unwrap()
    }

    fn response(kept: Value) -> Value {
        json!({
            "outcome": "passed", "cluster_id": "c", "measurements": {"records": 3},
            "checks": [{"promise": "p", "kept": kept, "seen": "s"}],
        })
    }

    #[track_caller]
    fn check(records: &[Record], outcome: &str, kept: Option<bool>) {
        let answers = Answers::new(records);
        let mut reader = Reader::new(&answers);
        let drills = read(&mut reader);
        assert_eq!(drills.len(), 1);
        assert_eq!(drills[0].outcome, outcome);
        assert_eq!(drills[0].checks.first().and_then(|check| check.kept), kept);
    }

    #[test]
    fn the_newest_record_counts_and_one_that_was_cut_short_never_passed() {
        let old = record(1, Outcome::Observed, response(json!(true)));
        let new = record(2, Outcome::Observed, response(json!(null)));
        check(std::slice::from_ref(&old), "passed", Some(true));
        check(&[new, old.clone()], "passed", None);
        check(&[record(3, Outcome::Truncated, response(json!(true))), old.clone()], "stopped", Some(true));
        check(&[record(3, Outcome::Failed, Value::Null), old], "not-exercised", None);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_rejected_and_no_drill() {
        let records =
            [record(1, Outcome::Observed, json!({"outcome": "passed", "checks": [{"promise": 1}]}))];
        let answers = Answers::new(&records);
        let mut reader = Reader::new(&answers);
        assert!(read(&mut reader).is_empty());
        assert_eq!(reader.into_unreadable().len(), 1);
    }
}
