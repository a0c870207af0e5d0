//! Outputs of read commands: what a path says was asked, and the record it becomes.

use std::collections::BTreeMap;

use cadastre_model::record::{Observation, Outcome, Page, Record, Scope};
use serde_json::{Value, json};

use crate::answer::Content;
use crate::{OfflineError, OfflineFile};

/// Where global services are kept.
const GLOBAL: &str = "global";

/// What a command is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// The account, or the account in a region.
    Place,
    /// A bucket, by name.
    Bucket,
    /// A key, by id or ARN.
    Key,
    /// Something the path names in full, with the request's member for it.
    Named(&'static str),
    /// A control policy, by id; its ARN comes from the lists.
    ControlPolicy,
    /// A policy type: a filter of the list.
    PolicyType,
}

/// Commands that ask about something; every other `list-`, `describe-`, `get-` or `lookup-` asks about a place.
const ABOUT: [(&str, &str, Subject); 33] = [
    ("s3api", "get-bucket-acl", Subject::Bucket),
    ("s3api", "get-bucket-encryption", Subject::Bucket),
    ("s3api", "get-bucket-lifecycle-configuration", Subject::Bucket),
    ("s3api", "get-bucket-location", Subject::Bucket),
    ("s3api", "get-bucket-logging", Subject::Bucket),
    ("s3api", "get-bucket-notification-configuration", Subject::Bucket),
    ("s3api", "get-bucket-ownership-controls", Subject::Bucket),
    ("s3api", "get-bucket-policy", Subject::Bucket),
    ("s3api", "get-bucket-policy-status", Subject::Bucket),
    ("s3api", "get-bucket-replication", Subject::Bucket),
    ("s3api", "get-bucket-tagging", Subject::Bucket),
    ("s3api", "get-bucket-versioning", Subject::Bucket),
    ("s3api", "get-object-lock-configuration", Subject::Bucket),
    ("s3api", "get-public-access-block", Subject::Bucket),
    ("kms", "describe-key", Subject::Key),
    ("kms", "get-key-policy", Subject::Key),
    ("kms", "get-key-rotation-status", Subject::Key),
    ("kms", "list-grants", Subject::Key),
    ("kms", "list-key-rotations", Subject::Key),
    ("kms", "list-resource-tags", Subject::Key),
    ("organizations", "describe-policy", Subject::ControlPolicy),
    ("organizations", "list-accounts-for-parent", Subject::Named("ParentId")),
    ("organizations", "list-organizational-units-for-parent", Subject::Named("ParentId")),
    ("organizations", "list-policies", Subject::PolicyType),
    ("organizations", "list-targets-for-policy", Subject::ControlPolicy),
    ("cloudtrail", "get-event-selectors", Subject::Named("TrailName")),
    ("cloudtrail", "get-trail-status", Subject::Named("Name")),
    ("ec2", "describe-image-attribute", Subject::Named("ImageId")),
    ("ec2", "describe-snapshot-attribute", Subject::Named("SnapshotId")),
    ("kafka", "get-cluster-policy", Subject::Named("ClusterArn")),
    ("kafka", "list-scram-secrets", Subject::Named("ClusterArn")),
    ("secretsmanager", "get-resource-policy", Subject::Named("SecretId")),
    ("acm-pca", "get-policy", Subject::Named("ResourceArn")),
];
/// Services of which outputs are read, as the CLI and as records name them.
const SERVICES: [(&str, &str); 11] = [
    ("acm-pca", "acm-pca"),
    ("cloudtrail", "cloudtrail"),
    ("ec2", "ec2"),
    ("events", "events"),
    ("iam", "iam"),
    ("kafka", "kafka"),
    ("kms", "kms"),
    ("logs", "logs"),
    ("organizations", "organizations"),
    ("s3api", "s3"),
    ("secretsmanager", "secretsmanager"),
];
/// A list of everything that the CLI filters by its own accounts: the request says so, as a scan's does.
const OWN: [(&str, &str); 2] = [("describe-images", "Owners"), ("describe-snapshots", "OwnerIds")];

