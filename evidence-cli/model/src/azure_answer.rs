//! What every answer of Azure Resource Manager is cleared of before it becomes a record.

use serde_json::Value;

/// Members that may hold a secret, in lower case.
const SECRETS: [&str; 14] = [
    "adminpassword",
    "connectionstring",
    "customdata",
    "keyvalue",
    "primaryconnectionstring",
    "primarykey",
    "protectedsettings",
    "sastoken",
    "secondaryconnectionstring",
    "secondarykey",
    "secreturl",
    "sharedkey",
    "storageaccountkey",
    "userdata",
];

/// How deep an answer may nest.
const MAXIMUM_DEPTH: usize = 64;

/// An answer nests deeper than any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer nests deeper than {MAXIMUM_DEPTH} levels")]
pub struct NestingError;

/// Drops every member that may hold a secret.
///
/// # Errors
/// When the answer nests too deep to be looked through.
pub fn without_secrets(mut answer: Value) -> Result<Value, NestingError> {
    clear(&mut answer, MAXIMUM_DEPTH)?;
    Ok(answer)
}

fn clear(value: &mut Value, depth: usize) -> Result<(), NestingError> {
    let Some(depth) = depth.checked_sub(1) else { return Err(NestingError) };
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| clear(item, depth)),
        Value::Object(members) => {
            members.retain(|name, _| !SECRETS.contains(&name.to_ascii_lowercase().as_str()));
            members.values_mut().try_for_each(|member| clear(member, depth))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_go_wherever_they_stand_and_the_rest_stays() {
        let answer =
            json!({"value": [{"properties": {"AdminPassword": "x", "permissions": {"keys": ["get"]}}}]});
        let expected = json!({"value": [{"properties": {"permissions": {"keys": ["get"]}}}]});
        assert_eq!(without_secrets(answer), Ok(expected));
        let deep = (0..100).fold(Value::Null, |inner, _| json!([inner]));
        assert_eq!(without_secrets(deep), Err(NestingError));
    }
}
