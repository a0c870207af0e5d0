//! Who may read, write and administer what on a Kafka cluster, by the rules of the stock authorizer.
//!
//! Source: `org.apache.kafka.metadata.authorizer.StandardAuthorizer`. A super user may do anything; otherwise a
//! matching DENY wins over a matching ALLOW; `allow.everyone.if.no.acl.found` decides only where no ACL covers
//! the resource. ACLs that name a client address become conditions.

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::access::Capability;
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::kafka::{AclBinding, KafkaCluster};
use cadastre_model::declaration::{Cluster, ClusterKind, Declaration};

use crate::bulk::Edges;
use crate::decide::{Proof, tidy};
use crate::expression::{Expression, Quantifier, Relation, TestBody};
use crate::statements::place_in;

/// Everybody who authenticates, in ACLs.
const EVERYONE: &str = "User:*";
/// Whoever does not.
const ANONYMOUS: &str = "User:ANONYMOUS";
/// The one resource of type CLUSTER.
const CLUSTER: &str = "kafka-cluster";

/// How a cluster decides.
struct Authorizer<'a> {
    cluster: &'a KafkaCluster,
    acls: &'a [AclBinding],
    super_users: BTreeSet<String>,
    /// What is not known of the settings below.
    settings_missing: Option<String>,
    /// Whether what no ACL covers is open to all.
    default_allow: bool,
    /// Whether nothing is authorized at all.
    open: bool,
}

/// Adds the edges of one cluster, and what could not be evaluated about it.
pub(crate) fn evaluate(
    cluster: &KafkaCluster,
    declaration: &Declaration,
    edges: &mut Edges,
    unknown: &mut Vec<(String, String)>,
) {
    let declared = declaration.clusters.iter().find(|declared| declared.name == cluster.name);
    let subject = format!("cluster:{}", cluster.name);
    let mut missing = |what: &str| unknown.push((subject.clone(), what.to_owned()));
    if declared.is_some_and(|declared| declared.kind == ClusterKind::Msk) {
        missing("the cloud's own access control of MSK, which ACLs do not bind");
    }
    let settings = Settings::read(cluster);
    if let Some(what) = &settings.missing {
        missing(what);
    }
    if let Some(what) = cluster.topics.missing() {
        missing(what);
    }
    if let Some(what) = cluster.acls.missing() {
        missing(what);
    }
    let acls = cluster.acls.observed().map_or(&[][..], Vec::as_slice);
    let authorizer = Authorizer {
        cluster,
        acls,
        open: cluster.acls == Known::Absent || settings.no_authorizer,
        super_users: settings.super_users,
        default_allow: settings.default_allow,
        settings_missing: settings.missing,
    };
    let acls_missing = cluster.acls.missing();
    for principal in authorizer.principals(declared, declaration) {
        for topic in cluster.topics.observed().into_iter().flatten() {
            let target = format!("topic:{}/{}", cluster.name, topic.name);
            for (capability, operation, action) in [
                (Capability::ReadRecords, "READ", "kafka:Read"),
                (Capability::WriteRecords, "WRITE", "kafka:Write"),
            ] {
                let proofs = authorizer.decide(&principal, operation, "TOPIC", &topic.name, acls_missing);
                edges.add(&principal, capability, &target, action, &proofs);
            }
        }
        for (operation, action) in [("ALTER", "kafka:Alter"), ("ALTER_CONFIGS", "kafka:AlterConfigs")] {
            let proofs = authorizer.decide(&principal, operation, "CLUSTER", CLUSTER, acls_missing);
            edges.add(&principal, Capability::ChangePolicy, &subject, action, &proofs);
        }
    }
}

/// What the brokers' configuration says of authorization.
struct Settings {
    super_users: BTreeSet<String>,
    default_allow: bool,
    no_authorizer: bool,
    missing: Option<String>,
}

impl Settings {
    fn read(cluster: &KafkaCluster) -> Self {
        let mut settings =
            Self { super_users: BTreeSet::new(), default_allow: false, no_authorizer: false, missing: None };
        let Some(brokers) = cluster.brokers.observed() else {
            settings.missing = cluster.brokers.missing().map(str::to_owned);
            return settings;
        };
        for broker in brokers {
            let configs = match &broker.configs {
                Known::Observed(configs) => configs,
                Known::Absent => continue,
                Known::Unknown(what) => {
                    settings.missing = Some(what.clone());
                    continue;
                }
            };
            let value = |name: &str| configs.get(name).and_then(|entry| entry.value.as_deref());
            if let Some(list) = value("super.users") {
                let entries = list.split(';').map(str::trim).filter(|entry| !entry.is_empty());
                settings.super_users.extend(entries.map(str::to_owned));
            }
            settings.default_allow |=
                value("allow.everyone.if.no.acl.found").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
            settings.no_authorizer |= value("authorizer.class.name") == Some("");
        }
        settings
    }
}

