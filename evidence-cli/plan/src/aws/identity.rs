//! IAM: roles, users, groups, policies, and what joins them.

use cadastre_model::Scope;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Place;
use crate::block::{Block, NotKnown, Read};
use crate::symbol;
use crate::world::{ListKey, Question, World, object};

const DETAILS: &str = "iam:GetAccountAuthorizationDetails";

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) {
    let read = match block.resource.kind {
        "aws_iam_role" => role(block, place, world),
        "aws_iam_user" => user(block, place, world),
        "aws_iam_group" => group(block, place, world),
        "aws_iam_policy" => policy(block, place, world),
        "aws_iam_role_policy" => inline(block, place, world, "role"),
        "aws_iam_user_policy" => inline(block, place, world, "user"),
        "aws_iam_group_policy" => inline(block, place, world, "group"),
        "aws_iam_role_policy_attachment" => attached(block, place, world, "role"),
        "aws_iam_user_policy_attachment" => attached(block, place, world, "user"),
        "aws_iam_group_policy_attachment" => attached(block, place, world, "group"),
        "aws_iam_policy_attachment" => attached_to_many(block, place, world),
        "aws_iam_user_group_membership" => membership(block, place, world),
        "aws_iam_instance_profile" => profile(block, place, world),
        _ => return,
    };
    if let Err(missing) = read {
        world.gap(question(place), block.resource.address, &missing);
    }
}

fn question(place: &Place<'_>) -> Question {
    let subject = place.account.to_owned();
    Question { collector: "aws", operation: DETAILS, scope: Scope::account(place.account), subject }
}

/// The list and the member for inline policies of a kind of principal.
const fn lists(kind: &str) -> (&'static str, &'static str) {
    match kind.as_bytes() {
        b"role" => ("RoleDetailList", "RolePolicyList"),
        b"user" => ("UserDetailList", "UserPolicyList"),
        _ => ("GroupDetailList", "GroupPolicyList"),
    }
}

fn list(place: &Place<'_>, member: &'static str) -> ListKey {
    place.global(DETAILS, member)
}

/// The ARN of a principal by its name, with its path where the plan shows it. Otherwise the default path's: should that
/// be wrong, nothing is found there, and the attachment is reported as unresolved.
fn named(world: &World, place: &Place<'_>, kind: &str, name: &str) -> String {
    let member = match kind {
        "role" => "RoleName",
        "user" => "UserName",
        _ => "GroupName",
    };
    let items = world.lists.get(&list(place, lists(kind).0));
    let found = items
        .into_iter()
        .flatten()
        .find(|(_, item)| item.value.get(member).and_then(Value::as_str) == Some(name));
    found.map_or_else(|| format!("arn:aws:iam::{}:{kind}/{name}", place.account), |(arn, _)| arn.clone())
}

fn boundary(block: &Block<'_, '_>) -> Read<Value> {
    Ok(block.resolved("permissions_boundary")?.map_or(
        Value::Null,
        |arn| json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}),
    ))
}

fn role(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let arn = symbol::attribute(block.resource, "arn");
    let name = block.identifier("name").ok_or_else(|| NotKnown("name".to_owned()))?;
    let mut inline = Vec::new();
    if block.resource.sets("inline_policy") {
        for policy in block.blocks("inline_policy")? {
            if let (Some(name), Some(document)) = (policy.word("name")?, policy.document("policy")?.stated())
            {
                inline.push(json!({"PolicyName": name, "PolicyDocument": document}));
            }
        }
    }
    let managed = match block.resource.sets("managed_policy_arns") {
        true => block.identifiers("managed_policy_arns")?,
        false => Vec::new(),
    };
    let trust = match block.document("assume_role_policy") {
        Ok(document) => document.stated(),
        Err(missing) => {
            // The role exists, and whom it trusts is known only after apply.
            world.gap(question(place), block.resource.address, &missing);
            None
        }
    };
    let value = object(json!({
        "Arn": arn,
        "RoleName": name,
        "Path": block.word("path").unwrap_or(None).unwrap_or("/"),
        "AssumeRolePolicyDocument": trust,
        "PermissionsBoundary": boundary(block)?,
        "RolePolicyList": inline,
        "AttachedManagedPolicies": attachments(managed),
        "InstanceProfileList": [],
    }));
    let seconds = block.integer("max_session_duration").unwrap_or(None);
    if let Some(seconds) = seconds {
        let session = json!({"Arn": arn, "RoleName": name, "MaxSessionDuration": seconds});
        world.put(place.global("iam:ListRoles", "Roles"), arn.clone(), session);
    }
    world.put(list(place, "RoleDetailList"), arn, value);
    Ok(())
}

