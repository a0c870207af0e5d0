//! Who may read, write and administer what on a Kafka cluster, by the rules of the stock authorizer.
//!
//! Source: `org.apache.kafka.metadata.authorizer.StandardAuthorizer`. A super user may do anything; otherwise a
//! matching DENY wins over a matching ALLOW; `allow.everyone.if.no.acl.found` decides only where no ACL covers
//! the resource. ACLs that name a client address become conditions.
//!
//! On Amazon MSK these rules bind the clients that do not authenticate with IAM; what IAM allows is
//! `cloud`'s to say. A default that MSK's brokers do not state is to allow ("Apache Kafka ACLs", Amazon MSK
//! Developer Guide).

pub(crate) mod cloud;
pub(crate) mod guards;
pub(crate) mod links;
pub(crate) mod names;

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::access::Capability;
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::kafka::{AclBinding, KafkaCluster};
use cadastre_model::declaration::{Cluster, Declaration};
use cadastre_model::inventory::Inventory;

use crate::bulk::Edges;
use crate::expression::{Expression, Quantifier, Relation, TestBody};
use crate::reason::{Reason, tidy};
use crate::statements::place_in;
use cloud::{AclPlane, acl_plane};
use names::MappingRules;

/// Everybody who authenticates, in ACLs.
pub(crate) const EVERYONE: &str = "User:*";
/// Whoever does not.
pub(crate) const ANONYMOUS: &str = "User:ANONYMOUS";
/// The setting that names super users.
pub(crate) const SUPER_USERS: &str = "super.users";
/// The setting that opens what no ACL covers.
const DEFAULT_ALLOW: &str = "allow.everyone.if.no.acl.found";
/// The one resource of type CLUSTER.
pub(crate) const CLUSTER: &str = "kafka-cluster";

/// How a cluster decides.
struct Authorizer<'a> {
    cluster: &'a KafkaCluster,
    acls: &'a [AclBinding],
    settings: Settings,
    /// Whether nothing is authorized at all.
    open: bool,
    declared_super_users: &'a [String],
    /// On MSK, which clients ACLs bind.
    plane: Option<AclPlane>,
}

/// Adds the edges of one cluster, and what could not be evaluated about it.
pub(crate) fn evaluate(
    cluster: &KafkaCluster,
    inventory: &Inventory,
    declaration: &Declaration,
    edges: &mut Edges,
    unknown: &mut Vec<(String, String)>,
) {
    let declared = declaration.clusters.iter().find(|declared| declared.name == cluster.name);
    let subject = format!("cluster:{}", cluster.name);
    let mut missing = |what: &str| unknown.push((subject.clone(), what.to_owned()));
    let plane = declared.and_then(|declared| acl_plane(inventory, declared));
    if plane.as_ref().is_some_and(|plane| plane.consulted == Known::Observed(false)) {
        // Everybody authenticates with IAM, and no client is bound by an ACL.
        if let Some(what) = cluster.topics.missing() {
            missing(what);
        }
        return;
    }
    let settings = Settings::read(cluster, plane.is_some());
    if let Err(what) = mapping_rules(cluster) {
        missing(&what);
    }
    for what in foreign_names(cluster) {
        missing(&what);
    }
    if let Some(what) = &settings.missing {
        missing(what);
    }
    if let Default::Unknown(what) = &settings.default {
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
        declared_super_users: declared.map_or(&[][..], |declared| &declared.super_users),
        settings,
        plane,
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
                edges.add(&principal, capability, &target, action, None, &proofs);
            }
        }
        for (operation, action) in [("ALTER", "kafka:Alter"), ("ALTER_CONFIGS", "kafka:AlterConfigs")] {
            let proofs = authorizer.decide(&principal, operation, "CLUSTER", CLUSTER, acls_missing);
            edges.add(&principal, Capability::ChangePolicy, &subject, action, None, &proofs);
        }
    }
}

/// What becomes of resources that no ACL covers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Default {
    Allow,
    Deny,
    Unknown(String),
}

/// What the brokers' configuration says of authorization.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) super_users: BTreeSet<String>,
    /// Set where a broker has super users and hides who they are, as Apache Kafka does.
    super_users_hidden: bool,
    default: Default,
    no_authorizer: bool,
    missing: Option<String>,
}

