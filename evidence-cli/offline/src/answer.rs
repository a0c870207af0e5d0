//! What a file holds: an answer, or the error that the AWS CLI printed in its place.

use cadastre_model::record::{Outcome, Problem};
use cadastre_model::time::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{OfflineError, OfflineFile};

/// Policy documents, which the CLI prints as objects, as JSON in a string, or percent-encoded.
const DOCUMENTS: [&str; 7] = [
    "AssumeRolePolicyDocument",
    "Content",
    "Document",
    "EventPattern",
    "Policy",
    "PolicyDocument",
    "ResourcePolicy",
];
/// What no record may hold.
const SECRETS: [&str; 5] = ["Password", "SecretAccessKey", "SecretString", "SessionToken", "UserData"];
/// Error codes that say that there is nothing.
const ABSENT: [&str; 11] = [
    "AWSOrganizationsNotInUseException",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFoundException",
    "ObjectLockConfigurationNotFoundError",
    "ReplicationConfigurationNotFoundError",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
];
/// Beginnings of error codes that say that somebody may not ask.
const DENIED: [&str; 3] = ["AccessDenied", "Unauthorized", "AuthorizationError"];
/// How deep an answer may nest.
const MAXIMUM_DEPTH: usize = 64;

/// What a file holds.
#[derive(Debug)]
pub(crate) enum Content {
    Answer(Value),
    Refusal(Outcome, Problem),
}

pub(crate) fn read(file: &OfflineFile) -> Result<Content, OfflineError> {
    let wrong = |problem: String| OfflineError::NotAnAnswer { path: file.path.clone(), problem };
    let text = std::str::from_utf8(&file.content).map_err(|error| wrong(error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Some((code, message)) = printed_error(text) {
        return Ok(refusal(code, message));
    }
    let mut value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if !value.is_object() {
        return Err(wrong("it is no JSON object".to_owned()));
    }
    normalise(&mut value, MAXIMUM_DEPTH);
    Ok(Content::Answer(value))
}

/// A file that holds a piece of an answer: an object, or a list.
pub(crate) fn value(file: &OfflineFile) -> Result<Value, OfflineError> {
    let wrong = |problem: String| OfflineError::NotAnAnswer { path: file.path.clone(), problem };
    let text = std::str::from_utf8(&file.content).map_err(|error| wrong(error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    normalise(&mut value, MAXIMUM_DEPTH);
    Ok(value)
}

/// `An error occurred (CODE) when calling the OPERATION operation: MESSAGE`, as the CLI writes it.
fn printed_error(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("An error occurred (")?;
    let (code, rest) = rest.split_once(')')?;
    Some((code, rest.split_once(": ").map_or("", |(_, message)| message)))
}

fn refusal(code: &str, message: &str) -> Content {
    let outcome = if ABSENT.contains(&code) {
        Outcome::Absent
    } else if DENIED.iter().any(|denied| code.starts_with(denied)) {
        Outcome::Denied
    } else {
        Outcome::Failed
    };
    let message = message.lines().next().unwrap_or_default().to_owned();
    Content::Refusal(outcome, Problem { code: code.to_owned(), message })
}

/// Brings an answer into the shape that records have: documents parsed, times in UTC, secrets gone.
fn normalise(value: &mut Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(item, depth)),
        Value::Object(members) => {
            members.retain(|name, _| !SECRETS.contains(&name.as_str()));
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(text) if name == "AccessKeyId" => *text = cut(text),
                    Value::String(text) if DOCUMENTS.contains(&name.as_str()) => {
                        if let Some(document) = parsed(text) {
                            *member = document;
                        }
                    }
                    Value::String(text) => {
                        if let Some(time) = in_utc(text) {
                            *text = time;
                        }
                    }
                    // What a policy says is left as it is written.
                    Value::Object(_) if DOCUMENTS.contains(&name.as_str()) && is_policy(member) => {}
                    other => normalise(other, depth),
                }
            }
        }
        _ => {}
    }
}

fn is_policy(value: &Value) -> bool {
    value.as_object().is_some_and(|members: &Map<String, Value>| members.contains_key("Statement"))
}

/// The last four characters of an access key id, which is all that is kept of it.
fn cut(id: &str) -> String {
    let start = id.char_indices().rev().nth(3).map_or(0, |(index, _)| index);
    format!("****{}", id.get(start..).unwrap_or_default())
}

fn parsed(text: &str) -> Option<Value> {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    object(text).or_else(|| object(&percent_decode_str(text).decode_utf8().ok()?))
}

/// A time with an offset, as the CLI prints them, in UTC.
fn in_utc(text: &str) -> Option<String> {
    let dated =
        text.len() >= 20 && text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(10) == Some(&b'T');
    if !dated {
        return None;
    }
    let time: Timestamp = text.parse().ok()?;
    Some(time.truncated_to_seconds().to_string())
}
