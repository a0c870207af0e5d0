//! KMS keys, their policies, aliases and grants.

use serde_json::{Value, json};

use super::Place;
use crate::block::{Block, NotKnown, Read};
use crate::document::Document;
use crate::symbol;
use crate::world::{Answer, ListKey, World, object};

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, new: bool) {
    let (operation, read) = match block.resource.kind {
        "aws_kms_key" | "aws_kms_external_key" => {
            key(block, place, world, new);
            return;
        }
        "aws_kms_key_policy" => {
            policy(block, place, world);
            return;
        }
        "aws_kms_alias" => ("kms:ListAliases", alias(block, place, world)),
        "aws_kms_grant" => ("kms:ListKeys", grant(block, place, world)),
        _ => return,
    };
    if let Err(missing) = read {
        world.gap(place.listing(operation), block.resource.address, &missing);
    }
}

/// The ARN of a key that is named by id or ARN.
fn arn_of(place: &Place<'_>, key: &str) -> String {
    if key.starts_with("arn:") {
        return key.to_owned();
    }
    format!("arn:aws:kms:{}:{}:key/{key}", place.region, place.account)
}

fn id_of(arn: &str) -> &str {
    arn.split_once(":key/").map_or(arn, |(_, id)| id)
}

fn key(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, new: bool) {
    let arn = symbol::attribute(block.resource, "arn");
    let item = json!({"KeyId": id_of(&arn), "KeyArn": arn});
    world.put(place.regional("kms:ListKeys", "Keys"), arn.clone(), item);
    if let Err(missing) = metadata(block, place, world, &arn) {
        world.unknown(place.about("kms:DescribeKey", &arn), block.resource.address, &missing);
    }
    let question = place.about("kms:GetKeyPolicy", &arn);
    match block.document("policy") {
        Ok(Document::Stated(document)) => world.unless_stated(question, policy_answer(document)),
        Err(missing) if block.resource.sets("policy") => {
            world.unknown(question, block.resource.address, &missing);
        }
        // A key that is made without a policy gets the default one ("Default key policy", AWS KMS Developer Guide).
        Ok(Document::Missing) | Err(_) => {
            world.unless_stated(question, policy_answer(default_policy(place.account)));
        }
    }
    let rotation = place.about("kms:GetKeyRotationStatus", &arn);
    match rotation_of(block) {
        Ok(status) => world.state(rotation, status),
        Err(missing) => world.unknown(rotation, block.resource.address, &missing),
    }
    if new {
        let grants = place.about("kms:ListGrants", &arn);
        world.complete.insert(grants.clone());
        world.lists.entry(ListKey { question: grants, member: "Grants" }).or_default();
        world.state(place.about("kms:ListResourceTags", &arn), json!({"Tags": []}));
    }
}

fn metadata(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, arn: &str) -> Read<()> {
    let external = block.resource.kind == "aws_kms_external_key";
    let enabled = block.flag(if external { "enabled" } else { "is_enabled" })?.unwrap_or(true);
    let origin = match block.identifier("custom_key_store_id") {
        Some(_) if block.resource.sets("custom_key_store_id") => "AWS_CLOUDHSM",
        _ if external => "EXTERNAL",
        _ => "AWS_KMS",
    };
    let known = |argument: &str, default: &'static str| -> Read<String> {
        match block.is_unknown(argument) && !block.resource.sets(argument) {
            true => Ok(default.to_owned()),
            false => Ok(block.word(argument)?.unwrap_or(default).to_owned()),
        }
    };
    let multi_region = match block.is_unknown("multi_region") && !block.resource.sets("multi_region") {
        true => false,
        false => block.flag("multi_region")?.unwrap_or(false),
    };
    let value = object(json!({
        "AWSAccountId": place.account,
        "KeyId": id_of(arn),
        "Arn": arn,
        "Enabled": enabled,
        "KeyState": if enabled { "Enabled" } else { "Disabled" },
        "KeyManager": "CUSTOMER",
        "KeyUsage": known("key_usage", "ENCRYPT_DECRYPT")?,
        "KeySpec": known("customer_master_key_spec", "SYMMETRIC_DEFAULT")?,
        "Origin": origin,
        "MultiRegion": multi_region,
    }));
    world.state(place.about("kms:DescribeKey", arn), json!({"KeyMetadata": value}));
    Ok(())
}

