//! Laying the difference between two values over a third one, which may say more than either.

use serde_json::{Map, Value};

use crate::document;

/// Members that hold policy documents: compared by meaning, replaced whole.
const DOCUMENTS: [&str; 4] = ["Document", "PolicyDocument", "AssumeRolePolicyDocument", "Policy"];

/// How elements of an array are told apart, by the member that holds the array. Elsewhere an element is the
/// same as another one when that says everything it says.
const KEYS: &[(&str, &[&str])] = &[
    ("RolePolicyList", &["PolicyName"]),
    ("UserPolicyList", &["PolicyName"]),
    ("GroupPolicyList", &["PolicyName"]),
    ("AttachedManagedPolicies", &["PolicyArn"]),
    ("PolicyVersionList", &["VersionId"]),
    ("InstanceProfileList", &["Arn"]),
    ("Roles", &["Arn"]),
    ("Routes", &["DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"]),
    ("Associations", &["SubnetId", "GatewayId", "Main"]),
    ("Entries", &["RuleNumber", "Egress"]),
    ("Attachments", &["VpcId", "InstanceId"]),
    ("Rules", &["ID"]),
    ("configs", &["name"]),
    ("credentials", &["mechanism"]),
    ("accessPolicies", &["objectId", "applicationId"]),
    ("ipConfigurations", &["name"]),
    ("manualPrivateLinkServiceConnections", &["name"]),
    ("privateLinkServiceConnections", &["name"]),
    ("routes", &["name"]),
    ("securityRules", &["name"]),
    ("subnets", &["name"]),
    ("virtualNetworkPeerings", &["name"]),
];

/// Members that count as a whole: what a role allows.
const WHOLE: [&str; 1] = ["permissions"];

/// The member that holds what Azure resources say, of which a plan may show a part.
const CONTAINER: &str = "properties";

/// Lists of Azure whose elements others attach things to. What is only attached to has no id.
const ATTACHED_TO: [&str; 1] = ["subnets"];

/// `base` with what changes from `before` to `after`.
pub(crate) fn three_way(member: &str, base: &Value, before: &Value, after: &Value) -> Value {
    if before == after || DOCUMENTS.contains(&member) && document::same(before, after) {
        return base.clone();
    }
    match (base, before, after) {
        _ if DOCUMENTS.contains(&member) && after.get("Statement").is_some() => after.clone(),
        (_, _, Value::Array(_)) if WHOLE.contains(&member) => after.clone(),
        (Value::Object(base), Value::Object(before), Value::Object(after)) => {
            Value::Object(objects(base, before, after))
        }
        (Value::Array(base), Value::Array(before), Value::Array(after)) => {
            Value::Array(arrays(member, base, before, after))
        }
        _ => after.clone(),
    }
}

fn objects(
    base: &Map<String, Value>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = base.clone();
    for (name, old) in before {
        if !after.contains_key(name) {
            match (merged.get(name), old) {
                // A list that is no longer mentioned loses what was mentioned and keeps the rest.
                (Some(Value::Array(kept)), Value::Array(old)) => {
                    let rest = arrays(name, kept, old, &[]);
                    merged.insert(name.clone(), Value::Array(rest));
                }
                (Some(Value::Object(kept)), Value::Object(old)) if name == CONTAINER => {
                    let rest = objects(kept, old, &Map::new());
                    merged.insert(name.clone(), Value::Object(rest));
                }
                _ => {
                    merged.remove(name);
                }
            }
        }
    }
    for (name, new) in after {
        let old = before.get(name);
        if old == Some(new) {
            continue;
        }
        let value = match (merged.get(name), old, new) {
            (Some(base), Some(old), _) => three_way(name, base, old, new),
            (Some(Value::Array(base)), None, Value::Array(new)) => Value::Array(arrays(name, base, &[], new)),
            (Some(Value::Object(base)), None, Value::Object(new)) if name == CONTAINER => {
                Value::Object(objects(base, &Map::new(), new))
            }
            _ => new.clone(),
        };
        merged.insert(name.clone(), value);
    }
    merged
}