/// What a path says was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    account: String,
    region: Option<String>,
    operation: String,
    command: String,
    about: Subject,
    name: String,
}

/// `ACCOUNT/REGION/SERVICE/COMMAND[/SUBJECT].json`, below any directories.
pub(crate) fn of_path(path: &str) -> Option<Asked> {
    let parts: Vec<&str> = path.strip_suffix(".json")?.split('/').collect();
    let start = parts.iter().position(|part| is_account(part))?;
    let mut parts = parts.get(start..)?.iter();
    let account = (*parts.next()?).to_owned();
    let region = *parts.next()?;
    let service = *parts.next()?;
    let command = *parts.next()?;
    let name = parts.copied().collect::<Vec<&str>>().join("/");
    let (_, recorded) = SERVICES.iter().find(|(known, _)| *known == service)?;
    let reads = ["list-", "describe-", "get-", "lookup-"].iter().any(|verb| command.starts_with(verb));
    let known = ABOUT.iter().find(|(of, known, _)| *of == service && *known == command);
    let about = match known {
        Some((_, _, about)) => *about,
        None if name.is_empty() => Subject::Place,
        None => return None,
    };
    if !reads || (about != Subject::Place && name.is_empty()) {
        return None;
    }
    Some(Asked {
        account,
        region: (region != GLOBAL).then(|| region.to_owned()),
        operation: format!("{recorded}:{}", in_camel_case(command)),
        command: command.to_owned(),
        about,
        name,
    })
}

