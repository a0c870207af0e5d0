//! Hostile policies: JSON that is changed at random, within the bounds of a seed.
//!
//! Structure is changed first (other types, members that are gone, renamed or repeated, deep nesting, long lists and
//! texts), then now and then the text itself (bytes, cuts, members that stand twice).

use serde_json::{Map, Value, json};

use crate::access_cases::Dice;

/// Values that belong nowhere, or that are easily misread.
const VALUES: [&str; 26] = [
    "null",
    "true",
    "0",
    "-1",
    "1e308",
    "-0.0",
    "18446744073709551615",
    "\"\"",
    "\"*\"",
    "\"?\"",
    "\"${\"",
    "\"${}\"",
    "\"${*}${?}${$}\"",
    "\"${aws:username, '${aws:userid}'}\"",
    "\"arn:aws:s3:::*\"",
    "\"arn:*:*:*:*:*:*:*\"",
    "\"::::::::\"",
    "\"\\u0000\"",
    "\"\u{feff}Allow\"",
    "\"0.0.0.0/33\"",
    "\"9999-99-99T99:99:99Z\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"AWS\":{\"AWS\":\"*\"}}",
];

/// Names that members get.
const NAMES: [&str; 22] = [
    "Effect",
    "effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
    "Statement",
    "Version",
    "Sid",
    "AWS",
    "Service",
    "CanonicalUser",
    "StringEquals",
    "ForAllValues:StringLike",
    "ForSomeValue:StringEquals",
    "StringEqualsIfExistsIfExists",
    "ForAnyValue:Null",
    "",
    "__proto__",
];

/// Changes a value in one to six places.
pub(crate) fn change(dice: &mut Dice, value: &mut Value) {
    for _ in 0..=dice.below(6) {
        let places = count(value);
        let at = dice.below(places);
        if let Some(place) = nth(value, &mut at.clone()) {
            change_here(dice, place);
        }
    }
}

fn change_here(dice: &mut Dice, value: &mut Value) {
    match (dice.below(12), &mut *value) {
        (0..=3, _) => *value = odd(dice),
        (4, Value::Object(members)) => {
            if let Some(name) = pick(dice, members) {
                members.remove(&name);
            }
        }
        (5, Value::Object(members)) => {
            if let Some(moved) = pick(dice, members).and_then(|name| members.remove(&name)) {
                members.insert(dice.one(&NAMES).to_owned(), moved);
            }
        }
        (6, Value::Object(members)) => {
            members.insert(dice.one(&NAMES).to_owned(), odd(dice));
        }
        (7, Value::Array(list)) => {
            let copies: Vec<Value> = list.iter().cycle().take(list.len() * dice.below(40)).cloned().collect();
            list.extend(copies);
        }
        (8, Value::String(text)) => {
            let longer = ["*", "a*", "?", "${aws:username}", "\u{1F980}", ":"];
            *text = dice.one(&longer).repeat(1 + dice.below(2_000));
        }
        (9, Value::String(text)) => text.insert(0, '\u{0}'),
        (10, _) => {
            let inner = value.take();
            *value = json!([inner]);
        }
        (11, _) => {
            let inner = value.take();
            *value = json!({dice.one(&NAMES): inner});
        }
        _ => *value = odd(dice),
    }
}

fn odd(dice: &mut Dice) -> Value {
    match dice.below(40) {
        0 => Value::String("a*".repeat(1 + dice.below(60_000))),
        1 => (0..1 + dice.below(6_000)).map(|at| Value::String(format!("s3:Get{at}*"))).collect(),
        2 => (0..dice.below(120)).fold(Value::Null, |inner, _| json!([inner])),
        3 => (0..dice.below(120)).fold(Value::Null, |inner, _| json!({"Condition": inner})),
        _ => serde_json::from_str(dice.one(&VALUES)).unwrap_or(Value::Null),
    }
}

fn pick(dice: &mut Dice, members: &Map<String, Value>) -> Option<String> {
    let at = dice.below(members.len());
    members.keys().nth(at).cloned()
}

/// How many values there are, the value itself among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value with a number, counted from the outside in.
fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|inner| nth(inner, left)),
        Value::Object(members) => members.values_mut().find_map(|inner| nth(inner, left)),
        _ => None,
    }
}

/// Changes a text that was JSON.
pub(crate) fn change_text(dice: &mut Dice, text: &mut String) {
    let mut at = dice.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    match dice.below(7) {
        0 => text.truncate(at),
        1 => text.insert_str(at, dice.one(&["\"", "{", "[", "\\u", ",", "\u{0}", "1e999", "//", "\u{feff}"])),
        2 => text.insert_str(at, &"[".repeat(1 + dice.below(100_000))),
        3 => text.insert_str(at, &"{\"a\":".repeat(1 + dice.below(20_000))),
        // A member that stands twice.
        4 => *text = text.replacen("\"Effect\":", "\"Effect\":\"Deny\",\"Effect\":", 1 + dice.below(3)),
        5 => *text = text.replacen("\"Action\":", "\"Action\":\"*\",\"Action\":", 1 + dice.below(3)),
        _ => {
            if let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
                text.replace_range(
                    at..at + character.len_utf8(),
                    dice.one(&["0", "}", "]", "\"", "é", "\\"]),
                );
            }
        }
    }
}

/// What no policy looks like; nothing that rests on it may be a yes.
pub(crate) fn garbage(dice: &mut Dice) -> Value {
    match dice.below(7) {
        0 => Value::Null,
        1 => Value::Bool(true),
        2 => json!(7),
        3 => Value::String("a".repeat(dice.below(1_000_000))),
        4 => json!([]),
        5 => json!({"Statement": 7}),
        _ => {
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Permit", "Action": "*", "Resource": "*"}]})
        }
    }
}
