//! Answers of Azure Resource Manager, kept below the path that was asked: what `az … --output json` or `az rest` prints.
//!
//! `subscriptions/ID/providers/Microsoft.Network/virtualNetworks.json` holds the answer to a GET of that path; further
//! pages of it are `virtualNetworks@2.json` and so on.

use std::collections::BTreeMap;

use cadastre_model::azure_answer::without_secrets;
use cadastre_model::record::{Observation, Outcome, Page, Problem, Record, Scope};
use serde_json::{Map, Value, json};

use crate::{OfflineError, OfflineFile};

/// What lists a whole subscription, below `providers/`.
const LISTS: [&str; 17] = [
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/routeTables",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/natGateways",
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateLinkServices",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.EventHub/namespaces",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.Authorization/denyAssignments",
];

/// What is asked about one thing: the end of the path, the operation, and how many parts of the path's end are not
/// part of the thing's id.
const THINGS: [(&[&str], &str, usize); 7] = [
    (
        &["microsoft.network", "virtualnetworks", "*", "listnetworkmanagereffectivesecurityadminrules"],
        "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
        1,
    ),
    (
        &["microsoft.network", "locations", "*", "servicetags"],
        "Microsoft.Network/locations/serviceTags/read",
        0,
    ),
    (&["microsoft.keyvault", "vaults", "*", "keys"], "Microsoft.KeyVault/vaults/keys/read", 1),
    (&["microsoft.keyvault", "vaults", "*", "keys", "*"], "Microsoft.KeyVault/vaults/keys/read", 0),
    (
        &["microsoft.storage", "storageaccounts", "*", "blobservices", "default"],
        "Microsoft.Storage/storageAccounts/blobServices/read",
        2,
    ),
    (
        &["microsoft.storage", "storageaccounts", "*", "blobservices", "default", "containers"],
        "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        3,
    ),
    (
        &["providers", "microsoft.insights", "diagnosticsettings"],
        "Microsoft.Insights/diagnosticSettings/read",
        3,
    ),
];

/// What a path says was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    operation: String,
    subscription: String,
    subject: String,
    page: u32,
}

/// Whether a path is one of Azure Resource Manager's, and what it asks; `Err` with the reason when nothing is read from
/// it.
pub(crate) fn of_path(path: &str) -> Option<Result<Asked, String>> {
    let stem = path.strip_suffix(".json")?;
    let parts: Vec<&str> = stem.split('/').collect();
    let start = parts.iter().position(|part| part.eq_ignore_ascii_case("subscriptions"))?;
    let mut parts: Vec<&str> = parts.get(start..)?.to_vec();
    let mut page = 1;
    if let Some(last) = parts.last_mut()
        && let Some((name, number)) = last.rsplit_once('@')
    {
        page = number.parse().ok().filter(|page| *page > 0)?;
        *last = name;
    }
    let subscription = parts.get(1)?.to_lowercase();
    is_guid(&subscription).then_some(())?;
    let asked = |operation: &str, subject: String| {
        let (operation, subscription) = (operation.to_owned(), subscription.clone());
        Ok(Asked { operation, subscription, subject, page })
    };
    let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
    Some(match lower.as_slice() {
        [_, _] => asked("Microsoft.Resources/subscriptions/read", subscription.clone()),
        [_, _, providers, namespace, kind] if providers == "providers" => {
            let named = format!("{namespace}/{kind}");
            match LISTS.iter().find(|list| list.eq_ignore_ascii_case(&named)) {
                Some(list) => asked(&format!("{list}/read"), subscription.clone()),
                None => thing(&lower, &asked),
            }
        }
        _ => thing(&lower, &asked),
    })
}

