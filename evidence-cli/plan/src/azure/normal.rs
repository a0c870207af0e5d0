//! One shape for what the API answers and what `az` prints, so that a plan's difference fits on both.

use serde_json::{Map, Value, json};

/// Members of a resource that do not lie in its `properties`.
const OUTSIDE: [&str; 13] = [
    "apiVersion",
    "etag",
    "extendedLocation",
    "id",
    "identity",
    "kind",
    "location",
    "managedBy",
    "name",
    "sku",
    "tags",
    "type",
    "zones",
];

/// Lists whose elements are resources of their own.
const PARTS: [&str; 9] = [
    "defaultSecurityRules",
    "ipConfigurations",
    "manualPrivateLinkServiceConnections",
    "privateLinkServiceConnections",
    "remoteVirtualNetworkPeerings",
    "routes",
    "securityRules",
    "subnets",
    "virtualNetworkPeerings",
];

/// Members that `az` spells in another way than the API.
const SPELLINGS: [(&str, &str); 5] = [
    ("enableHttpsTrafficOnly", "supportsHttpsTrafficOnly"),
    ("keyVaultProperties", "keyvaultproperties"),
    ("networkRuleSet", "networkAcls"),
    ("privateIpAddress", "privateIPAddress"),
    ("publicIpAddress", "publicIPAddress"),
];

/// Brings a resource and its parts into the shape of the API: properties under `properties`, one range in a list of
/// them, permissions of access policies in lower case.
pub(crate) fn nested(item: &mut Value) {
    let Value::Object(members) = item else { return };
    if !members.get("properties").is_some_and(Value::is_object) {
        let (outside, own): (Map<String, Value>, Map<String, Value>) =
            std::mem::take(members).into_iter().partition(|(name, _)| OUTSIDE.contains(&name.as_str()));
        *members = outside;
        members.insert("properties".to_owned(), Value::Object(own));
    }
    let Some(Value::Object(own)) = members.get_mut("properties") else { return };
    for (other, spelling) in SPELLINGS {
        if let Some(value) = own.remove(other) {
            own.entry(spelling).or_insert(value);
        }
    }
    for part in PARTS {
        own.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten().for_each(nested);
    }
    if !own.get("addressPrefixes").is_some_and(Value::is_array)
        && let Some(range @ Value::String(_)) = own.get("addressPrefix").cloned()
        && own.get("nextHopType").is_none()
    {
        own.remove("addressPrefix");
        own.insert("addressPrefixes".to_owned(), json!([range]));
    }
    for policy in own.get_mut("accessPolicies").and_then(Value::as_array_mut).into_iter().flatten() {
        let keys = policy.pointer_mut("/permissions/keys").and_then(Value::as_array_mut);
        for key in keys.into_iter().flatten() {
            if let Value::String(text) = key {
                *text = text.to_lowercase();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_az_prints_and_what_the_api_answers_become_one_shape() {
        let mut printed = json!({"id": "/n", "name": "n", "subnets": [{"id": "/s", "name": "s", "addressPrefix": "10.0.0.0/24"}]});
        let mut answered = json!({"id": "/n", "name": "n", "properties": {"subnets": [
            {"id": "/s", "name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}]}});
        nested(&mut printed);
        nested(&mut answered);
        assert_eq!(printed, answered);
        assert_eq!(printed["properties"]["subnets"][0]["properties"]["addressPrefixes"][0], "10.0.0.0/24");
        let once = printed.clone();
        nested(&mut printed);
        assert_eq!(printed, once);
    }
}
