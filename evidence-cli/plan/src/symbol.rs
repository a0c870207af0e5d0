//! What stands for a value that is known only after apply.
//!
//! Many identifiers follow from names that are known (a role's ARN, a bucket's), and are used as they will be. Others
//! are chosen by the service; there the resource's address stands for them, everywhere the same, so that what
//! refers to one thing goes on referring to one thing. An address is never mistaken for a real identifier.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::azure;
use crate::configuration::{Configuration, Reference, plain};
use crate::resource::Resource;

/// Every resource of one side, to be found by reference.
#[derive(Debug)]
pub(crate) struct Symbols<'p> {
    configuration: Configuration<'p>,
    /// By module without indices, and by address within the module without an index.
    by_name: BTreeMap<(String, String), Vec<Resource<'p>>>,
}

impl<'p> Symbols<'p> {
    pub(crate) fn new(configuration: Configuration<'p>, resources: &[Resource<'p>]) -> Self {
        let mut by_name: BTreeMap<(String, String), Vec<Resource<'p>>> = BTreeMap::new();
        for resource in resources {
            let module = plain(resource.module);
            let local = local(resource);
            by_name.entry((module, plain(local))).or_default().push(*resource);
        }
        Self { configuration, by_name }
    }

    /// Everything an expression refers to, where all of it can be told.
    pub(crate) fn references(&self, module: &str, expression: &Value) -> Option<Vec<Reference>> {
        self.configuration.references(module, expression)
    }

    /// The one resource that a reference names.
    pub(crate) fn resource(&self, reference: &Reference) -> Option<&Resource<'p>> {
        let candidates = self.by_name.get(&(reference.module.clone(), plain(&reference.resource)))?;
        if reference.resource.ends_with(']') {
            return candidates.iter().find(|candidate| local(candidate) == reference.resource);
        }
        match candidates.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The text that a reference stands for, as a value or as a symbol.
    pub(crate) fn text(&self, reference: &Reference) -> Option<String> {
        let found = self.resource(reference)?;
        Some(match azure::is_azure(found.kind) {
            true => azure::attribute(&found.block(self), &reference.attribute),
            false => attribute(found, &reference.attribute),
        })
    }
}

/// The address within the module.
fn local<'p>(resource: &Resource<'p>) -> &'p str {
    resource
        .address
        .strip_prefix(resource.module)
        .map_or(resource.address, |rest| rest.trim_start_matches('.'))
}

/// The text of a resource's attribute, known or not.
pub(crate) fn attribute(resource: &Resource<'_>, attribute: &str) -> String {
    let known = |name: &str| {
        let unknown = resource.unknown.get(name) == Some(&Value::Bool(true));
        resource.values.get(name).and_then(Value::as_str).filter(|_| !unknown)
    };
    if let Some(value) = known(attribute) {
        return value.to_owned();
    }
    let name = |argument: &str| known(argument).map(str::to_owned);
    match (resource.kind, attribute) {
        ("aws_kms_key" | "aws_kms_external_key", "arn") => {
            regional(resource, "kms", &format!("key/{}", resource.address))
        }
        (_, "arn") => arn(resource),
        ("aws_iam_role" | "aws_iam_user" | "aws_iam_group" | "aws_iam_instance_profile", "id") => {
            name("name")
        }
        ("aws_iam_policy" | "aws_cloudtrail", "id") => arn(resource),
        ("aws_s3_bucket", "id" | "bucket") => name("bucket"),
        ("aws_kms_alias", "target_key_arn") => None,
        (_, "id") | ("aws_kms_key" | "aws_kms_external_key", "key_id") => Some(resource.address.to_owned()),
        _ => None,
    }
    .unwrap_or_else(|| format!("{}.{attribute}", resource.address))
}

/// The ARN of what is named by whoever makes it.
fn arn(resource: &Resource<'_>) -> Option<String> {
    let known = |name: &str| {
        let unknown = resource.unknown.get(name) == Some(&Value::Bool(true));
        resource.values.get(name).and_then(Value::as_str).filter(|_| !unknown)
    };
    let identity = |kind: &str| {
        let path = known("path").unwrap_or("/");
        let account = resource.account?;
        Some(format!("arn:{}:iam::{account}:{kind}{path}{}", partition(resource.region), known("name")?))
    };
    match resource.kind {
        "aws_iam_role" => identity("role"),
        "aws_iam_user" => identity("user"),
        "aws_iam_group" => identity("group"),
        "aws_iam_policy" => identity("policy"),
        "aws_iam_instance_profile" => identity("instance-profile"),
        "aws_s3_bucket" => Some(format!("arn:{}:s3:::{}", partition(resource.region), known("bucket")?)),
        "aws_cloudtrail" => regional(resource, "cloudtrail", &format!("trail/{}", known("name")?)),
        "aws_cloudwatch_log_group" => regional(resource, "logs", &format!("log-group:{}", known("name")?)),
        _ => None,
    }
}

fn regional(resource: &Resource<'_>, service: &str, rest: &str) -> Option<String> {
    let (region, account) = (resource.region?, resource.account?);
    Some(format!("arn:{}:{service}:{region}:{account}:{rest}", partition(resource.region)))
}

/// The partition that a region lies in ("Amazon Resource Names", IAM User Guide).
fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
