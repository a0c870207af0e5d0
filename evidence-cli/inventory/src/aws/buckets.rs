//! S3 buckets with everything that protects, opens, copies or expires their objects.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Known;
use cadastre_model::asset::stores::{Bucket, BucketEncryption, ObjectLock};
use cadastre_model::asset::{EvidenceIds, PolicyKind, Tag};

use crate::aws::keys::KeyIndex;
use crate::aws::tags;
use crate::node::{Node, Read};
use crate::reader::{Pages, Reader};

const ARN_PREFIX: &str = "arn:aws:s3:::";

/// Questions that are put to each bucket.
const ABOUT_A_BUCKET: &[&str] = &[
    "s3:GetBucketAcl",
    "s3:GetBucketEncryption",
    "s3:GetBucketLifecycleConfiguration",
    "s3:GetBucketLocation",
    "s3:GetBucketPolicy",
    "s3:GetBucketVersioning",
    "s3:GetPublicAccessBlock",
];

/// Reads every bucket that was listed or that answered a question.
pub(crate) fn read(reader: &mut Reader<'_>, keys: &KeyIndex<'_>) -> Vec<Bucket> {
    let mut found: BTreeMap<String, Listed> = BTreeMap::new();
    for item in reader.items("s3:ListBuckets", "Buckets") {
        let read = listed(&item, &mut found);
        reader.accept(read);
    }
    for operation in ABOUT_A_BUCKET {
        for answer in reader.answers.of(operation) {
            let answered = answer.latest().is_some_and(|series| !series.pages.is_empty());
            let (Some(name), Some(account)) =
                (answer.subject.strip_prefix(ARN_PREFIX), &answer.scope.account)
            else {
                continue;
            };
            if answered {
                let unlisted = || Listed { account: account.clone(), ..Listed::default() };
                found.entry(name.to_owned()).or_insert_with(unlisted);
            }
        }
    }
    found.into_iter().map(|(name, listed)| bucket(reader, keys, name, listed)).collect()
}

/// What the list of an account's buckets says of one.
#[derive(Debug, Default)]
struct Listed {
    account: String,
    region: Option<String>,
    evidence: EvidenceIds,
}

fn listed(item: &Node<'_>, found: &mut BTreeMap<String, Listed>) -> Read<()> {
    let listed = found.entry(item.owned_text("Name")?).or_default();
    listed.account = item.account()?.to_owned();
    listed.region = item.optional_owned_text("BucketRegion")?.or_else(|| listed.region.take());
    listed.evidence.insert(item.record.id().clone());
    Ok(())
}

fn bucket(reader: &mut Reader<'_>, keys: &KeyIndex<'_>, name: String, listed: Listed) -> Bucket {
    let Listed { account, region: listed_region, mut evidence } = listed;
    let arn = format!("{ARN_PREFIX}{name}");
    let located = reader.known("s3:GetBucketLocation", &arn, &mut evidence, location);
    let region = match (located, listed_region) {
        (Known::Unknown(_), Some(region)) => Known::Observed(region),
        (located, _) => located,
    };
    let key_region = region.observed().cloned().unwrap_or_default();
    let mut ask = Asking { reader, arn: &arn, evidence: &mut evidence };
    Bucket {
        encryption: ask.known("s3:GetBucketEncryption", |pages| {
            encryption(pages, |key| keys.resolve(key, &account, &key_region))
        }),
        policy: ask.known("s3:GetBucketPolicy", |pages| {
            pages.only()?.policy("Policy", "bucket-policy", PolicyKind::Resource)
        }),
        policy_is_public: policy_is_public(&mut ask),
        public_access_blocked: ask.known("s3:GetPublicAccessBlock", public_access_blocked),
        versioning: ask.known("s3:GetBucketVersioning", |pages| pages.only()?.optional_owned_text("Status")),
        lifecycle: ask.known("s3:GetBucketLifecycleConfiguration", |pages| {
            pages.all("Rules", |rule| Ok(rule.value.clone())).map(Some)
        }),
        object_lock: ask.known("s3:GetObjectLockConfiguration", object_lock),
        replication_destinations: ask.known("s3:GetBucketReplication", replication_destinations),
        acl_grantees: ask.known("s3:GetBucketAcl", acl_grantees),
        tags: tags_of(&mut ask),
        region,
        account,
        name,
        arn,
        evidence,
    }
}

/// Asks about one bucket.
struct Asking<'r, 'a> {
    reader: &'r mut Reader<'a>,
    arn: &'r str,
    evidence: &'r mut EvidenceIds,
}

