//! S3: buckets and everything that decides who reads, keeps and copies their objects.

use aws_sdk_s3::types::{
    Bucket, Grant, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionTransition, ObjectLockConfiguration,
    PublicAccessBlockConfiguration, ReplicationConfiguration, ReplicationRule, ServerSideEncryptionRule,
    Transition,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::Account;
use super::call::{IN_FLIGHT, Question};
use super::shape::{Object, tags};
use crate::CollectError;

/// Collects the account's buckets, each asked about in its own region.
pub(super) async fn collect(account: &Account<'_>) -> Result<(), CollectError> {
    let s3 = account.session.s3(None);
    let pages = account
        .ask_pages(
            account.whole("s3:ListBuckets"),
            |token| s3.list_buckets().max_buckets(1000).set_continuation_token(token).send(),
            |page| page.continuation_token(),
            |page| {
                Object::new()
                    .list("Buckets", page.buckets(), bucket_json)
                    .nested("Owner", page.owner(), |owner| Object::new().text("ID", owner.id()).build())
                    .build()
            },
        )
        .await?;
    let names = pages.iter().flat_map(|page| page.buckets()).filter_map(|bucket| bucket.name());
    stream::iter(names).map(|name| bucket(account, name)).buffer_unordered(IN_FLIGHT).try_collect().await
}

async fn bucket(account: &Account<'_>, name: &str) -> Result<(), CollectError> {
    let subject = format!("arn:{}:s3:::{name}", account.partition);
    let request = json!({"Bucket": name});
    let s3 = account.session.s3(None);
    let location = account
        .ask(
            account.about("s3:GetBucketLocation", &subject, request.clone()),
            s3.get_bucket_location().bucket(name).send(),
            |answer| {
                // The service leaves the element empty for its first region; the CLI prints null.
                let constraint = answer.location_constraint().map(|l| l.as_str()).filter(|l| !l.is_empty());
                json!({"LocationConstraint": constraint})
            },
        )
        .await?;
    let region = location.map(|answer| match answer.location_constraint().map(|l| l.as_str()) {
        None | Some("") => "us-east-1".to_owned(),
        Some("EU") => "eu-west-1".to_owned(),
        Some(region) => region.to_owned(),
    });
    let s3 = account.session.s3(region.as_deref());
    let about = |operation| match &region {
        Some(region) => account.about_in(region, operation, &subject, request.clone()),
        None => account.about(operation, &subject, request.clone()),
    };
    access(account, &s3, name, &about).await?;
    retention(account, &s3, name, &about).await?;
    surroundings(account, &s3, name, &about).await
}

/// Policy, ownership and public access.
async fn access(
    account: &Account<'_>,
    s3: &aws_sdk_s3::Client,
    name: &str,
    about: &impl Fn(&'static str) -> Question,
) -> Result<(), CollectError> {
    account
        .ask(about("s3:GetBucketPolicy"), s3.get_bucket_policy().bucket(name).send(), |answer| {
            Object::new().document("Policy", answer.policy()).build()
        })
        .await?;
    account
        .ask(about("s3:GetBucketPolicyStatus"), s3.get_bucket_policy_status().bucket(name).send(), |answer| {
            Object::new()
                .nested("PolicyStatus", answer.policy_status(), |status| {
                    Object::new().flag("IsPublic", status.is_public()).build()
                })
                .build()
        })
        .await?;
    account
        .ask(about("s3:GetPublicAccessBlock"), s3.get_public_access_block().bucket(name).send(), |answer| {
            let configuration = answer.public_access_block_configuration();
            Object::new().nested("PublicAccessBlockConfiguration", configuration, public_access_json).build()
        })
        .await?;
    account
        .ask(
            about("s3:GetBucketOwnershipControls"),
            s3.get_bucket_ownership_controls().bucket(name).send(),
            |answer| {
                Object::new()
                    .nested("OwnershipControls", answer.ownership_controls(), |controls| {
                        Object::new()
                            .list(
                                "Rules",
                                controls.rules(),
                                |rule| json!({"ObjectOwnership": rule.object_ownership().as_str()}),
                            )
                            .build()
                    })
                    .build()
            },
        )
        .await?;
    account
        .ask(about("s3:GetBucketAcl"), s3.get_bucket_acl().bucket(name).send(), |answer| {
            Object::new()
                .nested("Owner", answer.owner(), |owner| Object::new().text("ID", owner.id()).build())
                .list("Grants", answer.grants(), grant_json)
                .build()
        })
        .await?;
    Ok(())
}

/// Encryption, versions, lifecycle, lock and copies.
async fn retention(
    account: &Account<'_>,
    s3: &aws_sdk_s3::Client,
    name: &str,
    about: &impl Fn(&'static str) -> Question,
) -> Result<(), CollectError> {
    account
        .ask(about("s3:GetBucketEncryption"), s3.get_bucket_encryption().bucket(name).send(), |answer| {
            let configuration = answer.server_side_encryption_configuration();
            Object::new()
                .nested("ServerSideEncryptionConfiguration", configuration, |configuration| {
                    Object::new().list("Rules", configuration.rules(), encryption_json).build()
                })
                .build()
        })
        .await?;
    account
        .ask(about("s3:GetBucketVersioning"), s3.get_bucket_versioning().bucket(name).send(), |answer| {
            Object::new()
                .text("Status", answer.status().map(|status| status.as_str()))
                .text("MFADelete", answer.mfa_delete().map(|status| status.as_str()))
                .build()
        })
        .await?;
    account
        .ask(
            about("s3:GetBucketLifecycleConfiguration"),
            s3.get_bucket_lifecycle_configuration().bucket(name).send(),
            |answer| Object::new().list("Rules", answer.rules(), lifecycle_json).build(),
        )
        .await?;
    account
        .ask(
            about("s3:GetObjectLockConfiguration"),
            s3.get_object_lock_configuration().bucket(name).send(),
            |answer| {
                Object::new()
                    .nested("ObjectLockConfiguration", answer.object_lock_configuration(), lock_json)
                    .build()
            },
        )
        .await?;
    account
        .ask(about("s3:GetBucketReplication"), s3.get_bucket_replication().bucket(name).send(), |answer| {
            Object::new()
                .nested("ReplicationConfiguration", answer.replication_configuration(), replication_json)
                .build()
        })
        .await?;
    Ok(())
}

/// Access logs, notifications and tags.
async fn surroundings(
    account: &Account<'_>,
    s3: &aws_sdk_s3::Client,
    name: &str,
    about: &impl Fn(&'static str) -> Question,
) -> Result<(), CollectError> {
    account
        .ask(about("s3:GetBucketLogging"), s3.get_bucket_logging().bucket(name).send(), |answer| {
            Object::new()
                .nested("LoggingEnabled", answer.logging_enabled(), |logging| {
                    json!({"TargetBucket": logging.target_bucket(), "TargetPrefix": logging.target_prefix()})
                })
                .build()
        })
        .await?;
    account
        .ask(about("s3:GetBucketTagging"), s3.get_bucket_tagging().bucket(name).send(), |answer| {
            Object::new().value("TagSet", Some(tags!(answer.tag_set()))).build()
        })
        .await?;
    account
        .ask(
            about("s3:GetBucketNotificationConfiguration"),
            s3.get_bucket_notification_configuration().bucket(name).send(),
            |answer| {
                macro_rules! targets {
                    ($name:literal, $list:expr, $member:literal, $arn:ident) => {
                        |object: Object| {
                            object.list($name, $list, |target| {
                                Object::new()
                                    .text("Id", target.id())
                                    .text($member, Some(target.$arn()))
                                    .list("Events", target.events(), |event| event.as_str().into())
                                    .build()
                            })
                        }
                    };
                }
                let topics =
                    targets!("TopicConfigurations", answer.topic_configurations(), "TopicArn", topic_arn);
                let queues =
                    targets!("QueueConfigurations", answer.queue_configurations(), "QueueArn", queue_arn);
                let functions = targets!(
                    "LambdaFunctionConfigurations",
                    answer.lambda_function_configurations(),
                    "LambdaFunctionArn",
                    lambda_function_arn
                );
                functions(queues(topics(Object::new())))
                    .nested("EventBridgeConfiguration", answer.event_bridge_configuration(), |_| json!({}))
                    .build()
            },
        )
        .await?;
    Ok(())
}

fn bucket_json(bucket: &Bucket) -> Value {
    Object::new()
        .text("Name", bucket.name())
        .time("CreationDate", bucket.creation_date())
        .text("BucketRegion", bucket.bucket_region())
        .build()
}

fn public_access_json(block: &PublicAccessBlockConfiguration) -> Value {
    Object::new()
        .flag("BlockPublicAcls", block.block_public_acls())
        .flag("IgnorePublicAcls", block.ignore_public_acls())
        .flag("BlockPublicPolicy", block.block_public_policy())
        .flag("RestrictPublicBuckets", block.restrict_public_buckets())
        .build()
}

fn grant_json(grant: &Grant) -> Value {
    Object::new()
        .nested("Grantee", grant.grantee(), |grantee| {
            Object::new()
                .text("Type", Some(grantee.r#type().as_str()))
                .text("ID", grantee.id())
                .text("URI", grantee.uri())
                .build()
        })
        .text("Permission", grant.permission().map(|permission| permission.as_str()))
        .build()
}

fn encryption_json(rule: &ServerSideEncryptionRule) -> Value {
    Object::new()
        .nested(
            "ApplyServerSideEncryptionByDefault",
            rule.apply_server_side_encryption_by_default(),
            |default| {
                Object::new()
                    .text("SSEAlgorithm", Some(default.sse_algorithm().as_str()))
                    .text("KMSMasterKeyID", default.kms_master_key_id())
                    .build()
            },
        )
        .flag("BucketKeyEnabled", rule.bucket_key_enabled())
        .build()
}

fn lifecycle_json(rule: &LifecycleRule) -> Value {
    #[expect(deprecated, reason = "rules made before 2016 carry their prefix here")]
    let prefix = rule.prefix();
    Object::new()
        .text("ID", rule.id())
        .text("Status", Some(rule.status().as_str()))
        .text("Prefix", prefix)
        .nested("Filter", rule.filter(), lifecycle_filter_json)
        .nested("Expiration", rule.expiration(), |expiration| {
            Object::new()
                .time("Date", expiration.date())
                .number("Days", expiration.days())
                .flag("ExpiredObjectDeleteMarker", expiration.expired_object_delete_marker())
                .build()
        })
        .nested("NoncurrentVersionExpiration", rule.noncurrent_version_expiration(), |expiration| {
            Object::new()
                .number("NoncurrentDays", expiration.noncurrent_days())
                .number("NewerNoncurrentVersions", expiration.newer_noncurrent_versions())
                .build()
        })
        .nested("AbortIncompleteMultipartUpload", rule.abort_incomplete_multipart_upload(), |abort| {
            Object::new().number("DaysAfterInitiation", abort.days_after_initiation()).build()
        })
        .list("Transitions", rule.transitions(), transition_json)
        .list(
            "NoncurrentVersionTransitions",
            rule.noncurrent_version_transitions(),
            noncurrent_transition_json,
        )
        .build()
}

fn lifecycle_filter_json(filter: &LifecycleRuleFilter) -> Value {
    Object::new()
        .text("Prefix", filter.prefix())
        .nested("Tag", filter.tag(), |tag| json!({"Key": tag.key(), "Value": tag.value()}))
        .number("ObjectSizeGreaterThan", filter.object_size_greater_than())
        .number("ObjectSizeLessThan", filter.object_size_less_than())
        .nested("And", filter.and(), |and| {
            Object::new()
                .text("Prefix", and.prefix())
                .value("Tags", Some(tags!(and.tags())))
                .number("ObjectSizeGreaterThan", and.object_size_greater_than())
                .number("ObjectSizeLessThan", and.object_size_less_than())
                .build()
        })
        .build()
}

fn transition_json(transition: &Transition) -> Value {
    Object::new()
        .time("Date", transition.date())
        .number("Days", transition.days())
        .text("StorageClass", transition.storage_class().map(|class| class.as_str()))
        .build()
}

fn noncurrent_transition_json(transition: &NoncurrentVersionTransition) -> Value {
    Object::new()
        .number("NoncurrentDays", transition.noncurrent_days())
        .number("NewerNoncurrentVersions", transition.newer_noncurrent_versions())
        .text("StorageClass", transition.storage_class().map(|class| class.as_str()))
        .build()
}

fn lock_json(lock: &ObjectLockConfiguration) -> Value {
    Object::new()
        .text("ObjectLockEnabled", lock.object_lock_enabled().map(|enabled| enabled.as_str()))
        .nested("Rule", lock.rule(), |rule| {
            Object::new()
                .nested("DefaultRetention", rule.default_retention(), |retention| {
                    Object::new()
                        .text("Mode", retention.mode().map(|mode| mode.as_str()))
                        .number("Days", retention.days())
                        .number("Years", retention.years())
                        .build()
                })
                .build()
        })
        .build()
}

fn replication_json(replication: &ReplicationConfiguration) -> Value {
    Object::new()
        .text("Role", Some(replication.role()))
        .list("Rules", replication.rules(), replication_rule_json)
        .build()
}

fn replication_rule_json(rule: &ReplicationRule) -> Value {
    #[expect(deprecated, reason = "the first version of the schema carries its prefix here")]
    let prefix = rule.prefix();
    Object::new()
        .text("ID", rule.id())
        .text("Status", Some(rule.status().as_str()))
        .number("Priority", rule.priority())
        .text("Prefix", prefix)
        .nested("Filter", rule.filter(), |filter| {
            Object::new()
                .text("Prefix", filter.prefix())
                .nested("Tag", filter.tag(), |tag| json!({"Key": tag.key(), "Value": tag.value()}))
                .nested("And", filter.and(), |and| {
                    Object::new().text("Prefix", and.prefix()).value("Tags", Some(tags!(and.tags()))).build()
                })
                .build()
        })
        .nested("Destination", rule.destination(), |destination| {
            Object::new()
                .text("Bucket", Some(destination.bucket()))
                .text("Account", destination.account())
                .text("StorageClass", destination.storage_class().map(|class| class.as_str()))
                .nested("EncryptionConfiguration", destination.encryption_configuration(), |encryption| {
                    Object::new().text("ReplicaKmsKeyID", encryption.replica_kms_key_id()).build()
                })
                .build()
        })
        .nested("DeleteMarkerReplication", rule.delete_marker_replication(), |markers| {
            Object::new().text("Status", markers.status().map(|status| status.as_str())).build()
        })
        .build()
}