fn is_account(part: &str) -> bool {
    part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn in_camel_case(command: &str) -> String {
    command
        .split('-')
        .map(|word| {
            let mut chars = word.chars();
            chars
                .next()
                .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
        })
        .collect()
}

/// One record for each file.
pub(crate) fn records(answers: Vec<(&OfflineFile, Asked, Content)>) -> Result<Vec<Record>, OfflineError> {
    let mut arns: BTreeMap<String, String> = BTreeMap::new();
    for (_, _, content) in &answers {
        let Content::Answer(answer) = content else { continue };
        let listed = answer.get("Policies").and_then(Value::as_array).into_iter().flatten();
        let described = answer.get("Policy").and_then(|policy| policy.get("PolicySummary"));
        for policy in listed.chain(described) {
            if let (Some(id), Some(arn)) =
                (policy.get("Id").and_then(Value::as_str), policy.get("Arn").and_then(Value::as_str))
            {
                arns.insert(id.to_owned(), arn.to_owned());
            }
        }
    }
    answers.into_iter().map(|(file, asked, content)| record(file, &asked, content, &arns)).collect()
}

fn record(
    file: &OfflineFile,
    asked: &Asked,
    content: Content,
    arns: &BTreeMap<String, String>,
) -> Result<Record, OfflineError> {
    let scope = Scope { account: Some(asked.account.clone()), region: asked.region.clone(), cluster: None };
    let place = scope.to_string();
    let name = asked.name.as_str();
    let (subject, request) = match asked.about {
        Subject::Place => {
            let own = OWN.iter().find(|(command, _)| *command == asked.command);
            (place, own.map_or_else(|| json!({}), |(_, member)| json!({*member: ["self"]})))
        }
        Subject::Bucket => (format!("arn:aws:s3:::{name}"), json!({"Bucket": name})),
        Subject::Key => {
            let region = asked.region.as_deref().unwrap_or_default();
            let arn = match name.starts_with("arn:") {
                true => name.to_owned(),
                false => format!("arn:aws:kms:{region}:{}:key/{name}", asked.account),
            };
            let request = match asked.command.as_str() {
                "get-key-policy" => json!({"KeyId": arn, "PolicyName": "default"}),
                _ => json!({"KeyId": arn}),
            };
            (arn, request)
        }
        Subject::Named(member) => named(asked, member),
        Subject::ControlPolicy => {
            let arn = arns.get(name).cloned().unwrap_or_else(|| name.to_owned());
            (arn, json!({"PolicyId": name}))
        }
        Subject::PolicyType => (format!("{place}/{name}"), json!({"Filter": name})),
    };
    let (outcome, response, problem) = match content {
        Content::Answer(answer) => (Outcome::Observed, answer, None),
        Content::Refusal(outcome, problem) => (outcome, Value::Null, Some(problem)),
    };
    // The CLI follows the pages itself, and says so when it was told to stop.
    let last = response.get("NextToken").is_none();
    let observation = Observation {
        collector: "aws".to_owned(),
        operation: asked.operation.clone(),
        scope,
        subject,
        caller: format!("file:{}", file.path),
        observed_at: file.written_at.truncated_to_seconds(),
        outcome,
        request,
        response,
        problem,
        page: Page { number: 1, last },
    };
    Ok(observation.seal()?)
}

/// Subjects that records name by their ARN.
fn named(asked: &Asked, member: &'static str) -> (String, Value) {
    let region = asked.region.as_deref().unwrap_or_default();
    let (account, name) = (&asked.account, asked.name.as_str());
    let arn = match member {
        _ if name.starts_with("arn:") => name.to_owned(),
        "TrailName" | "Name" => format!("arn:aws:cloudtrail:{region}:{account}:trail/{name}"),
        "ImageId" => format!("arn:aws:ec2:{region}::image/{name}"),
        "SnapshotId" => format!("arn:aws:ec2:{region}::snapshot/{name}"),
        "ClusterArn" => format!("arn:aws:kafka:{region}:{account}:cluster/{name}"),
        "SecretId" => format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}"),
        "ResourceArn" => format!("arn:aws:acm-pca:{region}:{account}:certificate-authority/{name}"),
        _ => name.to_owned(),
    };
    let request = match member {
        "ImageId" => json!({member: name, "Attribute": "launchPermission"}),
        "SnapshotId" => json!({member: name, "Attribute": "createVolumePermission"}),
        "TrailName" | "Name" | "ClusterArn" | "SecretId" | "ResourceArn" => json!({member: arn}),
        _ => json!({member: name}),
    };
    (arn, request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<(&str, &str)>) {
        let found = of_path(path);
        let found = found.as_ref().map(|asked| (asked.operation.as_str(), asked.name.as_str()));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_path_says_what_was_asked() {
        check(
            "111122223333/eu-central-1/s3api/get-bucket-policy/data.json",
            Some(("s3:GetBucketPolicy", "data")),
        );
        check("dump/111122223333/eu-central-1/kms/list-grants/1234.json", Some(("kms:ListGrants", "1234")));
        check("111122223333/eu-central-1/ec2/describe-instances.json", Some(("ec2:DescribeInstances", "")));
        check(
            "111122223333/global/organizations/list-policies/SERVICE_CONTROL_POLICY.json",
            Some(("organizations:ListPolicies", "SERVICE_CONTROL_POLICY")),
        );
        check("111122223333/eu-central-1/s3api/get-bucket-policy.json", None);
        check("111122223333/eu-central-1/s3api/put-bucket-policy/data.json", None);
        check("111122223333/eu-central-1/ec2/describe-instances/extra.json", None);
        check("111122223333/eu-central-1/rds/describe-db-instances.json", None);
        check(
            "111122223333/eu-central-1/kafka/list-scram-secrets/payments/abcd-1.json",
            Some(("kafka:ListScramSecrets", "payments/abcd-1")),
        );
        check("111122223333/eu-central-1/acm-pca/get-policy/1.json", Some(("acm-pca:GetPolicy", "1")));
        check("111122223333/us-east-1/cloudtrail/lookup-events.json", Some(("cloudtrail:LookupEvents", "")));
        check("notes.json", None);
    }

    #[test]
    fn commands_about_something_are_sorted_within_their_service() {
        assert!(ABOUT.iter().all(|(service, command, _)| {
            of_path(&format!("111122223333/eu-central-1/{service}/{command}/x.json")).is_some()
        }));
    }
}