impl Settings {
    pub(crate) fn read(cluster: &KafkaCluster, on_msk: bool) -> Self {
        let mut settings = Self {
            super_users: BTreeSet::new(),
            super_users_hidden: false,
            default: if on_msk { Default::Allow } else { Default::Deny },
            no_authorizer: false,
            missing: None,
        };
        let unstated = |what: &str| Default::Unknown(format!("{DEFAULT_ALLOW}: {what}"));
        let Some(brokers) = cluster.brokers.observed() else {
            if on_msk {
                settings.default = unstated(cluster.brokers.missing().unwrap_or("no broker was seen"));
            }
            settings.missing = cluster.brokers.missing().map(str::to_owned);
            return settings;
        };
        let mut default_hidden = false;
        let (mut refuses, mut stated_open) = (0, false);
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
            let hidden =
                |name: &str| configs.get(name).is_some_and(|entry| entry.sensitive && entry.value.is_none());
            if let Some(list) = value(SUPER_USERS) {
                let entries = list.split(';').map(str::trim).filter(|entry| !entry.is_empty());
                settings.super_users.extend(entries.map(str::to_owned));
            }
            settings.super_users_hidden |= hidden(SUPER_USERS);
            match value(DEFAULT_ALLOW) {
                Some(flag) if flag.eq_ignore_ascii_case("true") => {
                    settings.default = Default::Allow;
                    stated_open = true;
                }
                Some(_) => refuses += 1,
                None => {}
            }
            default_hidden |= hidden(DEFAULT_ALLOW);
            settings.no_authorizer |= value("authorizer.class.name") == Some("");
        }
        if on_msk && !stated_open {
            match &settings.missing {
                Some(what) => settings.default = unstated(what),
                None if refuses > 0 => settings.default = Default::Deny,
                None => {}
            }
        }
        if default_hidden && !stated_open {
            settings.default = match refused_by_default(cluster) {
                true => Default::Deny,
                false => unstated("the brokers hide it, and no refusal on a resource without ACLs shows it"),
            };
        }
        settings
    }
}

/// The mapping rules of every listener that has any; those that all listeners share are without a prefix.
///
/// # Errors
/// In words, when brokers' rules cannot be evaluated.
pub(crate) fn mapping_rules(cluster: &KafkaCluster) -> Result<Vec<MappingRules>, String> {
    let values = values_of(cluster, names::SETTING);
    if values.is_empty() && cluster.brokers.observed().is_some() {
        return Ok(vec![MappingRules::parse("")?]);
    }
    values.into_iter().map(MappingRules::parse).collect()
}

/// The values of a setting on any broker, for all listeners or for one.
fn values_of<'a>(cluster: &'a KafkaCluster, setting: &str) -> BTreeSet<&'a str> {
    let brokers = cluster.brokers.observed().into_iter().flatten();
    brokers
        .filter_map(|broker| broker.configs.observed())
        .flatten()
        .filter(|(name, entry)| {
            let of_listener = name.strip_suffix(setting).is_some_and(|listener| listener.ends_with('.'));
            (*name == setting || of_listener) && entry.source != "DEFAULT_CONFIG"
        })
        .filter_map(|(_, entry)| entry.value.as_deref())
        .collect()
}

/// Principals that somebody outside the evidence names: Kerberos realms and issuers of tokens.
fn foreign_names(cluster: &KafkaCluster) -> Vec<String> {
    let mechanisms: BTreeSet<&str> = values_of(cluster, "sasl.enabled.mechanisms")
        .into_iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .collect();
    let mut missing = Vec::new();
    if mechanisms.contains("GSSAPI") {
        let rules = values_of(cluster, "sasl.kerberos.principal.to.local.rules");
        let rules: Vec<&str> = rules.into_iter().collect();
        let rules = if rules.is_empty() { "DEFAULT".to_owned() } else { rules.join(" and ") };
        missing.push(format!(
            "which Kerberos principals become which users: sasl.kerberos.principal.to.local.rules is `{rules}`, and who holds them is not in the evidence"
        ));
    }
    if mechanisms.contains("OAUTHBEARER") {
        let claim = values_of(cluster, "sasl.oauthbearer.sub.claim.name").into_iter().next().unwrap_or("sub");
        let issuer = values_of(cluster, "sasl.oauthbearer.expected.issuer");
        let issuer = issuer.into_iter().next().unwrap_or("any issuer, since none is expected");
        missing.push(format!(
            "who is given tokens: OAUTHBEARER takes the principal from claim `{claim}` of {issuer}, which is not in the evidence"
        ));
    }
    missing
}

