//! Rules of a Kafka cluster that a reader would think protect, and that nothing asks.
//!
//! Sources: `org.apache.kafka.metadata.authorizer.StandardAuthorizer` (super users pass before any ACL is looked at, and
//! principals match by their whole name); "IAM access control", Amazon MSK Developer Guide (ACLs have no effect on
//! clients that use IAM, and IAM policies none on clients that do not).

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::access::{Capability, CapabilityEdge, DeadGuard, Decision, GuardDefect};
use cadastre_model::asset::kafka::{AclBinding, KafkaCluster};
use cadastre_model::asset::msk::MskCluster;
use cadastre_model::declaration::{ClusterKind, Declaration};
use cadastre_model::inventory::Inventory;

use crate::document::Body;
use crate::kafka::cloud::{acl_plane, shown};
use crate::kafka::{self, EVERYONE, Settings};
use crate::world::World;

/// Every dead rule of every cluster.
pub(crate) fn dead(
    inventory: &Inventory,
    declaration: &Declaration,
    world: &World,
    edges: &[CapabilityEdge],
) -> Vec<DeadGuard> {
    let mut guards = Vec::new();
    for cluster in &inventory.clusters {
        let declared = declaration.clusters.iter().find(|declared| declared.name == cluster.name);
        let on_msk = declared.is_some_and(|declared| declared.kind == ClusterKind::Msk);
        let plane = declared.and_then(|declared| acl_plane(inventory, declared));
        let managed = declared.filter(|_| on_msk).and_then(|declared| shown(inventory, declared).ok());
        let judged = Judged {
            cluster,
            settings: Settings::read(cluster, on_msk),
            consulted: plane.is_none_or(|plane| plane.consulted != Known::Observed(false)),
            managed,
            edges,
        };
        for acl in cluster.acls.observed().into_iter().flatten() {
            guards.extend(judged.acl(acl));
        }
        if let Some(managed) = managed {
            guards.extend(unasked_policies(&cluster.name, managed, world));
        }
    }
    guards
}

struct Judged<'a> {
    cluster: &'a KafkaCluster,
    settings: Settings,
    /// Whether any client is bound by ACLs.
    consulted: bool,
    managed: Option<&'a MskCluster>,
    edges: &'a [CapabilityEdge],
}

impl Judged<'_> {
    fn acl(&self, acl: &AclBinding) -> Option<DeadGuard> {
        let rule = format!(
            "the ACL {} {} {} on {}:{}",
            acl.permission, acl.principal, acl.operation, acl.resource_type, acl.resource_name
        );
        let guard = |told: String, by: &[&CapabilityEdge]| DeadGuard {
            subject: format!("cluster:{}", self.cluster.name),
            defect: GuardDefect::NotConsulted,
            told,
            statements: std::iter::once(kafka::statement(acl))
                .chain(by.iter().flat_map(|edge| edge.statements.iter().cloned()))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        };
        if !self.consulted {
            return Some(guard(
                format!("{rule} binds nobody: every client of the cluster authenticates with IAM"),
                &[],
            ));
        }
        if !acl.principal.starts_with("User:") {
            return Some(guard(
                format!("{rule} binds nobody: the stock authorizer knows principals of type User only"),
                &[],
            ));
        }
        let iam = self.managed.is_some_and(|managed| managed.authentication.iam == Known::Observed(true));
        if iam && acl.principal.contains(":arn:") {
            return Some(guard(
                format!(
                    "{rule} names a principal of the cloud, which authenticates with IAM and is bound by no ACL"
                ),
                &[],
            ));
        }
        if acl.permission != "DENY" {
            return None;
        }
        if self.settings.super_users.contains(&acl.principal) {
            return Some(guard(
                format!("{rule} binds a super user, who passes before any ACL is looked at"),
                &[],
            ));
        }
        if iam && acl.principal == EVERYONE {
            let past = self.past(acl);
            let names: BTreeSet<&str> = past.iter().map(|edge| edge.principal.as_str()).collect();
            let first = names.iter().next()?;
            let others = match names.len() {
                1 => String::new(),
                more => format!(" and {} more", more - 1),
            };
            return Some(guard(
                format!(
                    "{rule} is meant for everybody and binds no client that uses IAM: {first}{others} may all the same"
                ),
                &past,
            ));
        }
        None
    }

    /// Principals of the cloud that do what an ACL denies, one edge each.
    fn past(&self, acl: &AclBinding) -> Vec<&CapabilityEdge> {
        let topics = format!("topic:{}/", self.cluster.name);
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        self.edges
            .iter()
            .filter(|edge| edge.action.starts_with("kafka-cluster:") && edge.decision == Decision::Allow)
            .filter(|edge| {
                let operation = match edge.capability {
                    Capability::ReadRecords => "READ",
                    Capability::WriteRecords => "WRITE",
                    _ => return false,
                };
                let topic = edge.target.strip_prefix(&topics);
                acl.resource_type == "TOPIC"
                    && kafka::same(&acl.operation, operation)
                    && topic.is_some_and(|topic| kafka::covers(acl, topic))
            })
            .filter(|edge| seen.insert(&edge.principal))
            .collect()
    }
}

/// Denies of `kafka-cluster` actions where no client of the cluster uses IAM.
fn unasked_policies(name: &str, managed: &MskCluster, world: &World) -> Vec<DeadGuard> {
    if managed.authentication.iam != Known::Observed(false) {
        return Vec::new();
    }
    let of_account = world.identities.iter().filter(|identity| identity.account == managed.account);
    let denies = of_account.flat_map(|identity| {
        let statements = identity.policies.iter().flat_map(|policy| &policy.statements);
        statements.map(move |statement| (identity, statement))
    });
    denies
        .filter(|(_, statement)| {
            matches!(&statement.body, Body::Read(clauses) if !clauses.allows && !clauses.actions.inverted
            && clauses.actions.written.iter().any(|action| {
                action.to_ascii_lowercase().starts_with("kafka-cluster:")
            }))
        })
        .map(|(identity, statement)| DeadGuard {
            subject: format!("cluster:{name}"),
            defect: GuardDefect::NotConsulted,
            told: format!(
                "the deny of kafka-cluster actions to {} binds no client: IAM access control is off",
                identity.arn
            ),
            statements: vec![(*statement.at).clone()],
        })
        .collect()
}