fn thing(parts: &[String], asked: &dyn Fn(&str, String) -> Result<Asked, String>) -> Result<Asked, String> {
    for (pattern, operation, beyond) in THINGS {
        let Some(start) = parts.len().checked_sub(pattern.len()) else { continue };
        let end = parts.get(start..).unwrap_or_default();
        let fits = end.iter().zip(pattern).all(|(part, wanted)| *wanted == "*" || part == wanted);
        if fits {
            let subject = parts.get(..parts.len() - beyond).unwrap_or_default().join("/");
            return asked(operation, format!("/{subject}"));
        }
    }
    Err("nothing is read from what this path of Azure Resource Manager answers".to_owned())
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// What a file holds.
enum Content {
    /// An answer, and whether another page follows.
    Answer(Value, bool),
    Refusal(Outcome, Problem),
}

/// One record a page of each answer.
pub(crate) fn records(files: Vec<(&OfflineFile, Asked)>) -> Result<Vec<Record>, OfflineError> {
    let mut series: BTreeMap<(String, String, String), BTreeMap<u32, &OfflineFile>> = BTreeMap::new();
    for (file, asked) in files {
        let key = (asked.operation, asked.subscription, asked.subject);
        if let Some(other) = series.entry(key).or_default().insert(asked.page, file) {
            let problem = format!("`{}` answers the same question", other.path);
            return Err(OfflineError::NotAnAnswer { path: file.path.clone(), problem });
        }
    }
    let mut records = Vec::new();
    for ((operation, subscription, subject), pages) in series {
        // One answer was given at one time, so its pages carry the time of the oldest file.
        let Some(at) = pages.values().map(|file| file.written_at).min() else { continue };
        let final_page = pages.keys().copied().max().unwrap_or(1);
        for (number, file) in pages {
            let (outcome, response, problem, more) = match read(file)? {
                Content::Answer(value, more) => (Outcome::Observed, value, None, more),
                Content::Refusal(outcome, problem) => (outcome, Value::Null, Some(problem), false),
            };
            let observation = Observation {
                collector: "azure".to_owned(),
                operation: operation.clone(),
                scope: Scope::account(&subscription),
                subject: subject.clone(),
                caller: format!("file:{}", file.path),
                observed_at: at.truncated_to_seconds(),
                outcome,
                request: json!({}),
                response,
                problem,
                page: Page { number, last: number == final_page && !more },
            };
            records.push(observation.seal()?);
        }
    }
    Ok(records)
}

fn read(file: &OfflineFile) -> Result<Content, OfflineError> {
    let wrong = |problem: String| OfflineError::NotAnAnswer { path: file.path.clone(), problem };
    let text = std::str::from_utf8(&file.content).map_err(|error| wrong(error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Some((code, message)) = printed_error(text) {
        return Ok(refusal(code, message));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if let Some(error) = value.get("error").filter(|error| error.is_object()) {
        let member = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        return Ok(refusal(member("code"), member("message")));
    }
    let value = without_secrets(value).map_err(|error| wrong(error.to_string()))?;
    let mut answer = match value {
        // `az` prints lists without the object around them.
        Value::Array(items) => Map::from_iter([("value".to_owned(), Value::Array(items))]),
        Value::Object(members) => members,
        _ => return Err(wrong("it is neither a JSON object nor a list".to_owned())),
    };
    let mut more = false;
    for link in ["nextLink", "skipToken"] {
        more |= answer.remove(link).is_some_and(|link| link.as_str().is_some_and(|text| !text.is_empty()));
    }
    Ok(Content::Answer(Value::Object(answer), more))
}

/// `ERROR: (CODE) MESSAGE`, as `az` writes it.
fn printed_error(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("ERROR:").unwrap_or(text).trim_start();
    let (code, message) = rest.strip_prefix('(')?.split_once(')')?;
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| (code, message.trim().lines().next().unwrap_or_default()))
}

fn refusal(code: &str, message: &str) -> Content {
    let outcome = match code {
        "AuthorizationFailed"
        | "Forbidden"
        | "AuthorizationPermissionMismatch"
        | "LinkedAuthorizationFailed"
        | "InvalidAuthenticationToken"
        | "InvalidAuthenticationTokenTenant" => Outcome::Denied,
        "ResourceNotFound" | "NotFound" => Outcome::Absent,
        _ => Outcome::Failed,
    };
    let code = if code.is_empty() { "not-an-answer" } else { code };
    let message = message.lines().next().unwrap_or_default().to_owned();
    Content::Refusal(outcome, Problem { code: code.to_owned(), message })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f1e2d3c-0000-4000-8000-00000000000a";

    #[track_caller]
    fn check(path: &str, operation: &str, subject: &str, page: u32) {
        let path = path.replace("ID", ID);
        let asked = of_path(&path).unwrap().unwrap();
        assert_eq!(asked.operation, operation);
        assert_eq!(asked.subject, subject.replace("ID", ID));
        assert_eq!(asked.page, page);
        assert_eq!(asked.subscription, ID);
    }

    #[test]
    fn a_path_is_the_one_that_was_asked() {
        check("subscriptions/ID.json", "Microsoft.Resources/subscriptions/read", "ID", 1);
        check(
            "export/subscriptions/ID/providers/microsoft.network/VirtualNetworks@3.json",
            "Microsoft.Network/virtualNetworks/read",
            "ID",
            3,
        );
        check(
            "subscriptions/ID/resourceGroups/RG/providers/Microsoft.Network/virtualNetworks/V/listNetworkManagerEffectiveSecurityAdminRules.json",
            "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
            "/subscriptions/ID/resourcegroups/rg/providers/microsoft.network/virtualnetworks/v",
            1,
        );
        check(
            "subscriptions/ID/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v/keys.json",
            "Microsoft.KeyVault/vaults/keys/read",
            "/subscriptions/ID/resourcegroups/rg/providers/microsoft.keyvault/vaults/v",
            1,
        );
        check(
            "subscriptions/ID/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/s/blobServices/default/containers.json",
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "/subscriptions/ID/resourcegroups/rg/providers/microsoft.storage/storageaccounts/s",
            1,
        );
        check(
            "subscriptions/ID/providers/Microsoft.Insights/diagnosticSettings.json",
            "Microsoft.Insights/diagnosticSettings/read",
            "/subscriptions/ID",
            1,
        );
    }

    #[test]
    fn a_list_of_one_resource_group_does_not_stand_for_the_subscription() {
        let path =
            format!("subscriptions/{ID}/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks.json");
        assert!(of_path(&path).unwrap().is_err());
        assert_eq!(of_path("subscriptions/not-an-id/providers/x/y.json"), None);
        assert_eq!(of_path("111122223333/eu-central-1/iam/list-roles.json"), None);
    }
}