/// Whether somebody with credentials was refused something that no ACL covers: only a default of deny does that.
fn refused_by_default(cluster: &KafkaCluster) -> bool {
    let Some(acls) = cluster.acls.observed() else { return false };
    cluster.denials.iter().any(|denial| {
        let resource = denial.resource.split_once(':').and_then(|(kind, name)| match kind {
            "topic" => Some(("TOPIC", name)),
            "transactional-id" => Some(("TRANSACTIONAL_ID", name)),
            "group" => Some(("GROUP", name)),
            _ => None,
        });
        let uncovered = resource.is_some_and(|(kind, name)| {
            !acls.iter().any(|acl| acl.resource_type == kind && covers(acl, name))
        });
        uncovered && denial.refused == Known::Observed(true) && !denial.principal.ends_with("ANONYMOUS")
    })
}

impl Authorizer<'_> {
    /// Everybody worth asking about.
    fn principals(&self, declared: Option<&Cluster>, declaration: &Declaration) -> BTreeSet<String> {
        let mut principals: BTreeSet<String> = self.acls.iter().map(|acl| acl.principal.clone()).collect();
        principals.extend(self.settings.super_users.iter().cloned());
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
        if self.open || self.settings.default != Default::Deny {
            principals.insert(EVERYONE.to_owned());
        }
        principals.remove(ANONYMOUS);
        let anonymous = |listener: &cadastre_model::asset::kafka::KafkaListener| {
            listener.anonymous_access == Known::Observed(true)
        };
        let unauthenticated =
            self.plane.as_ref().is_some_and(|plane| plane.anonymous == Known::Observed(true));
        if unauthenticated || self.cluster.listeners.iter().any(anonymous) {
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
    ) -> Vec<Reason> {
        if self.open {
            return vec![self.by_setting("authorizer.class.name")];
        }
        if self.settings.super_users.contains(principal) {
            return vec![self.by_setting(SUPER_USERS)];
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
        let mut proofs: Vec<Reason> = covering
            .iter()
            .filter(concerned)
            .filter(|acl| acl.permission == "ALLOW" && same(&acl.operation, operation))
            .map(|acl| Reason::new(from_host(&acl.host), [statement(acl)].into_iter().collect()))
            .collect();
        if covering.is_empty() {
            match &self.settings.default {
                Default::Allow => proofs.push(self.by_setting(DEFAULT_ALLOW)),
                Default::Unknown(what) => proofs.push(self.unsettled(what)),
                Default::Deny => {}
            }
        }
        if let Some(what) = acls_missing {
            proofs.push(self.unsettled(what));
        } else if let Some(what) = &self.settings.missing
            && proofs.is_empty()
        {
            // It may be a super user, or nothing may need an ACL.
            proofs.push(self.unsettled(what));
        }
        let permitted = denied.negate();
        for proof in &mut proofs {
            proof.expression = Expression::all([proof.expression.clone(), permitted.clone()]);
        }
        // Denies do not bind super users, so this comes after them.
        if self.settings.super_users_hidden && self.declared_super_users.iter().any(|user| user == principal)
        {
            proofs.push(self.unsettled(&format!("{SUPER_USERS}: the brokers hide who they are")));
        }
        tidy(proofs)
    }

    fn by_setting(&self, setting: &str) -> Reason {
        let brokers = self.cluster.brokers.observed().map_or(&[][..], Vec::as_slice);
        let evidence = brokers.first().map_or(&self.cluster.evidence, |broker| &broker.evidence);
        let evidence = if evidence.is_empty() { &self.cluster.evidence } else { evidence };
        Reason::new(Expression::Yes, place_in(evidence, setting))
    }

    fn unsettled(&self, what: &str) -> Reason {
        Reason::new(
            Expression::unknown(what),
            place_in(&self.cluster.evidence, "the cluster's authorization"),
        )
    }
}

pub(crate) fn statement(acl: &AclBinding) -> StatementRef {
    StatementRef {
        policy: format!(
            "{} {} {} on {} {}:{}",
            acl.permission,
            acl.principal,
            acl.operation,
            acl.pattern_type,
            acl.resource_type,
            acl.resource_name
        )
        .into(),
        record: acl.record.clone(),
        pointer: acl.pointer.as_str().into(),
    }
}

pub(crate) fn covers(acl: &AclBinding, name: &str) -> bool {
    match acl.pattern_type.as_str() {
        "PREFIXED" => name.starts_with(&acl.resource_name),
        _ => acl.resource_name == name || acl.resource_name == "*",
    }
}

pub(crate) fn same(bound: &str, operation: &str) -> bool {
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
