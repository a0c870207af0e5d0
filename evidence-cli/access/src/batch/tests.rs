//! Promises of batch evaluation.

use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "111122223333";
const USER: &str = "arn:aws:iam::111122223333:user/ann";
const OBJECT: &str = "arn:aws:s3:::data/a";

fn policy(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn case(policies: Value) -> Value {
    json!({
        "id": "1",
        "request": {
            "principal": USER, "principalAccount": ACCOUNT, "action": "s3:GetObject", "resource": OBJECT,
            "resourceAccount": ACCOUNT, "context": {}, "contextComplete": true
        },
        "policies": policies
    })
}

fn written(answer: &Answer) -> Value {
    serde_json::to_value(answer).expect("an answer can be written")
}

#[test]
fn an_answer_names_the_statements_it_rests_on() {
    let allow = json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"});
    let other = json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
    let line = case(json!({"identity": [policy(json!([other, allow]))]})).to_string();
    assert_eq!(
        written(&answer(&line)),
        json!({"id": "1", "decision": "allow", "condition": null, "by": [{"policy": "identity[0]", "statement": 1}]})
    );
    let line =
        case(json!({"identity": [policy(json!([allow]))], "scp": [[policy(json!([deny]))]]})).to_string();
    assert_eq!(
        written(&answer(&line)),
        json!({"id": "1", "decision": "deny", "condition": null, "by": [{"policy": "scp[0][0]", "statement": 0}]})
    );
    let line = case(json!({"identity": [], "resource": null})).to_string();
    assert_eq!(
        written(&answer(&line)),
        json!({"id": "1", "decision": "deny", "condition": null, "by": [], "missing": ["no identity policy allows"]})
    );
}

#[test]
fn a_key_that_may_be_there_leaves_a_condition() {
    let statement = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition":
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}});
    let mut line = case(json!({"identity": [policy(json!(statement))]}));
    assert_eq!(answer(&line.to_string()).decision, Outcome::Deny);
    line["request"]["contextComplete"] = json!(false);
    let open = answer(&line.to_string());
    assert_eq!(open.decision, Outcome::Conditional);
    assert_eq!(open.condition.as_deref(), Some("aws:SourceIp within [10.0.0.0/8]"));
    line["request"]["context"] = json!({"AWS:sourceip": "10.1.2.3"});
    assert_eq!(answer(&line.to_string()).decision, Outcome::Allow);
}

#[test]
fn what_cannot_be_read_is_unknown_and_says_where() {
    let odd =
        json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringIs": {"a": "b"}}});
    let line = case(json!({"identity": [policy(json!([odd]))]})).to_string();
    let told = answer(&line);
    assert_eq!(told.decision, Outcome::Unknown);
    assert_eq!(told.missing, ["the identity policy at /Statement/0: operator `StringIs` is not known"]);
    let deny = policy(json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}]));
    let line = case(json!({"identity": [policy(json!([odd])), deny]})).to_string();
    assert_eq!(answer(&line).decision, Outcome::Deny);
}

#[test]
fn a_malformed_line_gets_an_answer_with_its_number() {
    let mut evaluator = Evaluator::default();
    let told = evaluator.answer_line("{\"id\": 7, \"request\": {}}", 12);
    assert_eq!(told.id, json!(7));
    assert_eq!(told.decision, Outcome::Unknown);
    assert!(
        told.error.as_deref().is_some_and(|error| error.starts_with("line 12: missing field `principal`")),
        "{told:?}"
    );
    assert_eq!(evaluator.answer_line("nonsense", 3).id, Value::Null);
}

#[test]
fn a_stream_keeps_order_and_counts_what_it_could_not_read() {
    let allow = policy(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]));
    let mut input = String::new();
    for number in 0..5_000 {
        if number % 1_000 == 999 {
            input.push_str("{\n");
            continue;
        }
        let mut line = case(json!({"identity": if number % 2 == 0 { json!([allow]) } else { json!([]) }}));
        line["id"] = json!(number);
        input.push_str(&line.to_string());
        input.push('\n');
    }
    let mut output = Vec::new();
    let threads = std::num::NonZeroUsize::new(3).expect("three");
    let summary = stream(input.as_bytes(), &mut output, threads).expect("a stream in memory");
    assert_eq!(
        summary,
        Summary { cases: 4_995, malformed: 5, allow: 2_500, deny: 2_495, conditional: 0, unknown: 0 }
    );
    let text = String::from_utf8(output).expect("text");
    for (number, line) in text.lines().enumerate() {
        let answer: Value = serde_json::from_str(line).expect("an answer");
        if number % 1_000 == 999 {
            assert_eq!(answer["id"], Value::Null);
            let start = format!("line {}: ", number + 1);
            assert!(answer["error"].as_str().is_some_and(|error| error.starts_with(&start)), "{answer}");
        } else {
            assert_eq!(answer["id"], json!(number));
        }
    }
    assert_eq!(text.lines().count(), 5_000);
}

#[test]
fn a_line_that_is_too_long_is_passed_over_and_answered() {
    let mut input = vec![b'x'; stream::MAXIMUM_LINE + 1];
    input.extend_from_slice(b"\n\n");
    input.extend_from_slice(case(json!({})).to_string().as_bytes());
    let mut output = Vec::new();
    let summary = stream(&input[..], &mut output, std::num::NonZeroUsize::MIN).expect("a stream in memory");
    assert_eq!((summary.malformed, summary.deny), (1, 1));
    let text = String::from_utf8(output).expect("text");
    assert!(text.starts_with("{\"id\":null,\"decision\":\"unknown\""), "{text}");
    assert!(text.contains("line 1: longer than 4194304 bytes"), "{text}");
}
