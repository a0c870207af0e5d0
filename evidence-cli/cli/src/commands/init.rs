//! `cadastre init`: a commented `boundary.yaml` from what can be seen.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Context;
use cadastre_collect::aws::{self, AwsTarget};
use cadastre_model::SystemClock;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::EvidenceError;
use cadastre_model::inventory::Inventory;
use cadastre_model::progress::Progress;
use cadastre_model::record::MemorySink;
use tokio_util::sync::CancellationToken;

use super::{documents, output};
use crate::args::collect::Init;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Writes the declaration.
pub(super) fn run(arguments: &Init, terminal: &Terminal) -> anyhow::Result<Exit> {
    if let Some(directory) = &arguments.documents {
        return documents::write_starting_texts(directory, terminal);
    }
    if arguments.output.exists() && !arguments.force {
        return Err(EvidenceError::Exists { path: arguments.output.display().to_string() }.into());
    }
    let inventory = if arguments.offline { Inventory::default() } else { look(arguments, terminal)? };
    let text = declaration(&inventory, &arguments.regions);
    // What is written must read: a skeleton that is refused would be worse than none.
    Declaration::parse(&text, &arguments.output.display().to_string())?;
    output::write(&arguments.output, &text)?;
    terminal.say(&format!(
        "wrote {}; every line marked `check` is a guess to be checked",
        arguments.output.display()
    ));
    Ok(Exit::Clean)
}

