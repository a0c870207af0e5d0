//! S3 buckets and the resources that configure them.
//!
//! What a new bucket has where nothing configures it: encryption with S3's own keys, all public access blocked, ACLs
//! disabled, no policy, versioning, lifecycle, lock or replication ("Creating a general purpose bucket", Amazon S3 User
//! Guide).

use serde_json::{Value, json};

use super::Place;
use crate::block::{Block, NotKnown, Read};
use crate::document::{self, Document};
use crate::symbol;
use crate::world::{Answer, Question, World, object};

/// Resources that configure one aspect of a bucket, the question about it, and how it is read.
type Aspect = (&'static str, &'static str, fn(&Block<'_, '_>) -> Read<Value>);

const ASPECTS: [Aspect; 8] = [
    ("aws_s3_bucket_public_access_block", "s3:GetPublicAccessBlock", public_access_block),
    ("aws_s3_bucket_server_side_encryption_configuration", "s3:GetBucketEncryption", encryption),
    ("aws_s3_bucket_versioning", "s3:GetBucketVersioning", versioning),
    ("aws_s3_bucket_lifecycle_configuration", "s3:GetBucketLifecycleConfiguration", lifecycle),
    ("aws_s3_bucket_logging", "s3:GetBucketLogging", logging),
    ("aws_s3_bucket_ownership_controls", "s3:GetBucketOwnershipControls", ownership),
    ("aws_s3_bucket_object_lock_configuration", "s3:GetObjectLockConfiguration", object_lock),
    ("aws_s3_bucket_replication_configuration", "s3:GetBucketReplication", replication),
];

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, new: bool) {
    let kind = block.resource.kind;
    if kind == "aws_s3_bucket" {
        return bucket(block, place, world, new);
    }
    if !kind.starts_with("aws_s3_bucket_") {
        return;
    }
    let subject = match block.required("bucket") {
        Ok(name) if name.starts_with("arn:") => name,
        Ok(name) => format!("arn:aws:s3:::{name}"),
        Err(missing) => {
            let buckets = place.global("s3:ListBuckets", "Buckets").question;
            return world.gap(buckets, block.resource.address, &missing);
        }
    };
    if kind == "aws_s3_bucket_policy" {
        return policy(block, place, world, &subject);
    }
    if kind == "aws_s3_bucket_acl" {
        return acl(block, place, world, &subject);
    }
    for (resource, operation, read) in ASPECTS {
        if resource == kind {
            let question = place.about(operation, subject.as_str());
            match read(block) {
                Ok(value) => {
                    world.answers.insert(question, Answer::Stated(value));
                }
                Err(missing) => world.unknown(question, block.resource.address, &missing),
            }
        }
    }
}

