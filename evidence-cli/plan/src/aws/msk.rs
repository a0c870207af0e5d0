//! Amazon MSK: how clients of a cluster authenticate, cluster policies, and the secrets of SCRAM clients.
//!
//! A cluster is more than the boundary model holds of it; [`part`] says what of it stays unexamined.

use serde_json::{Map, Value, json};

use super::Place;
use crate::block::{Block, Read};
use crate::document::Document;
use crate::symbol;
use crate::world::{Answer, World, object};

/// What of a resource that is read is not examined all the same.
pub(crate) fn part(kind: &str) -> Option<&'static str> {
    matches!(kind, "aws_msk_cluster" | "aws_msk_serverless_cluster").then_some(
        "how its clients authenticate is examined; its network, encryption and logs are not part of the boundary model",
    )
}

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, new: bool) {
    match block.resource.kind {
        "aws_msk_cluster" => cluster(block, place, world, new, false),
        "aws_msk_serverless_cluster" => cluster(block, place, world, new, true),
        "aws_msk_cluster_policy" => policy(block, place, world),
        "aws_msk_scram_secret_association" => secrets(block, place, world),
        _ => {}
    }
}

fn cluster(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World, new: bool, serverless: bool) {
    let arn = symbol::attribute(block.resource, "arn");
    let read = authentication(block, serverless).and_then(|authentication| {
        let member = if serverless { "Serverless" } else { "Provisioned" };
        let tags: Map<String, Value> =
            block.map("tags")?.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
        Ok(json!({
            "ClusterName": block.required("cluster_name")?,
            "ClusterArn": arn,
            member: authentication,
            "Tags": tags,
        }))
    });
    match read {
        Ok(value) => {
            world.put(place.regional("kafka:ListClustersV2", "ClusterInfoList"), arn.clone(), value);
        }
        Err(missing) => {
            return world.gap(place.listing("kafka:ListClustersV2"), block.resource.address, &missing);
        }
    }
    if new {
        world.unless_stated(place.about("kafka:GetClusterPolicy", arn.as_str()), Answer::Absent);
        let none = Answer::Stated(json!({"SecretArnList": []}));
        world.unless_stated(place.about("kafka:ListScramSecrets", arn), none);
    }
}

/// A scheme that is not named is off; where none is named, whoever comes is taken ("Create a cluster", Amazon MSK Developer
/// Guide).
fn authentication(block: &Block<'_, '_>, serverless: bool) -> Read<Value> {
    let Some(client) = block.nested("client_authentication")? else { return Ok(json!({})) };
    let enabled = |on: bool| json!({"Enabled": on});
    let mut members = Map::new();
    if let Some(sasl) = client.nested("sasl")? {
        let iam = match serverless {
            true => sasl.nested("iam")?.map(|iam| iam.flag("enabled")).transpose()?.flatten(),
            false => sasl.flag("iam")?,
        };
        let scram = if serverless { None } else { sasl.flag("scram")? };
        let schemes = json!({"Iam": iam.map(enabled), "Scram": scram.map(enabled)});
        members.insert("Sasl".to_owned(), object(schemes));
    }
    if let Some(tls) = client.nested("tls")? {
        let authorities = tls.identifiers("certificate_authority_arns")?;
        members.insert("Tls".to_owned(), json!({"CertificateAuthorityArnList": authorities}));
    }
    if let Some(open) = client.flag("unauthenticated")? {
        members.insert("Unauthenticated".to_owned(), enabled(open));
    }
    // A block in which nothing is chosen is as none.
    Ok(if members.is_empty() { json!({}) } else { json!({"ClientAuthentication": members}) })
}

fn policy(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) {
    let cluster = match block.required("cluster_arn") {
        Ok(cluster) => cluster,
        Err(missing) => {
            return world.gap(place.listing("kafka:ListClustersV2"), block.resource.address, &missing);
        }
    };
    let question = beside(&cluster, place).about("kafka:GetClusterPolicy", cluster.as_str());
    match block.document("policy") {
        Ok(Document::Stated(policy)) => {
            world.answers.insert(question, Answer::Stated(json!({"Policy": policy})));
        }
        Ok(Document::Missing) => {
            world.answers.insert(question, Answer::Absent);
        }
        Err(missing) => world.unknown(question, block.resource.address, &missing),
    }
}

/// The place of the cluster itself, where its name tells it.
fn beside<'a>(cluster: &'a str, place: &Place<'a>) -> Place<'a> {
    let region = cluster.split(':').nth(3).filter(|region| cluster.starts_with("arn:") && !region.is_empty());
    Place { region: region.unwrap_or(place.region), ..*place }
}

fn secrets(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) {
    let cluster = match block.required("cluster_arn") {
        Ok(cluster) => cluster,
        Err(missing) => {
            return world.gap(place.listing("kafka:ListClustersV2"), block.resource.address, &missing);
        }
    };
    let question = beside(&cluster, place).about("kafka:ListScramSecrets", cluster.as_str());
    match block.identifiers("secret_arn_list") {
        Ok(secrets) => {
            world.answers.insert(question, Answer::Stated(json!({"SecretArnList": secrets})));
        }
        Err(missing) => world.unknown(question, block.resource.address, &missing),
    }
}