fn arrays(member: &str, base: &[Value], before: &[Value], after: &[Value]) -> Vec<Value> {
    let same = |a: &Value, b: &Value| is_same(member, a, b);
    let only_attached = |old: &Value| ATTACHED_TO.contains(&member) && old.get("id").is_none();
    let mut merged: Vec<Value> = base
        .iter()
        .filter_map(|element| {
            let was = before.iter().find(|old| same(old, element));
            match was {
                Some(old) if !after.iter().any(|new| same(new, element)) => {
                    let named = serde_json::json!({"name": old.get("name")});
                    only_attached(old).then(|| three_way("", element, old, &named))
                }
                _ => Some(element.clone()),
            }
        })
        .collect();
    for new in after {
        let old = before.iter().find(|old| same(old, new));
        match merged.iter_mut().find(|element| same(new, element)) {
            Some(element) => {
                if let Some(old) = old {
                    *element = three_way("", element, old, new);
                } else {
                    union(element, new.clone());
                }
            }
            // Unchanged and not in the base: something else took it away, and the plan does not bring it back.
            None if old == Some(new) => {}
            None => merged.push(new.clone()),
        }
    }
    merged
}

/// Whether `element` is what `wanted` describes.
fn is_same(member: &str, wanted: &Value, element: &Value) -> bool {
    match KEYS.iter().find(|(name, _)| *name == member) {
        Some((_, keys)) => keys.iter().all(|key| wanted.get(key) == element.get(key)),
        None => says(element, wanted),
    }
}

/// Whether `more` says everything that `less` says.
fn says(more: &Value, less: &Value) -> bool {
    match (more, less) {
        (Value::Object(more), Value::Object(less)) => {
            less.iter().all(|(name, value)| more.get(name).is_some_and(|more| says(more, value)))
        }
        (Value::Array(more), Value::Array(less)) => {
            more.len() == less.len() && less.iter().zip(more).all(|(less, more)| says(more, less))
        }
        (more, less) => more == less,
    }
}

/// Adds what `part` says to `value`; where they differ, `part` counts, and lists are joined.
pub(crate) fn union(value: &mut Value, part: Value) {
    match (value, part) {
        (Value::Object(members), Value::Object(part)) => {
            for (name, new) in part {
                match members.get_mut(&name) {
                    Some(Value::Array(elements)) => match new {
                        Value::Array(new) => {
                            for element in new {
                                match elements.iter_mut().find(|known| is_same(&name, &element, known)) {
                                    Some(known) => union(known, element),
                                    None => elements.push(element),
                                }
                            }
                        }
                        other => {
                            members.insert(name, other);
                        }
                    },
                    Some(known @ Value::Object(_)) if !DOCUMENTS.contains(&name.as_str()) => {
                        union(known, new)
                    }
                    _ => {
                        members.insert(name, new);
                    }
                }
            }
        }
        (value, part) => *value = part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(base: Value, before: Value, after: Value, expected: Value) {
        assert_eq!(three_way("", &base, &before, &after), expected);
    }

    #[test]
    fn what_the_plan_does_not_touch_stays() {
        check(
            json!({"RoleName": "a", "RoleId": "AROA", "RolePolicyList": [{"PolicyName": "x"}, {"PolicyName": "y"}]}),
            json!({"RoleName": "a", "RolePolicyList": [{"PolicyName": "x"}]}),
            json!({"RoleName": "a", "RolePolicyList": []}),
            json!({"RoleName": "a", "RoleId": "AROA", "RolePolicyList": [{"PolicyName": "y"}]}),
        );
        check(json!({"a": 1, "b": 2}), json!({"a": 1}), json!({"a": 3}), json!({"a": 3, "b": 2}));
        check(json!({"a": 1, "b": 2}), json!({"a": 1}), json!({}), json!({"b": 2}));
        check(json!({"list": [1, 2]}), json!({"list": [1]}), json!({}), json!({"list": [2]}));
        check(json!({"list": [1]}), json!({}), json!({"list": [2]}), json!({"list": [1, 2]}));
    }

    #[test]
    fn an_element_that_says_more_is_found_and_taken_away() {
        check(
            json!([{"CidrIp": "10.0.0.0/8", "Description": "inner"}, {"CidrIp": "0.0.0.0/0"}]),
            json!([{"CidrIp": "10.0.0.0/8"}]),
            json!([{"CidrIp": "10.1.0.0/16"}]),
            json!([{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "10.1.0.0/16"}]),
        );
    }

    #[test]
    fn documents_are_replaced_whole_and_only_when_they_mean_something_else() {
        let document = |action: Value| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action}]});
        let base = json!({"Policy": document(json!(["a"]))});
        check(
            base.clone(),
            json!({"Policy": document(json!("a"))}),
            json!({"Policy": document(json!(["a"]))}),
            base.clone(),
        );
        check(
            base,
            json!({"Policy": document(json!("a"))}),
            json!({"Policy": document(json!("b"))}),
            json!({"Policy": document(json!("b"))}),
        );
    }
}
