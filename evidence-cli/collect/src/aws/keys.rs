//! KMS: keys, their policies, grants, rotation and aliases.

use aws_sdk_kms::types::{
    AliasListEntry, GrantConstraints, GrantListEntry, KeyManagerType, KeyMetadata, MultiRegionConfiguration,
    MultiRegionKey, RotationsListEntry,
};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

use super::Account;
use super::call::IN_FLIGHT;
use super::shape::Object;
use crate::CollectError;

/// Collects a region's keys.
pub(super) async fn collect(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    try_join!(aliases(account, region), keys(account, region))?;
    Ok(())
}

async fn aliases(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let kms = account.session.kms(region);
    account
        .ask_pages(
            account.whole_in(region, "kms:ListAliases"),
            |marker| kms.list_aliases().limit(100).set_marker(marker).send(),
            |page| page.next_marker().filter(|_| page.truncated()),
            |page| Object::new().list("Aliases", page.aliases(), alias_json).build(),
        )
        .await?;
    Ok(())
}

async fn keys(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let kms = account.session.kms(region);
    let pages = account
        .ask_pages(
            account.whole_in(region, "kms:ListKeys"),
            |marker| kms.list_keys().limit(1000).set_marker(marker).send(),
            |page| page.next_marker().filter(|_| page.truncated()),
            |page| {
                Object::new()
                    .list("Keys", page.keys(), |key| {
                        Object::new().text("KeyId", key.key_id()).text("KeyArn", key.key_arn()).build()
                    })
                    .build()
            },
        )
        .await?;
    let arns = pages.iter().flat_map(|page| page.keys()).filter_map(|key| key.key_arn());
    stream::iter(arns)
        .map(|arn| key(account, region, &kms, arn))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn key(
    account: &Account<'_>,
    region: &str,
    kms: &aws_sdk_kms::Client,
    arn: &str,
) -> Result<(), CollectError> {
    let about = |operation| account.about_in(region, operation, arn, json!({"KeyId": arn}));
    let described = account
        .ask(about("kms:DescribeKey"), kms.describe_key().key_id(arn).send(), |answer| {
            Object::new().nested("KeyMetadata", answer.key_metadata(), metadata_json).build()
        })
        .await?;
    let policy =
        account.about_in(region, "kms:GetKeyPolicy", arn, json!({"KeyId": arn, "PolicyName": "default"}));
    account
        .ask(policy, kms.get_key_policy().key_id(arn).policy_name("default").send(), |answer| {
            Object::new()
                .document("Policy", answer.policy())
                .text("PolicyName", answer.policy_name().or(Some("default")))
                .build()
        })
        .await?;
    account
        .ask_pages(
            about("kms:ListGrants"),
            |marker| kms.list_grants().key_id(arn).limit(100).set_marker(marker).send(),
            |page| page.next_marker().filter(|_| page.truncated()),
            |page| Object::new().list("Grants", page.grants(), grant_json).build(),
        )
        .await?;
    account
        .ask(about("kms:GetKeyRotationStatus"), kms.get_key_rotation_status().key_id(arn).send(), |answer| {
            Object::new()
                .text("KeyId", answer.key_id())
                .flag("KeyRotationEnabled", Some(answer.key_rotation_enabled()))
                .number("RotationPeriodInDays", answer.rotation_period_in_days())
                .time("NextRotationDate", answer.next_rotation_date())
                .time("OnDemandRotationStartDate", answer.on_demand_rotation_start_date())
                .build()
        })
        .await?;
    let of_aws = described
        .as_ref()
        .and_then(|answer| answer.key_metadata())
        .is_some_and(|key| key.key_manager() == Some(&KeyManagerType::Aws));
    if of_aws {
        return Ok(());
    }
    account
        .ask_pages(
            about("kms:ListKeyRotations"),
            |marker| kms.list_key_rotations().key_id(arn).set_marker(marker).send(),
            |page| page.next_marker().filter(|_| page.truncated()),
            |page| Object::new().list("Rotations", page.rotations(), rotation_json).build(),
        )
        .await?;
    account
        .ask_pages(
            about("kms:ListResourceTags"),
            |marker| kms.list_resource_tags().key_id(arn).set_marker(marker).send(),
            |page| page.next_marker().filter(|_| page.truncated()),
            |page| {
                Object::new()
                    .list(
                        "Tags",
                        page.tags(),
                        |tag| json!({"TagKey": tag.tag_key(), "TagValue": tag.tag_value()}),
                    )
                    .build()
            },
        )
        .await?;
    Ok(())
}

fn alias_json(alias: &AliasListEntry) -> Value {
    Object::new()
        .text("AliasName", alias.alias_name())
        .text("AliasArn", alias.alias_arn())
        .text("TargetKeyId", alias.target_key_id())
        .time("CreationDate", alias.creation_date())
        .time("LastUpdatedDate", alias.last_updated_date())
        .build()
}

fn metadata_json(key: &KeyMetadata) -> Value {
    Object::new()
        .text("AWSAccountId", key.aws_account_id())
        .text("KeyId", Some(key.key_id()))
        .text("Arn", key.arn())
        .time("CreationDate", key.creation_date())
        .flag("Enabled", Some(key.enabled()))
        .text("Description", key.description())
        .text("KeyUsage", key.key_usage().map(|usage| usage.as_str()))
        .text("KeyState", key.key_state().map(|state| state.as_str()))
        .time("DeletionDate", key.deletion_date())
        .number("PendingDeletionWindowInDays", key.pending_deletion_window_in_days())
        .time("ValidTo", key.valid_to())
        .text("Origin", key.origin().map(|origin| origin.as_str()))
        .text("CustomKeyStoreId", key.custom_key_store_id())
        .text("CloudHsmClusterId", key.cloud_hsm_cluster_id())
        .text("ExpirationModel", key.expiration_model().map(|model| model.as_str()))
        .text("KeyManager", key.key_manager().map(|manager| manager.as_str()))
        .text("KeySpec", key.key_spec().map(|spec| spec.as_str()))
        .list("EncryptionAlgorithms", key.encryption_algorithms(), |algorithm| algorithm.as_str().into())
        .flag("MultiRegion", key.multi_region())
        .nested("MultiRegionConfiguration", key.multi_region_configuration(), multi_region_json)
        .nested("XksKeyConfiguration", key.xks_key_configuration(), |xks| {
            Object::new().text("Id", xks.id()).build()
        })
        .build()
}

fn multi_region_json(configuration: &MultiRegionConfiguration) -> Value {
    Object::new()
        .text("MultiRegionKeyType", configuration.multi_region_key_type().map(|kind| kind.as_str()))
        .nested("PrimaryKey", configuration.primary_key(), replica_json)
        .list("ReplicaKeys", configuration.replica_keys(), replica_json)
        .build()
}

fn replica_json(key: &MultiRegionKey) -> Value {
    Object::new().text("Arn", key.arn()).text("Region", key.region()).build()
}

fn grant_json(grant: &GrantListEntry) -> Value {
    Object::new()
        .text("KeyId", grant.key_id())
        .text("GrantId", grant.grant_id())
        .text("Name", grant.name())
        .time("CreationDate", grant.creation_date())
        .text("GranteePrincipal", grant.grantee_principal())
        .text("GranteeServicePrincipal", grant.grantee_service_principal())
        .text("RetiringPrincipal", grant.retiring_principal())
        .text("RetiringServicePrincipal", grant.retiring_service_principal())
        .text("IssuingAccount", grant.issuing_account())
        .list("Operations", grant.operations(), |operation| operation.as_str().into())
        .nested("Constraints", grant.constraints(), constraints_json)
        .build()
}

fn constraints_json(constraints: &GrantConstraints) -> Value {
    Object::new()
        .nested("EncryptionContextSubset", constraints.encryption_context_subset(), context_json)
        .nested("EncryptionContextEquals", constraints.encryption_context_equals(), context_json)
        .text("SourceArn", constraints.source_arn())
        .build()
}

fn context_json(context: &HashMap<String, String>) -> Value {
    let members: Map<String, Value> =
        context.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    Value::Object(members)
}

fn rotation_json(rotation: &RotationsListEntry) -> Value {
    Object::new()
        .text("KeyId", rotation.key_id())
        .time("RotationDate", rotation.rotation_date())
        .text("RotationType", rotation.rotation_type().map(|kind| kind.as_str()))
        .build()
}
