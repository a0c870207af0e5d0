//! Amazon MSK: its planes, and what IAM is asked about on a cluster.
//!
//! Source: "Authentication and authorization for Apache Kafka APIs", Amazon MSK Developer Guide. Three planes decide.
//! Under IAM access control IAM authenticates and authorizes, and ACLs are not asked. Clients with a password from
//! Secrets Manager, with a client certificate, or with neither where that is switched on, are bound by ACLs. And the
//! cluster as an AWS resource has settings that open either. Who can be which Kafka principal is `links`'.

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::asset::kafka::KafkaCluster;
use cadastre_model::asset::msk::{MskCluster, Secret};
use cadastre_model::declaration::{Cluster, ClusterKind, Declaration};
use cadastre_model::inventory::Inventory;

use crate::catalogue::TargetKind;
use crate::decide::Rule;
use crate::document::Guard;
use crate::facts::Resource;
use crate::kafka::{ANONYMOUS, EVERYONE};
use crate::targets::{Target, located};
use crate::world::{Compiler, World};

/// The operation that shows how a cluster's clients authenticate.
const LISTING: &str = "kafka:ListClustersV2";
/// An MSK cluster as declared, as MSK shows it and as Kafka shows it.
pub(crate) struct Managed<'a> {
    pub(crate) declared: &'a Cluster,
    /// Unknown says what is missing.
    pub(crate) shown: Result<&'a MskCluster, String>,
    pub(crate) kafka: Option<&'a KafkaCluster>,
}

/// The ACL plane of an MSK cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AclPlane {
    /// Whether any client is bound by ACLs.
    pub(crate) consulted: Known<bool>,
    /// Whether clients without credentials are served.
    pub(crate) anonymous: Known<bool>,
}

/// Every declared MSK cluster.
pub(crate) fn managed<'a>(inventory: &'a Inventory, declaration: &'a Declaration) -> Vec<Managed<'a>> {
    let of_msk = declaration.clusters.iter().filter(|declared| declared.kind == ClusterKind::Msk);
    of_msk
        .map(|declared| Managed {
            declared,
            shown: shown(inventory, declared),
            kafka: inventory.clusters.iter().find(|cluster| cluster.name == declared.name),
        })
        .collect()
}

/// The MSK cluster behind a declared one: by its name, or by the name in its brokers' addresses
/// (`b-1.NAME.abcdef.c2.kafka.REGION.amazonaws.com`).
pub(crate) fn shown<'a>(inventory: &'a Inventory, declared: &Cluster) -> Result<&'a MskCluster, String> {
    let in_account =
        |cluster: &&MskCluster| declared.account.as_ref().is_none_or(|account| *account == cluster.account);
    let by_address = |cluster: &MskCluster| {
        declared.bootstrap.iter().any(|address| {
            let mut labels = address.split('.');
            let _broker = labels.next();
            labels.next() == Some(&cluster.name.to_ascii_lowercase())
                && address.contains(&format!(".kafka.{}.", cluster.region))
        })
    };
    let all: Vec<&MskCluster> = inventory.msk_clusters.iter().filter(in_account).collect();
    let mut found = all.iter().filter(|cluster| cluster.name == declared.name || by_address(cluster));
    match (found.next(), found.next()) {
        (Some(cluster), None) => Ok(cluster),
        (Some(_), Some(_)) => Err(format!("which of several MSK clusters `{}` is", declared.name)),
        (None, _) if all.is_empty() => Err(format!(
            "{LISTING} was not asked, which shows how clients of `{}` authenticate",
            declared.name
        )),
        (None, _) => Err(format!("no MSK cluster that {LISTING} shows is `{}`", declared.name)),
    }
}

/// What the cloud says of the clients that ACLs bind; none where the cluster is no MSK cluster.
pub(crate) fn acl_plane(inventory: &Inventory, declared: &Cluster) -> Option<AclPlane> {
    if declared.kind != ClusterKind::Msk {
        return None;
    }
    let cluster = match shown(inventory, declared) {
        Ok(cluster) => cluster,
        Err(missing) => {
            let unknown = || Known::Unknown(missing.clone());
            return Some(AclPlane { consulted: unknown(), anonymous: unknown() });
        }
    };
    let schemes = &cluster.authentication;
    let certificates = match &schemes.certificate_authorities {
        Known::Observed(_) => Known::Observed(true),
        Known::Absent => Known::Observed(false),
        Known::Unknown(what) => Known::Unknown(what.clone()),
    };
    let any = [&schemes.scram, &certificates, &schemes.unauthenticated];
    let consulted = if any.iter().any(|scheme| **scheme == Known::Observed(true)) {
        Known::Observed(true)
    } else {
        let missing = any.iter().find_map(|scheme| scheme.missing());
        missing.map_or(Known::Observed(false), |what| Known::Unknown(what.to_owned()))
    };
    Some(AclPlane { consulted, anonymous: schemes.unauthenticated.clone() })
}