impl Authorizer<'_> {
    /// Everybody worth asking about.
    fn principals(&self, declared: Option<&Cluster>, declaration: &Declaration) -> BTreeSet<String> {
        let mut principals: BTreeSet<String> = self.acls.iter().map(|acl| acl.principal.clone()).collect();
        principals.extend(self.super_users.iter().cloned());
        for credential in self.cluster.scram_credentials.observed().into_iter().flatten() {
            principals.insert(format!("User:{}", credential.user));
        }
        if let Some(declared) = declared {
            principals.extend(declared.super_users.iter().cloned());
            principals.extend(declared.administrators.iter().cloned());
            principals.extend(declared.workloads.iter().map(|workload| workload.principal.clone()));
        }
        principals
            .extend(declaration.vendors.iter().flat_map(|vendor| vendor.kafka_principals.iter().cloned()));
        if self.open || self.default_allow {
            principals.insert(EVERYONE.to_owned());
        }
        principals.remove(ANONYMOUS);
        let anonymous = |listener: &cadastre_model::asset::kafka::KafkaListener| {
            listener.anonymous_access == Known::Observed(true)
        };
        if self.cluster.listeners.iter().any(anonymous) {
            principals.insert(ANONYMOUS.to_owned());
        }
        principals
    }

    /// Every proof that a principal may do an operation.
    fn decide(
        &self,
        principal: &str,
        operation: &str,
        resource_type: &str,
        name: &str,
        acls_missing: Option<&str>,
    ) -> Vec<Proof> {
        if self.open {
            return vec![self.by_setting("authorizer.class.name")];
        }
        if self.super_users.contains(principal) {
            return vec![self.by_setting("super.users")];
        }
        let covering: Vec<&AclBinding> =
            self.acls.iter().filter(|acl| acl.resource_type == resource_type && covers(acl, name)).collect();
        let concerned = |acl: &&&AclBinding| acl.principal == principal || acl.principal == EVERYONE;
        let denied = Expression::any(
            covering
                .iter()
                .filter(concerned)
                .filter(|acl| acl.permission == "DENY" && same(&acl.operation, operation))
                .map(|acl| from_host(&acl.host)),
        );
        let mut proofs: Vec<Proof> = covering
            .iter()
            .filter(concerned)
            .filter(|acl| acl.permission == "ALLOW" && same(&acl.operation, operation))
            .map(|acl| Proof {
                expression: from_host(&acl.host),
                statements: BTreeSet::from([statement(acl)]),
            })
            .collect();
        if covering.is_empty() && self.default_allow {
            proofs.push(self.by_setting("allow.everyone.if.no.acl.found"));
        }
        if let Some(what) = acls_missing {
            proofs.push(self.unsettled(what));
        } else if let Some(what) = &self.settings_missing
            && proofs.is_empty()
        {
            // It may be a super user, or nothing may need an ACL.
            proofs.push(self.unsettled(what));
        }
        let permitted = denied.negate();
        for proof in &mut proofs {
            proof.expression = Expression::all([proof.expression.clone(), permitted.clone()]);
        }
        tidy(proofs)
    }

    fn by_setting(&self, setting: &str) -> Proof {
        let brokers = self.cluster.brokers.observed().map_or(&[][..], Vec::as_slice);
        let evidence = brokers.first().map_or(&self.cluster.evidence, |broker| &broker.evidence);
        let evidence = if evidence.is_empty() { &self.cluster.evidence } else { evidence };
        Proof { expression: Expression::Yes, statements: place_in(evidence, setting) }
    }

    fn unsettled(&self, what: &str) -> Proof {
        Proof {
            expression: Expression::unknown(what),
            statements: place_in(&self.cluster.evidence, "the cluster's authorization"),
        }
    }
}

fn statement(acl: &AclBinding) -> StatementRef {
    StatementRef {
        policy: format!(
            "{} {} {} on {} {}:{}",
            acl.permission,
            acl.principal,
            acl.operation,
            acl.pattern_type,
            acl.resource_type,
            acl.resource_name
        ),
        record: acl.record.clone(),
        pointer: acl.pointer.clone(),
    }
}

fn covers(acl: &AclBinding, name: &str) -> bool {
    match acl.pattern_type.as_str() {
        "PREFIXED" => name.starts_with(&acl.resource_name),
        _ => acl.resource_name == name || acl.resource_name == "*",
    }
}

fn same(bound: &str, operation: &str) -> bool {
    bound == operation || bound == "ALL"
}

/// An ACL's host: anywhere, or a condition on where the client connects from.
fn from_host(host: &str) -> Expression {
    if host == "*" {
        return Expression::Yes;
    }
    Expression::test(TestBody {
        key: "client address".to_owned(),
        relation: Relation::Within,
        quantifier: Quantifier::One,
        or_absent: false,
        values: BTreeSet::from([host.to_owned()]),
    })
}
