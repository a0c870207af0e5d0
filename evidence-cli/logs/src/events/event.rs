//! One event, with what evidence needs of it.

use std::collections::BTreeMap;

use cadastre_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `eventID`, unique; an event that was delivered twice has one.
    pub id: String,
    /// When the call was answered.
    pub time: Timestamp,
    /// `kms.amazonaws.com`.
    pub source: String,
    /// `Decrypt`.
    pub name: String,
    /// Where.
    pub region: String,
    /// The account that the trail is about.
    pub account: Option<String>,
    /// Who.
    pub identity: Identity,
    /// ARNs of what it was done to, sorted.
    pub resources: Vec<String>,
    /// What the request names: ids, names and ARNs of what it was about, sorted.
    pub names: Vec<String>,
    /// The KMS key that was used, as an ARN where the event says so.
    pub key: Option<String>,
    /// KMS's encryption context.
    pub encryption_context: BTreeMap<String, String>,
    /// Where the call came from: an address, or a service's name.
    pub source_address: Option<String>,
    /// The VPC endpoint that it came through.
    pub vpc_endpoint: Option<String>,
    /// Why it was refused; absent where it was not.
    pub error: Option<String>,
    /// Whether it changed nothing; absent where the event does not say.
    pub read_only: Option<bool>,
    /// The service's id of the request.
    pub request: Option<String>,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Identity {
    /// `AssumedRole`, `IAMUser`, `AWSService`, …
    pub kind: Option<String>,
    /// Its ARN; a session's for a role.
    pub arn: Option<String>,
    /// Its account.
    pub account: Option<String>,
    /// The role or user that the session belongs to.
    pub issuer: Option<String>,
    /// The service on whose behalf, or that acted itself.
    pub invoked_by: Option<String>,
}

impl Identity {
    /// The role, user or service: what permissions belong to.
    #[must_use]
    pub fn principal(&self) -> &str {
        [&self.issuer, &self.arn, &self.invoked_by, &self.account]
            .into_iter()
            .flatten()
            .next()
            .map_or("unknown", String::as_str)
    }
}

/// Why something in a file is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A member that every event has.
    #[error("`{0}` is missing or of another type")]
    Member(&'static str),
    /// Its time cannot be read.
    #[error("`eventTime` `{0}` is not a time")]
    Time(String),
}

/// Members of requests that name what the call is about. A name stands for the one thing of the account that has it.
const NAMING: [&str; 20] = [
    "keyId",
    "roleArn",
    "roleName",
    "userName",
    "groupName",
    "policyArn",
    "name",
    "trailName",
    "resourceArn",
    "instanceId",
    "target",
    "secretId",
    "functionName",
    "logGroupName",
    "volumeId",
    "snapshotId",
    "imageId",
    "launchTemplateId",
    "clusterArn",
    "certificateAuthorityArn",
];

/// What a request names.
fn names(parameters: Option<&Value>) -> Vec<String> {
    let Some(parameters) = parameters else { return Vec::new() };
    let mut names: Vec<String> = NAMING.iter().filter_map(|member| text(parameters, member)).collect();
    names.extend(text(parameters, "bucketName").map(|name| format!("arn:aws:s3:::{name}")));
    let instances = parameters.pointer("/instancesSet/items").and_then(Value::as_array);
    names.extend(instances.into_iter().flatten().filter_map(|item| text(item, "instanceId")));
    names.sort();
    names.dedup();
    names
}

fn text(value: &Value, member: &str) -> Option<String> {
    value.get(member)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

impl Event {
    /// Reads an event of a file's `Records`.
    ///
    /// # Errors
    /// When a member that every event has is not there.
    pub fn read(record: &Value) -> Result<Self, EventError> {
        let required = |member: &'static str| text(record, member).ok_or(EventError::Member(member));
        let written = required("eventTime")?;
        let time = written.parse().map_err(|_unreadable| EventError::Time(written))?;
        let identity = record.get("userIdentity").filter(|value| value.is_object());
        let identity = identity.ok_or(EventError::Member("userIdentity"))?;
        let source = required("eventSource")?;
        let listed = record.get("resources").and_then(Value::as_array).into_iter().flatten();
        let mut resources: Vec<String> =
            listed.filter_map(|resource| text(resource, "ARN").or_else(|| text(resource, "arn"))).collect();
        resources.sort();
        resources.dedup();
        let parameters = record.get("requestParameters");
        let asked = parameters.and_then(|parameters| text(parameters, "keyId"));
        let is_key = |arn: &&String| arn.contains(":key/");
        let key = match source.as_str() {
            "kms.amazonaws.com" => resources.iter().find(is_key).cloned().or(asked),
            _ => None,
        };
        let context = parameters.and_then(|parameters| parameters.get("encryptionContext"));
        let context = context.and_then(Value::as_object).into_iter().flatten();
        Ok(Self {
            id: required("eventID")?,
            time,
            name: required("eventName")?,
            region: required("awsRegion")?,
            account: text(record, "recipientAccountId"),
            identity: Identity {
                kind: text(identity, "type"),
                arn: text(identity, "arn"),
                account: text(identity, "accountId"),
                issuer: record
                    .pointer("/userIdentity/sessionContext/sessionIssuer")
                    .and_then(|issuer| text(issuer, "arn")),
                invoked_by: text(identity, "invokedBy"),
            },
            names: names(parameters),
            key,
            encryption_context: context
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
            source,
            resources,
            source_address: text(record, "sourceIPAddress"),
            vpc_endpoint: text(record, "vpcEndpointId"),
            error: text(record, "errorCode"),
            read_only: record.get("readOnly").and_then(Value::as_bool),
            request: text(record, "requestID"),
        })
    }

    /// As policies name it: `kms:Decrypt`.
    #[must_use]
    pub fn action(&self) -> String {
        let service = self.source.split('.').next().unwrap_or_default();
        format!("{service}:{}", self.name)
    }
}