fn rotation_of(block: &Block<'_, '_>) -> Read<Value> {
    let days = match block.is_unknown("rotation_period_in_days") {
        true => None,
        false => block.integer("rotation_period_in_days")?,
    };
    Ok(object(json!({
        "KeyRotationEnabled": block.flag("enable_key_rotation")?.unwrap_or(false),
        "RotationPeriodInDays": days,
    })))
}

fn policy_answer(document: Value) -> Answer {
    Answer::Stated(json!({"Policy": document, "PolicyName": "default"}))
}

fn default_policy(account: &str) -> Value {
    json!({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
        "Sid": "Enable IAM User Permissions", "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": "kms:*", "Resource": "*"}]})
}

fn policy(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) {
    let key = match block.required("key_id") {
        Ok(key) => arn_of(place, &key),
        Err(missing) => {
            return world.gap(place.listing("kms:ListKeys"), block.resource.address, &missing);
        }
    };
    let question = place.about("kms:GetKeyPolicy", key);
    match block.document("policy") {
        Ok(Document::Stated(document)) => {
            world.answers.insert(question, policy_answer(document));
        }
        Ok(Document::Missing) => {
            world.unknown(question, block.resource.address, &NotKnown("policy".to_owned()));
        }
        Err(missing) => world.unknown(question, block.resource.address, &missing),
    }
}

fn alias(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let name = block.required("name")?;
    let target = arn_of(place, &block.required("target_key_id")?);
    let value = json!({
        "AliasName": name,
        "AliasArn": format!("arn:aws:kms:{}:{}:{name}", place.region, place.account),
        "TargetKeyId": id_of(&target),
    });
    world.put(place.regional("kms:ListAliases", "Aliases"), name, value);
    Ok(())
}

fn grant(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let key = arn_of(place, &block.required("key_id")?);
    let question = place.about("kms:ListGrants", &key);
    let id = block.identifier("grant_id").unwrap_or_else(|| block.resource.address.to_owned());
    let mut constraints = json!({});
    let read = |block: &Block<'_, '_>| -> Read<Value> {
        let mut constraints = json!({});
        for limits in block.blocks("constraints")? {
            for (argument, member) in [
                ("encryption_context_equals", "EncryptionContextEquals"),
                ("encryption_context_subset", "EncryptionContextSubset"),
            ] {
                let pairs = limits.map(argument)?;
                if let (false, Value::Object(members)) = (pairs.is_empty(), &mut constraints) {
                    let pairs = pairs.into_iter().map(|(name, value)| (name, Value::String(value)));
                    members.insert(member.to_owned(), Value::Object(pairs.collect()));
                }
            }
        }
        Ok(constraints)
    };
    let granted = (|| -> Read<Value> {
        constraints = read(block)?;
        Ok(object(json!({
            "KeyId": id_of(&key),
            "GrantId": id,
            "Name": block.word("name").unwrap_or(None),
            "GranteePrincipal": block.required("grantee_principal")?,
            "RetiringPrincipal": block.resolved("retiring_principal")?,
            "IssuingAccount": place.account,
            "Operations": block.words("operations")?,
            "Constraints": constraints,
        })))
    })();
    match granted {
        Ok(value) => world.put(ListKey { question, member: "Grants" }, id, value),
        Err(missing) => world.gap(question, block.resource.address, &missing),
    }
    Ok(())
}

/// A key that is destroyed is scheduled for deletion and stays for the waiting period ("ScheduleKeyDeletion", AWS KMS
/// API Reference).
pub(super) fn deleted(kind: &str, before: &Value, place: &Place<'_>, world: &mut World) {
    let (true, Some(arn)) = (kind == "aws_kms_key", before.get("arn").and_then(Value::as_str)) else {
        return;
    };
    let item = json!({"KeyId": id_of(arn), "KeyArn": arn});
    world.put(place.regional("kms:ListKeys", "Keys"), arn.to_owned(), item);
    let state = json!({"KeyMetadata": {
        "AWSAccountId": place.account, "KeyId": id_of(arn), "Arn": arn, "Enabled": false, "KeyState": "PendingDeletion",
        "KeyManager": "CUSTOMER"}});
    world.state(place.about("kms:DescribeKey", arn), state);
    if let Some(Document::Stated(policy)) = before.get("policy").map(crate::document::parse) {
        world.unless_stated(place.about("kms:GetKeyPolicy", arn), policy_answer(policy));
    }
    let rotation = before.get("enable_key_rotation").and_then(Value::as_bool).unwrap_or(false);
    world.state(place.about("kms:GetKeyRotationStatus", arn), json!({"KeyRotationEnabled": rotation}));
}