fn user(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let arn = symbol::attribute(block.resource, "arn");
    let name = block.identifier("name").ok_or_else(|| NotKnown("name".to_owned()))?;
    let value = object(json!({
        "Arn": arn,
        "UserName": name,
        "Path": block.word("path").unwrap_or(None).unwrap_or("/"),
        "PermissionsBoundary": boundary(block)?,
        "UserPolicyList": [],
        "AttachedManagedPolicies": [],
        "GroupList": [],
    }));
    world.put(list(place, "UserDetailList"), arn, value);
    Ok(())
}

fn group(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let arn = symbol::attribute(block.resource, "arn");
    let name = block.identifier("name").ok_or_else(|| NotKnown("name".to_owned()))?;
    let value = json!({"Arn": arn, "GroupName": name, "Path": "/", "GroupPolicyList": [], "AttachedManagedPolicies": []});
    world.put(list(place, "GroupDetailList"), arn, value);
    Ok(())
}

fn policy(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let arn = symbol::attribute(block.resource, "arn");
    let document = match block.document("policy") {
        Ok(document) => document.stated(),
        Err(missing) => {
            world.gap(question(place), block.resource.address, &missing);
            None
        }
    };
    // A version of its own for each content, so that a new document becomes the default beside older ones.
    let version = document.as_ref().map(|document| {
        let canonical = serde_json_canonicalizer::to_vec(document).unwrap_or_default();
        format!("planned-{}", hex::encode(Sha256::digest(&canonical)))
    });
    let versions: Vec<Value> = document
        .into_iter()
        .map(|document| json!({"Document": document, "VersionId": version, "IsDefaultVersion": true}))
        .collect();
    let value = object(json!({
        "Arn": arn,
        "PolicyName": block.identifier("name"),
        "Path": block.word("path").unwrap_or(None).unwrap_or("/"),
        "DefaultVersionId": version,
        "PolicyVersionList": versions,
    }));
    world.put(list(place, "Policies"), arn, value);
    Ok(())
}

fn inline(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, kind: &str) -> Read<()> {
    let holder = named(world, place, kind, &block.required(kind)?);
    let name = block.identifier("name").unwrap_or_else(|| block.resource.address.to_owned());
    let document = block.document("policy")?.stated().ok_or_else(|| NotKnown("policy".to_owned()))?;
    let (members, inline) = lists(kind);
    let part = json!({inline: [{"PolicyName": name, "PolicyDocument": document}]});
    world.attach(list(place, members), holder, part);
    Ok(())
}

fn attachments(arns: Vec<String>) -> Vec<Value> {
    arns.into_iter()
        .map(|arn| json!({"PolicyName": arn.rsplit('/').next().unwrap_or(&arn), "PolicyArn": arn}))
        .collect()
}

fn attached(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, kind: &str) -> Read<()> {
    let holder = named(world, place, kind, &block.required(kind)?);
    let arn = block.required("policy_arn")?;
    let part = json!({"AttachedManagedPolicies": attachments(vec![arn])});
    world.attach(list(place, lists(kind).0), holder, part);
    Ok(())
}

fn attached_to_many(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let arn = block.required("policy_arn")?;
    for (argument, kind) in [("roles", "role"), ("users", "user"), ("groups", "group")] {
        for name in block.identifiers(argument)? {
            let holder = named(world, place, kind, &name);
            let part = json!({"AttachedManagedPolicies": attachments(vec![arn.clone()])});
            world.attach(list(place, lists(kind).0), holder, part);
        }
    }
    Ok(())
}

fn membership(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let holder = named(world, place, "user", &block.required("user")?);
    let part = json!({"GroupList": block.identifiers("groups")?});
    world.attach(list(place, "UserDetailList"), holder, part);
    Ok(())
}

fn profile(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let arn = symbol::attribute(block.resource, "arn");
    let roles: Vec<Value> = block
        .resolved("role")?
        .into_iter()
        .map(|name| json!({"RoleName": name, "Arn": named(world, place, "role", &name)}))
        .collect();
    let value = object(json!({
        "Arn": arn,
        "InstanceProfileName": block.identifier("name"),
        "Path": block.word("path").unwrap_or(None).unwrap_or("/"),
        "Roles": roles,
    }));
    world.put(place.global("iam:ListInstanceProfiles", "InstanceProfiles"), arn, value);
    Ok(())
}