impl<'a> Asking<'_, 'a> {
    fn known<T>(&mut self, operation: &str, read: impl FnOnce(&Pages<'a>) -> Read<Option<T>>) -> Known<T> {
        self.reader.known(operation, self.arn, self.evidence, read)
    }
}

fn policy_is_public(ask: &mut Asking<'_, '_>) -> Known<bool> {
    const STATUS: &str = "s3:GetBucketPolicyStatus";
    match ask.known(STATUS, |pages| pages.only()?.object("PolicyStatus").map(Some)) {
        Known::Absent => Known::Absent,
        status => {
            ask.reader.stated(STATUS, &status, "IsPublic", |status| status.optional_boolean("IsPublic"))
        }
    }
}

/// The region; the oldest ones have names of their own ("GetBucketLocation", Amazon S3 API Reference).
fn location(pages: &Pages<'_>) -> Read<Option<String>> {
    Ok(Some(match pages.only()?.optional_text("LocationConstraint")? {
        None | Some("") => "us-east-1".to_owned(),
        Some("EU") => "eu-west-1".to_owned(),
        Some(region) => region.to_owned(),
    }))
}

fn encryption(pages: &Pages<'_>, resolve: impl Fn(&str) -> Option<String>) -> Read<Option<BucketEncryption>> {
    let configuration = pages.only()?.object("ServerSideEncryptionConfiguration")?;
    let rules = configuration.list("Rules")?;
    let Some(rule) = rules.first() else { return Ok(None) };
    let default = rule.object("ApplyServerSideEncryptionByDefault")?;
    let key = default.optional_owned_text("KMSMasterKeyID")?;
    Ok(Some(BucketEncryption {
        algorithm: default.owned_text("SSEAlgorithm")?,
        key_arn: key.as_deref().and_then(resolve),
        key,
        bucket_key: rule.optional_boolean("BucketKeyEnabled")?.unwrap_or(false),
    }))
}

fn public_access_blocked(pages: &Pages<'_>) -> Read<Option<bool>> {
    let block = pages.only()?.object("PublicAccessBlockConfiguration")?;
    let mut all = true;
    for member in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
        all &= block.boolean(member)?;
    }
    Ok(Some(all))
}

fn object_lock(pages: &Pages<'_>) -> Read<Option<ObjectLock>> {
    let Some(configuration) = pages.only()?.optional_object("ObjectLockConfiguration")? else {
        return Ok(None);
    };
    if configuration.optional_text("ObjectLockEnabled")? != Some("Enabled") {
        return Ok(None);
    }
    let retention = match configuration.optional_object("Rule")? {
        Some(rule) => rule.optional_object("DefaultRetention")?,
        None => None,
    };
    let Some(retention) = retention else { return Ok(Some(ObjectLock { mode: None, days: None })) };
    let days = match retention.optional_integer("Days")? {
        Some(days) => Some(days),
        None => retention.optional_integer("Years")?.map(|years| years.saturating_mul(365)),
    };
    Ok(Some(ObjectLock { mode: retention.optional_owned_text("Mode")?, days }))
}

/// Destinations of the rules that are on.
fn replication_destinations(pages: &Pages<'_>) -> Read<Option<Vec<String>>> {
    let mut destinations = BTreeSet::new();
    for rule in pages.only()?.object("ReplicationConfiguration")?.list("Rules")? {
        if rule.optional_text("Status")? != Some("Disabled") {
            destinations.insert(rule.object("Destination")?.owned_text("Bucket")?);
        }
    }
    Ok(Some(destinations.into_iter().collect()))
}

fn acl_grantees(pages: &Pages<'_>) -> Read<Option<Vec<String>>> {
    let acl = pages.only()?;
    let owner = acl.object("Owner")?.text("ID")?;
    let mut grantees = BTreeSet::new();
    for grant in acl.list("Grants")? {
        let grantee = grant.object("Grantee")?;
        let name = match grantee.optional_owned_text("URI")? {
            Some(uri) => uri,
            None => grantee.owned_text("ID")?,
        };
        if name != owner {
            grantees.insert(name);
        }
    }
    Ok(Some(grantees.into_iter().collect()))
}

fn tags_of(ask: &mut Asking<'_, '_>) -> Vec<Tag> {
    match ask.known("s3:GetBucketTagging", |pages| tags::read(pages.only()?, "TagSet").map(Some)) {
        Known::Observed(tags) => tags,
        Known::Absent | Known::Unknown(_) => Vec::new(),
    }
}