/// MSK clusters and their topics as IAM sees them, and the secrets.
pub(crate) fn targets(
    inventory: &Inventory,
    declaration: &Declaration,
    world: &World,
    compiler: &mut Compiler,
) -> Vec<Target> {
    let mut targets: Vec<Target> =
        inventory.secrets.iter().map(|secret| of_secret(secret, world, compiler)).collect();
    for managed in managed(inventory, declaration) {
        managed.add_targets(world, compiler, &mut targets);
    }
    targets
}

fn of_secret(secret: &Secret, world: &World, compiler: &mut Compiler) -> Target {
    let resource = located(world, &secret.account, Some(&secret.region), &secret.tags);
    Target {
        policy: Guard::compile(&secret.policy, |document| compiler.compile(document, &world.catalogue)),
        rule: Rule::Sufficient,
        ..Target::plain(secret.arn.clone(), TargetKind::Secret, &secret.name, resource)
    }
}

impl Managed<'_> {
    fn add_targets(&self, world: &World, compiler: &mut Compiler, targets: &mut Vec<Target>) {
        let name = &self.declared.name;
        let account = match &self.shown {
            Ok(cluster) => Some(&cluster.account),
            Err(_) => self.declared.account.as_ref(),
        };
        let Some(account) = account else { return };
        let (arn, resource, policy, missing) = match &self.shown {
            Ok(cluster) => (
                cluster.arn.clone(),
                located(world, account, Some(&cluster.region), &cluster.tags),
                Guard::compile(&cluster.policy, |document| compiler.compile(document, &world.catalogue)),
                None,
            ),
            // Whichever of the account's clusters it is.
            Err(missing) => (
                format!("arn:aws:kafka:*:{account}:cluster/*"),
                located(world, account, None, &[]),
                Guard::None,
                Some(missing.clone()),
            ),
        };
        let iam = match &self.shown {
            Ok(cluster) => cluster.authentication.iam.clone(),
            Err(missing) => Known::Unknown(missing.clone()),
        };
        let target = |id: String, kind, name: &str, arn_of_it: Option<String>, resource: Resource| Target {
            arn: arn_of_it,
            cluster: Some(arn.clone()),
            policy: policy.clone(),
            rule: Rule::Sufficient,
            ..Target::plain(id, kind, name, resource)
        };
        let id = format!("cluster:{name}");
        targets.push(Target {
            open: missing,
            ..target(id.clone(), TargetKind::MskCluster, name, Some(arn.clone()), resource.clone())
        });
        // Where IAM access control is off, kafka-cluster actions decide nothing.
        let open = match iam {
            Known::Observed(true) => None,
            Known::Observed(false) | Known::Absent => return,
            Known::Unknown(what) => Some(what),
        };
        targets.push(Target {
            open: open.clone(),
            ..target(id, TargetKind::MskAdministration, name, Some(arn.clone()), resource.clone())
        });
        for topic in self.topics() {
            targets.push(Target {
                open: open.clone(),
                ..target(
                    format!("topic:{name}/{topic}"),
                    TargetKind::MskTopic,
                    topic,
                    Some(topic_arn(&arn, topic)),
                    resource.clone(),
                )
            });
        }
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> {
        let topics = self.kafka.and_then(|cluster| cluster.topics.observed());
        topics.into_iter().flatten().map(|topic| topic.name.as_str())
    }

    /// The Kafka principals whom ACLs or the declaration name.
    pub(crate) fn users(&self, declaration: &Declaration) -> BTreeSet<String> {
        let mut users: BTreeSet<String> = BTreeSet::new();
        let acls = self.kafka.and_then(|cluster| cluster.acls.observed());
        users.extend(acls.into_iter().flatten().map(|acl| acl.principal.clone()));
        users.extend(self.declared.super_users.iter().chain(&self.declared.administrators).cloned());
        users.extend(self.declared.workloads.iter().map(|workload| workload.principal.clone()));
        users.extend(declaration.vendors.iter().flat_map(|vendor| vendor.kafka_principals.iter().cloned()));
        users.retain(|user| user.starts_with("User:") && user != EVERYONE && user != ANONYMOUS);
        // Principals of the cloud authenticate with IAM, where ACLs are not asked.
        users.retain(|user| !user.contains(":arn:"));
        users
    }

    /// Whether a topic's records are open to anybody who connects.
    pub(crate) fn anonymous(&self) -> bool {
        self.shown
            .as_ref()
            .is_ok_and(|cluster| cluster.authentication.unauthenticated == Known::Observed(true))
    }
}

/// `arn:…:topic/CLUSTER/UUID/TOPIC` ("Resource types defined by Apache Kafka APIs for Amazon MSK clusters").
fn topic_arn(cluster: &str, topic: &str) -> String {
    match cluster.split_once(":cluster/") {
        Some((place, "*")) => format!("{place}:topic/*/*/{topic}"),
        Some((place, name)) => format!("{place}:topic/{name}/{topic}"),
        None => cluster.to_owned(),
    }
}
