//! Directories that `iam-collect` wrote: users, groups, roles and policies, one directory each, as the one answer that
//! they were taken from.
//!
//! Layout: `aws/PARTITION/accounts/ACCOUNT/iam/TYPE/ID/FILE.json` ("Storage Layout Explained", iam-collect's
//! documentation), where `metadata.json` names the thing and a file that is not there stands for an empty list. Policies
//! of AWS lie under the account `aws`.

use std::collections::BTreeMap;

use cadastre_model::record::{Observation, Outcome, Page, Record, Scope};
use serde_json::{Map, Value, json};

use crate::{OfflineError, OfflineFile, answer};

/// What a path says that a file is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    account: String,
    kind: String,
    id: String,
    part: String,
}

/// One user, group, role or policy: its files by name.
type Thing<'a> = BTreeMap<String, (&'a OfflineFile, Value)>;

/// The place of a file in such a directory; none for anything else.
pub(crate) fn of_path(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.strip_suffix(".json")?.split('/').collect();
    let start = parts.windows(3).position(
        |window| matches!(window, ["aws", partition, "accounts"] if partition.starts_with("aws")),
    )?;
    let mut rest = parts.get(start + 3..)?.iter().copied();
    let (account, service, kind) = (rest.next()?, rest.next()?, rest.next()?);
    let rest: Vec<&str> = rest.collect();
    let (part, id) = rest.split_last()?;
    let known = service == "iam" && matches!(kind, "user" | "group" | "role" | "policy") && !id.is_empty();
    known.then(|| Place {
        account: account.to_owned(),
        kind: kind.to_owned(),
        id: id.join("/"),
        part: (*part).to_owned(),
    })
}

/// One record an account.
pub(crate) fn records(
    files: &[(&OfflineFile, Place)],
    skipped: &mut Vec<(String, String)>,
) -> Result<Vec<Record>, OfflineError> {
    let mut things: BTreeMap<(String, String, String), Thing<'_>> = BTreeMap::new();
    for (file, place) in files {
        let key = (place.account.clone(), place.kind.clone(), place.id.clone());
        things.entry(key).or_default().insert(place.part.clone(), (file, answer::value(file)?));
    }
    let mut answers: BTreeMap<&str, BTreeMap<&str, Vec<Value>>> = BTreeMap::new();
    let mut oldest: BTreeMap<&str, &OfflineFile> = BTreeMap::new();
    for ((account, kind, _), thing) in &things {
        let Some((list, read)) = detail(kind, thing) else {
            let paths = thing.values().map(|(file, _)| file.path.clone());
            skipped.extend(
                paths.map(|path| (path, "no metadata.json beside it names what it is about".to_owned())),
            );
            continue;
        };
        answers.entry(account).or_default().entry(list).or_default().push(read);
        for (file, _) in thing.values() {
            let first = oldest.entry(account).or_insert(file);
            if file.written_at < first.written_at {
                *first = file;
            }
        }
    }
    let provided = answers.remove("aws").and_then(|mut lists| lists.remove("Policies")).unwrap_or_default();
    let mut records = Vec::new();
    for (account, mut lists) in answers {
        let Some(first) = oldest.get(account) else { continue };
        lists.entry("Policies").or_default().extend(provided.iter().cloned());
        let mut response = Map::new();
        for list in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"] {
            response.insert(list.to_owned(), Value::Array(lists.remove(list).unwrap_or_default()));
        }
        let observation = Observation {
            collector: "aws".to_owned(),
            operation: "iam:GetAccountAuthorizationDetails".to_owned(),
            scope: Scope::account(account),
            subject: account.to_owned(),
            caller: format!("file:{}", first.path),
            observed_at: first.written_at.truncated_to_seconds(),
            outcome: Outcome::Observed,
            request: json!({}),
            response: Value::Object(response),
            problem: None,
            page: Page::ONLY,
        };
        records.push(observation.seal()?);
    }
    Ok(records)
}

/// The list that a thing belongs to, and what the service would have listed.
fn detail(kind: &str, thing: &Thing<'_>) -> Option<(&'static str, Value)> {
    let part = |name: &str| thing.get(name).map(|(_, value)| value);
    let metadata = part("metadata")?;
    let text = |member: &str| metadata.get(member).and_then(Value::as_str);
    let (arn, name) = (text("arn")?, text("name")?);
    let mut read = Map::new();
    let mut set = |member: &str, value: Value| {
        if !value.is_null() {
            read.insert(member.to_owned(), value);
        }
    };
    set("Arn", json!(arn));
    set("Path", json!(text("path")));
    set("CreateDate", json!(text("created").or_else(|| text("createDate"))));
    if kind == "policy" {
        set("PolicyName", json!(name));
        set("PolicyId", json!(text("id")));
        let version = text("defaultVersionId").unwrap_or("v1");
        set("DefaultVersionId", json!(version));
        let document = part("current-policy")?;
        set(
            "PolicyVersionList",
            json!([{"VersionId": version, "IsDefaultVersion": true, "Document": document}]),
        );
        return Some(("Policies", Value::Object(read)));
    }
    let attached = texts(part("managed-policies")).map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        json!({"PolicyArn": arn, "PolicyName": name})
    });
    set("AttachedManagedPolicies", attached.collect());
    let inline = part("inline-policies").cloned().unwrap_or_else(|| json!([]));
    if let Some(boundary) = text("permissionBoundary") {
        set(
            "PermissionsBoundary",
            json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}),
        );
    }
    if let Some(tags) = part("tags").and_then(Value::as_object) {
        set("Tags", tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect());
    }
    let list = match kind {
        "user" => {
            set("UserName", json!(name));
            set("UserId", json!(text("id")));
            set("UserPolicyList", inline);
            let groups = texts(part("groups")).map(|arn| json!(arn.rsplit('/').next().unwrap_or(arn)));
            set("GroupList", groups.collect());
            "UserDetailList"
        }
        "group" => {
            set("GroupName", json!(name));
            set("GroupId", json!(text("id")));
            set("GroupPolicyList", inline);
            "GroupDetailList"
        }
        _ => {
            set("RoleName", json!(name));
            set("RoleId", json!(text("id")));
            set("RolePolicyList", inline);
            set("AssumeRolePolicyDocument", part("trust-policy").cloned().unwrap_or(Value::Null));
            let profiles = texts(part("instance-profiles")).map(|arn| {
                let name = arn.rsplit('/').next().unwrap_or(arn);
                json!({"Arn": arn, "InstanceProfileName": name, "Roles": []})
            });
            set("InstanceProfileList", profiles.collect());
            "RoleDetailList"
        }
    };
    Some((list, Value::Object(read)))
}

fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<(&str, &str, &str, &str)>) {
        let found = of_path(path);
        let found = found.as_ref().map(|place| {
            (place.account.as_str(), place.kind.as_str(), place.id.as_str(), place.part.as_str())
        });
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_path_says_what_a_file_is_about() {
        check(
            "iam-data/aws/aws/accounts/111122223333/iam/role/app/trust-policy.json",
            Some(("111122223333", "role", "app", "trust-policy")),
        );
        check(
            "aws/aws-cn/accounts/aws/iam/policy/readonlyaccess/metadata.json",
            Some(("aws", "policy", "readonlyaccess", "metadata")),
        );
        check("aws/aws/accounts/111122223333/s3/data/metadata.json", None);
        check("aws/aws/accounts/111122223333/iam/role/metadata.json", None);
        check("aws/aws/indexes/accounts-to-orgs.json", None);
        check("111122223333/eu-central-1/iam/list-roles.json", None);
    }
}