fn bucket(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, new: bool) {
    let name = symbol::attribute(block.resource, "bucket");
    let subject = format!("arn:aws:s3:::{name}");
    let item = json!({"Name": name, "BucketRegion": place.region});
    world.put(place.global("s3:ListBuckets", "Buckets"), name, item);
    if !new {
        return;
    }
    let location = Question {
        scope: cadastre_model::Scope::account(place.account),
        ..place.about("s3:GetBucketLocation", subject.as_str())
    };
    world.unless_stated(location, Answer::Stated(json!({"LocationConstraint": place.region})));
    let owner = format!("owner-of-{}", place.account);
    for (operation, answer) in [
        ("s3:GetBucketPolicy", Answer::Absent),
        ("s3:GetBucketPolicyStatus", Answer::Absent),
        (
            "s3:GetBucketEncryption",
            Answer::Stated(json!({"ServerSideEncryptionConfiguration": {"Rules": [
                {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false}]}})),
        ),
        (
            "s3:GetPublicAccessBlock",
            Answer::Stated(
                json!({"PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "IgnorePublicAcls": true,
                "BlockPublicPolicy": true, "RestrictPublicBuckets": true}}),
            ),
        ),
        (
            "s3:GetBucketOwnershipControls",
            Answer::Stated(
                json!({"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
            ),
        ),
        ("s3:GetBucketAcl", Answer::Stated(json!({"Owner": {"ID": owner}, "Grants": []}))),
        ("s3:GetBucketVersioning", Answer::Stated(json!({}))),
        ("s3:GetBucketLifecycleConfiguration", Answer::Absent),
        ("s3:GetObjectLockConfiguration", Answer::Absent),
        ("s3:GetBucketReplication", Answer::Absent),
        ("s3:GetBucketLogging", Answer::Stated(json!({}))),
        ("s3:GetBucketTagging", Answer::Absent),
        ("s3:GetBucketNotificationConfiguration", Answer::Stated(json!({}))),
    ] {
        world.unless_stated(place.about(operation, subject.as_str()), answer);
    }
}

fn policy(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, subject: &str) {
    let question = place.about("s3:GetBucketPolicy", subject);
    let status = place.about("s3:GetBucketPolicyStatus", subject);
    match block.document("policy") {
        Ok(Document::Stated(policy)) => {
            match document::certainly_not_public(&policy) {
                Some(_) => {
                    let answer = Answer::Stated(json!({"PolicyStatus": {"IsPublic": false}}));
                    world.answers.insert(status, answer);
                }
                // Only S3 tells whether a policy with a wildcard is public.
                None => {
                    let what = format!("{}.policy (whether it is public)", block.resource.address);
                    world.answers.insert(status, Answer::Unknown(what));
                }
            }
            world.answers.insert(question, Answer::Stated(json!({"Policy": policy})));
        }
        Ok(Document::Missing) => {
            world.answers.insert(question, Answer::Absent);
            world.answers.insert(status, Answer::Absent);
        }
        Err(missing) => {
            world.unknown(status, block.resource.address, &missing);
            world.unknown(question, block.resource.address, &missing);
        }
    }
}

/// Canned ACLs name groups; an explicit policy names its grantees ("aws_s3_bucket_acl", provider documentation; "Access
/// control list (ACL) overview", Amazon S3 User Guide).
fn acl(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, subject: &str) {
    const ALL: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
    const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
    const DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
    let question = place.about("s3:GetBucketAcl", subject);
    let owner = format!("owner-of-{}", place.account);
    let grant = |uri: &str| json!({"Grantee": {"Type": "Group", "URI": uri}, "Permission": "READ"});
    let grants = match block.word("acl") {
        Ok(Some("private" | "bucket-owner-full-control" | "bucket-owner-read")) => Some(vec![]),
        Ok(Some("public-read" | "public-read-write")) => Some(vec![grant(ALL)]),
        Ok(Some("authenticated-read")) => Some(vec![grant(AUTHENTICATED)]),
        Ok(Some("log-delivery-write")) => Some(vec![grant(DELIVERY)]),
        _ => None,
    };
    match grants {
        Some(grants) => {
            let answer = Answer::Stated(json!({"Owner": {"ID": owner}, "Grants": grants}));
            world.answers.insert(question, answer);
        }
        None => {
            world.unknown(question, block.resource.address, &NotKnown("access_control_policy".to_owned()))
        }
    }
}

fn public_access_block(block: &Block<'_, '_>) -> Read<Value> {
    let flag = |argument: &str| Ok(block.flag(argument)?.unwrap_or(false));
    Ok(json!({"PublicAccessBlockConfiguration": {
        "BlockPublicAcls": flag("block_public_acls")?,
        "IgnorePublicAcls": flag("ignore_public_acls")?,
        "BlockPublicPolicy": flag("block_public_policy")?,
        "RestrictPublicBuckets": flag("restrict_public_buckets")?,
    }}))
}

fn encryption(block: &Block<'_, '_>) -> Read<Value> {
    let mut rules = Vec::new();
    for rule in block.blocks("rule")? {
        let Some(default) = rule.nested("apply_server_side_encryption_by_default")? else { continue };
        let key = match default.is_unknown("kms_master_key_id")
            && default.expressions.is_object()
            && default.expressions.get("kms_master_key_id").is_none()
        {
            true => None,
            false => default.resolved("kms_master_key_id")?,
        };
        let default = object(json!({
            "SSEAlgorithm": default.required_word("sse_algorithm")?,
            "KMSMasterKeyID": key,
        }));
        let bucket_key = rule.flag("bucket_key_enabled").unwrap_or(None).unwrap_or(false);
        rules.push(json!({"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key}));
    }
    Ok(json!({"ServerSideEncryptionConfiguration": {"Rules": rules}}))
}

fn versioning(block: &Block<'_, '_>) -> Read<Value> {
    let Some(configuration) = block.nested("versioning_configuration")? else { return Ok(json!({})) };
    let status = configuration.word("status")?.filter(|status| *status != "Disabled");
    Ok(object(json!({"Status": status, "MFADelete": configuration.word("mfa_delete").unwrap_or(None)})))
}

fn lifecycle(block: &Block<'_, '_>) -> Read<Value> {
    let mut rules = Vec::new();
    for rule in block.blocks("rule")? {
        let filter = match rule.nested("filter")? {
            Some(filter) => {
                object(json!({"Prefix": filter.word("prefix").unwrap_or(None).unwrap_or_default()}))
            }
            None => json!({"Prefix": rule.word("prefix").unwrap_or(None).unwrap_or_default()}),
        };
        let narrowed = match rule.nested("filter")? {
            Some(filter) => !filter.blocks("tag")?.is_empty() || !filter.blocks("and")?.is_empty(),
            None => false,
        };
        if narrowed {
            // Tags and sizes narrow the rule in ways that are not carried over.
            return Err(NotKnown("rule.filter".to_owned()));
        }
        let expiration = match rule.nested("expiration")? {
            Some(expiration) => Some(object(json!({"Days": positive(expiration.integer("days")?)}))),
            None => None,
        };
        let noncurrent = match rule.nested("noncurrent_version_expiration")? {
            Some(expiration) => Some(object(json!({
                "NoncurrentDays": positive(expiration.integer("noncurrent_days")?),
                "NewerNoncurrentVersions": positive(expiration.integer("newer_noncurrent_versions")?),
            }))),
            None => None,
        };
        let abort = match rule.nested("abort_incomplete_multipart_upload")? {
            Some(abort) => Some(json!({"DaysAfterInitiation": abort.integer("days_after_initiation")?})),
            None => None,
        };
        rules.push(object(json!({
            "ID": rule.word("id")?,
            "Status": rule.word("status")?,
            "Filter": filter,
            "Expiration": expiration,
            "NoncurrentVersionExpiration": noncurrent,
            "AbortIncompleteMultipartUpload": abort,
        })));
    }
    Ok(json!({"Rules": rules}))
}

fn positive(number: Option<i64>) -> Option<i64> {
    number.filter(|number| *number > 0)
}

fn logging(block: &Block<'_, '_>) -> Read<Value> {
    let target = block.required("target_bucket")?;
    let prefix = block.word("target_prefix")?.unwrap_or_default();
    Ok(json!({"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": prefix}}))
}

fn ownership(block: &Block<'_, '_>) -> Read<Value> {
    let mut rules = Vec::new();
    for rule in block.blocks("rule")? {
        rules.push(json!({"ObjectOwnership": rule.required_word("object_ownership")?}));
    }
    Ok(json!({"OwnershipControls": {"Rules": rules}}))
}

fn object_lock(block: &Block<'_, '_>) -> Read<Value> {
    let mut rule = None;
    if let Some(block) = block.nested("rule")?
        && let Some(retention) = block.nested("default_retention")?
    {
        rule = Some(json!({"DefaultRetention": object(json!({
            "Mode": retention.word("mode")?,
            "Days": positive(retention.integer("days")?),
            "Years": positive(retention.integer("years")?),
        }))}));
    }
    Ok(json!({"ObjectLockConfiguration": object(json!({"ObjectLockEnabled": "Enabled", "Rule": rule}))}))
}

fn replication(block: &Block<'_, '_>) -> Read<Value> {
    let mut rules = Vec::new();
    for rule in block.blocks("rule")? {
        let Some(destination) = rule.nested("destination")? else { continue };
        rules.push(object(json!({
            "ID": rule.word("id").unwrap_or(None),
            "Status": rule.word("status")?,
            "Destination": object(json!({
                "Bucket": destination.required("bucket")?,
                "Account": destination.resolved("account")?,
            })),
        })));
    }
    Ok(json!({"ReplicationConfiguration": {"Role": block.identifier("role"), "Rules": rules}}))
}