fn look(arguments: &Init, terminal: &Terminal) -> anyhow::Result<Inventory> {
    let sink = MemorySink::default();
    let target = AwsTarget {
        endpoint_url: arguments.aws_endpoint_url.clone(),
        profile: arguments.aws_profile.clone(),
        regions: if arguments.regions.is_empty() {
            std::env::var("AWS_REGION")
                .or_else(|_unset| std::env::var("AWS_DEFAULT_REGION"))
                .into_iter()
                .collect()
        } else {
            arguments.regions.clone()
        },
        ..AwsTarget::default()
    };
    if target.regions.is_empty() {
        terminal.warn("no region is known, so no cloud is asked: pass --regions, or set AWS_REGION");
        return Ok(Inventory::default());
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(aws::collect(&target, &sink, &SystemClock, terminal, &CancellationToken::new()))?;
    let nothing_declared = Declaration::parse(&declaration(&Inventory::default(), &target.regions), "init")?;
    Ok(cadastre_assess::inventory(&sink.into_records(), &nothing_declared))
}

/// The declaration as text, with a comment on everything that a person must decide.
fn declaration(inventory: &Inventory, regions: &[String]) -> String {
    let mut text = String::from(
        "# What you say is true about your Kafka boundary; `cadastre check` holds the evidence against it.\n\
         # docs/formats/boundary.md describes every key. A line marked `check` is a guess.\n\
         schema: cadastre/boundary/v1\n\
         name: my-kafka                              # check\n\n\
         # self-managed, external-managed-service, vendor-operated or customer-operated-software\n\
         operating-model: self-managed               # check\n\
         # broker-local-disks, tiered-storage or shared-storage\n\
         architecture: broker-local-disks            # check\n\n",
    );
    let mut push = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };

    push("# Accounts inside the boundary: data-plane, control-plane, log-archive, security or management.");
    let accounts: Vec<&str> = inventory.accounts.iter().map(|account| account.id.as_str()).collect();
    if accounts.is_empty() {
        push(
            "accounts: []                                # - {id: \"111122223333\", provider: aws, purpose: data-plane}",
        );
    } else {
        push("accounts:");
        for id in accounts {
            push(&format!("  - {{id: \"{id}\", provider: aws, purpose: data-plane}}    # check"));
        }
    }
    let seen: BTreeSet<&str> = inventory
        .vpcs
        .iter()
        .map(|vpc| vpc.region.as_str())
        .chain(regions.iter().map(String::as_str))
        .collect();
    push("\n# Regions in which data, replicas, backups and keys may lie.");
    push(&format!("regions: [{}]", seen.into_iter().collect::<Vec<_>>().join(", ")));

    push(
        "\n# Address ranges: brokers, clients, administration, monitoring, endpoints, on-premises or vendor.",
    );
    list(
        &mut push,
        "networks",
        "- {name: brokers, cidrs: [10.0.0.0/24], purpose: brokers}",
        inventory.subnets.iter().map(|subnet| {
            let name =
                subnet.tags.iter().find(|tag| tag.key == "Name").map_or(subnet.id.as_str(), |tag| &tag.value);
            let ranges: Vec<String> = subnet.cidrs.iter().map(ToString::to_string).collect();
            format!(
                "- {{name: {}, cidrs: [{}], purpose: brokers}}    # check",
                quoted(name),
                ranges.join(", ")
            )
        }),
    );

    push(
        "\n# Parties outside your organization that have any access, with each role they use and what it is for.",
    );
    push("vendors: []                                 # see docs/formats/boundary.md");

    push(
        "\n# Your own principals by job: broker, key-administrator, operator, break-glass, log-administrator,",
    );
    push("# account-administrator, automation, reader or scanner.");
    let broker_roles: BTreeSet<&str> = inventory
        .instances
        .iter()
        .filter_map(|instance| instance.role.observed().map(String::as_str))
        .collect();
    list(
        &mut push,
        "identities",
        "- {principal: \"arn:aws:iam::111122223333:role/kafka-broker\", job: broker}",
        broker_roles
            .into_iter()
            .map(|role| format!("- {{principal: {}, job: broker}}    # check", quoted(role))),
    );

    push("\n# Stores of the data plane: records, backups, logs or operations.");
    list(
        &mut push,
        "stores",
        "- {arn: \"arn:aws:s3:::my-kafka-data\", holds: records, key: alias/my-kafka}",
        inventory
            .buckets
            .iter()
            .map(|bucket| format!("- {{arn: {}, holds: operations}}    # check", quoted(&bucket.arn))),
    );

    push("\n# Keys: who administers, who exactly may decrypt, how often the material rotates.");
    let keys = inventory
        .keys
        .iter()
        .filter(|key| key.manager.observed().is_some_and(|manager| manager == "CUSTOMER"));
    list(
        &mut push,
        "keys",
        "- {id: alias/my-kafka, administrators: [], decrypt: [], rotation: 365d, origin: AWS_KMS}",
        keys.map(|key| {
            let id = key.aliases.first().unwrap_or(&key.arn);
            let origin = key.origin.observed().map_or("AWS_KMS", String::as_str);
            format!(
                "- {{id: {}, administrators: [], decrypt: [], rotation: 365d, origin: {origin}}}    # check",
                quoted(id)
            )
        }),
    );

    push("\n# Kafka clusters: how the scanner logs in, and what each listener and principal is for.");
    push("clusters: []                                # see docs/formats/boundary.md");

    push("\n# Where logs go: cloud-api, key-use, object-access, network-flow, kafka-audit.");
    let trail_buckets: BTreeSet<&str> = inventory.trails.iter().map(|trail| trail.bucket.as_str()).collect();
    list(
        &mut push,
        "log-sinks",
        "- {arn: \"arn:aws:s3:::my-logs\", receives: [cloud-api], retention: 365d}",
        trail_buckets.into_iter().map(|bucket| {
            format!(
                "- {{arn: {}, receives: [cloud-api, key-use], retention: 365d}}    # check",
                quoted(&format!("arn:aws:s3:::{bucket}"))
            )
        }),
    );

    push("\n# Approved flows: ingress, egress, replication, storage, keys, metrics, logs or support.");
    push(
        "flows: []                                   # - {name: clients, purpose: ingress, from: clients, to: brokers, ports: [9093]}",
    );
    push("\n# Machine images that may run in the data plane.");
    let images: BTreeSet<&str> = inventory.instances.iter().map(|instance| instance.image.as_str()).collect();
    list(
        &mut push,
        "images",
        "- {id: ami-0123456789abcdef0, source: our own pipeline}",
        images.into_iter().map(|image| format!("- {{id: {}, source: unknown}}    # check", quoted(image))),
    );
    push("\n# Older evidence proves nothing; only these identities may collect it.");
    push("evidence:");
    push("  maximum-age: 24h");
    push(
        "  callers: []                               # - \"arn:aws:sts::111122223333:assumed-role/cadastre-scanner/*\"",
    );
    push("\n# Runbooks, ownership and plans; `cadastre init --documents documents` writes starting texts.");
    push("# documents: {folder: documents, review-age: 365d, exercise-age: 365d}");
    text
}

fn list(push: &mut impl FnMut(&str), key: &str, example: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        let mut line = format!("{key}: []");
        let _infallible = write!(line, "{}# {example}", " ".repeat(44_usize.saturating_sub(line.len())));
        push(&line);
        return;
    }
    push(&format!("{key}:"));
    for item in items {
        push(&format!("  {item}"));
    }
}

/// A YAML double-quoted scalar; JSON strings are one (YAML 1.2 §1.3).
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skeleton_is_a_declaration_that_reads() {
        Declaration::parse(
            &declaration(&Inventory::default(), &["eu-central-1".to_owned()]),
            "boundary.yaml",
        )
        .unwrap();
    }
}
