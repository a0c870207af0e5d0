//! Who in the cloud can be which Kafka principal of an MSK cluster, and whom a change of its settings lets in.
//!
//! A secret or a certificate authority makes whoever may use it the Kafka principal, which is a step of its own: reading
//! a secret takes its key as well, and whoever issues certificates names itself as the mapping rules allow.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Known;
use cadastre_model::access::{Capability, CapabilityEdge, Decision, Enabled};
use cadastre_model::asset::msk::{CertificateAuthority, MskCluster, Secret};
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;

use crate::bulk::{self, Edges};
use crate::catalogue::TargetKind;
use crate::decide::Rule;
use crate::document::Guard;
use crate::index::Index;
use crate::kafka::cloud::{Managed, managed};
use crate::kafka::names::MappingRules;
use crate::kafka::{self, EVERYONE};
use crate::targets::{Target, located};
use crate::world::{Compiler, World};

/// What a secret for MSK must be called ("Sign-in credentials authentication with AWS Secrets Manager").
const SECRET_PREFIX: &str = "AmazonMSK_";

/// Settings of a cluster that let in clients whom it did not let in before, and what else that takes.
const OPENING: [(&str, &str); 4] = [
    (
        "kafka-cluster:AlterCluster",
        "it also has the credentials of some Kafka user, since ACLs do not bind clients that use IAM",
    ),
    ("kafka:UpdateSecurity", "ACLs or IAM policies let in whom the scheme that it switches on authenticates"),
    (
        "kafka:UpdateClusterConfiguration",
        "no ACL covers the topic, and it has the credentials of some Kafka user",
    ),
    (
        "kafka:BatchAssociateScramSecret",
        "it has a secret named AmazonMSK_… that holds the name of a user whom ACLs let read the topic",
    ),
];

/// What the linking of principals looks at.
pub(crate) struct Subject<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) declaration: &'a Declaration,
    pub(crate) world: &'a World,
    pub(crate) index: &'a Index,
}

/// Adds who can be which Kafka principal, and whom a change of a cluster's settings lets in.
pub(crate) fn link(
    subject: &Subject<'_>,
    compiler: &mut Compiler,
    edges: &mut Edges,
    unknown: &mut Vec<(String, String)>,
) {
    let all = managed(subject.inventory, subject.declaration);
    if all.is_empty() {
        return;
    }
    let shared = shared_names(subject);
    let mut further: Vec<CapabilityEdge> = Vec::new();
    for managed in &all {
        let id = format!("cluster:{}", managed.declared.name);
        let cluster = match &managed.shown {
            Ok(cluster) => *cluster,
            Err(missing) => {
                unknown.push((id, missing.clone()));
                continue;
            }
        };
        let mut linking = Linking {
            subject,
            managed,
            cluster,
            edges: &edges.all,
            shared: &shared,
            unknown,
            further: &mut further,
        };
        linking.schemes(&id);
        linking.secrets(&id);
        linking.certificates(&id, compiler);
        linking.openings(&id);
    }
    edges.all.append(&mut further);
}

/// Principals that several clusters know under one name: being one of them says on which cluster.
fn shared_names(subject: &Subject<'_>) -> BTreeSet<String> {
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for declared in &subject.declaration.clusters {
        let name = declared.name.as_str();
        let observed = subject.inventory.clusters.iter().find(|cluster| cluster.name == name);
        let of_acls = observed.and_then(|cluster| cluster.acls.observed()).into_iter().flatten();
        let users = of_acls
            .map(|acl| &acl.principal)
            .chain(&declared.super_users)
            .chain(&declared.administrators)
            .chain(declared.workloads.iter().map(|workload| &workload.principal));
        for user in users {
            seen.entry(user).or_default().insert(name);
        }
    }
    let mut shared: BTreeSet<String> =
        seen.into_iter().filter(|(_, on)| on.len() > 1).map(|(user, _)| user.to_owned()).collect();
    if subject.declaration.clusters.len() > 1 {
        shared.insert(EVERYONE.to_owned());
    }
    shared
}

struct Linking<'a, 'l> {
    subject: &'l Subject<'a>,
    managed: &'l Managed<'a>,
    cluster: &'l MskCluster,
    edges: &'l [CapabilityEdge],
    shared: &'l BTreeSet<String>,
    unknown: &'l mut Vec<(String, String)>,
    further: &'l mut Vec<CapabilityEdge>,
}

impl Linking<'_, '_> {
    fn missing(&mut self, id: &str, what: String) {
        self.unknown.push((id.to_owned(), what));
    }

    /// Names every scheme of which it is not known whether it is on.
    fn schemes(&mut self, id: &str) {
        let schemes = &self.cluster.authentication;
        let missing = [
            schemes.iam.missing(),
            schemes.scram.missing(),
            schemes.certificate_authorities.missing(),
            schemes.unauthenticated.missing(),
        ];
        let missing: Vec<String> = missing.into_iter().flatten().map(str::to_owned).collect();
        for what in missing {
            self.missing(id, what);
        }
    }

    fn add(&mut self, by: &CapabilityEdge, user: &str, decision: Decision, choices: Vec<String>) {
        let decision = match self.shared.contains(user) {
            true => decision.and(Decision::Conditional(format!("on cluster {}", self.managed.declared.name))),
            false => decision,
        };
        self.further.push(CapabilityEdge {
            principal: by.principal.clone(),
            capability: Capability::Assume,
            target: user.to_owned(),
            decision,
            action: by.action.clone(),
            statements: by.statements.clone(),
            choices: by.choices.iter().cloned().chain(choices).collect(),
            enables: None,
            summary: by.summary,
        });
    }

    /// Whoever reads a secret is the user whose name and password lie in it.
    fn secrets(&mut self, id: &str) {
        match &self.cluster.authentication.scram {
            Known::Observed(true) => {}
            _ => return,
        }
        let arns = match &self.cluster.scram_secrets {
            Known::Observed(arns) => arns.clone(),
            Known::Absent => Vec::new(),
            Known::Unknown(what) => return self.missing(id, what.clone()),
        };
        let users = self.managed.users(self.subject.declaration);
        let holders: Vec<(String, Vec<(String, Decision)>)> = self.holders(&arns, &users);
        for (arn, held) in holders {
            let Some(secret) = self.subject.inventory.secrets.iter().find(|secret| secret.arn == arn) else {
                self.missing(
                    id,
                    format!("who may read secret `{arn}`: secretsmanager:ListSecrets does not show it"),
                );
                continue;
            };
            for by in self.readers(secret) {
                for (user, decision) in &held {
                    let decision = by.decision.clone().and(decision.clone());
                    self.add(&by, user, decision, Vec::new());
                }
                // Whoever it is, it is somebody who authenticates.
                self.add(&by, EVERYONE, by.decision.clone(), Vec::new());
            }
        }
    }

    /// Whose credentials each secret holds: as declared, as its name says, or open.
    fn holders(&self, arns: &[String], users: &BTreeSet<String>) -> Vec<(String, Vec<(String, Decision)>)> {
        let name_of = |arn: &str| {
            let secret = self.subject.inventory.secrets.iter().find(|secret| secret.arn == arn);
            secret.map_or_else(|| name_in(arn).to_owned(), |secret| secret.name.clone())
        };
        let mut settled: BTreeSet<&str> = BTreeSet::new();
        let mut holders: Vec<(String, Vec<(String, Decision)>)> = Vec::new();
        for arn in arns {
            let name = name_of(arn);
            let declared = self.managed.declared.workloads.iter().find(|workload| {
                workload.secret.as_ref().is_some_and(|secret| secret == arn || *secret == name)
            });
            let plain = name.strip_prefix(SECRET_PREFIX).unwrap_or(&name);
            let by_name =
                users.iter().find(|user| user.strip_prefix("User:").is_some_and(|user| user == plain));
            let held = match (declared, by_name) {
                (Some(workload), _) => Some((workload.principal.as_str(), Decision::Allow)),
                (None, Some(user)) => Some((
                    user.as_str(),
                    Decision::Conditional(format!(
                        "secret {name} holds the credentials of {user}, as its name says"
                    )),
                )),
                (None, None) => None,
            };
            if let Some((user, _)) = &held {
                settled.insert(user);
            }
            holders.push((
                arn.clone(),
                held.into_iter().map(|(user, decision)| (user.to_owned(), decision)).collect(),
            ));
        }
        // A distinguished name belongs to a certificate.
        let open: Vec<&String> =
            users.iter().filter(|user| !settled.contains(user.as_str()) && !user.contains('=')).collect();
        for (arn, held) in holders.iter_mut().filter(|(_, held)| held.is_empty()) {
            let name = name_of(arn);
            held.extend(open.iter().map(|user| {
                ((*user).clone(), Decision::Unknown(format!("whose credentials secret {name} holds")))
            }));
        }
        holders
    }

    /// Whoever reads a secret's value, or puts one of its own there: with the key that encrypts it.
    fn readers(&self, secret: &Secret) -> Vec<CapabilityEdge> {
        let via = format!("secretsmanager.{}.amazonaws.com", secret.region);
        let mut keys: BTreeMap<&str, Vec<&CapabilityEdge>> = BTreeMap::new();
        if let Some(key) = &secret.key {
            let usable = |edge: &&CapabilityEdge| {
                edge.target == *key && edge.capability == Capability::Decrypt && edge.enables.is_none()
            };
            for edge in self.edges.iter().filter(usable) {
                keys.entry(&edge.principal).or_default().push(edge);
            }
        }
        let key_read = secret
            .key
            .as_ref()
            .is_none_or(|key| self.subject.inventory.keys.iter().any(|known| known.arn == *key));
        let mut readers: Vec<CapabilityEdge> = Vec::new();
        for edge in self.edges.iter().filter(|edge| edge.target == secret.arn) {
            let reads = edge.capability == Capability::ReadObjects
                || edge.enables.as_ref().is_some_and(|enabled| enabled.capability == Capability::ReadObjects);
            let writes = edge.capability == Capability::WriteObjects
                && matches!(
                    edge.action.as_str(),
                    "secretsmanager:PutSecretValue" | "secretsmanager:UpdateSecret"
                );
            if !reads && !writes {
                continue;
            }
            let mut by = edge.clone();
            by.enables = None;
            if writes {
                let encrypting = "it may use the secret's key for kms:GenerateDataKey".to_owned();
                by.decision = by.decision.and(Decision::Conditional(encrypting));
            }
            if secret.key.is_none() {
                readers.push(by);
                continue;
            }
            if !key_read {
                by.decision = by
                    .decision
                    .and(Decision::Unknown(format!("the key of secret {} was not read", secret.name)));
                readers.push(by);
                continue;
            }
            for key in keys.get(edge.principal.as_str()).into_iter().flatten() {
                let mut with_key = by.clone();
                with_key.action = format!("{} and {}", by.action, key.action);
                with_key.decision = with_key.decision.and(key.decision.through_service(&via));
                with_key.statements.extend(key.statements.iter().cloned());
                with_key.statements.sort();
                with_key.statements.dedup();
                with_key.choices.extend(key.choices.iter().cloned());
                with_key.summary |= key.summary;
                readers.push(with_key);
            }
        }
        readers
    }

    /// Whoever issues certificates of an accepted authority names itself as it likes.
    fn certificates(&mut self, id: &str, compiler: &mut Compiler) {
        let Known::Observed(arns) = &self.cluster.authentication.certificate_authorities else { return };
        // Rules that cannot be evaluated are told among the cluster's own gaps.
        let rules = self.managed.kafka.map_or(Ok(Vec::new()), kafka::mapping_rules).unwrap_or_default();
        for arn in arns {
            let authorities = &self.subject.inventory.certificate_authorities;
            let Some(authority) = authorities.iter().find(|authority| authority.arn == *arn) else {
                let what = format!(
                    "who may issue certificates of `{arn}`: acm-pca:ListCertificateAuthorities does not show it"
                );
                self.missing(id, what);
                continue;
            };
            for by in self.issuers(authority, compiler) {
                self.add(&by, EVERYONE, by.decision.clone(), Vec::new());
                for user in self.managed.users(self.subject.declaration) {
                    let name = user.strip_prefix("User:").unwrap_or(&user);
                    let subject = rules.iter().find_map(|rules: &MappingRules| rules.subject_for(name));
                    let (decision, choices) = match subject {
                        Some(subject) => {
                            (by.decision.clone(), vec![format!("it asks for a certificate for `{subject}`")])
                        }
                        None if !user.contains('=')
                            && rules.iter().all(MappingRules::is_plain)
                            && !rules.is_empty() =>
                        {
                            // The distinguished name is the principal's name, and this is none.
                            continue;
                        }
                        None => (
                            by.decision.clone().and(Decision::Unknown(format!(
                                "which certificates become {user} on the cluster"
                            ))),
                            Vec::new(),
                        ),
                    };
                    self.add(&by, &user, decision, choices);
                }
            }
        }
    }

    fn issuers(&self, authority: &CertificateAuthority, compiler: &mut Compiler) -> Vec<CapabilityEdge> {
        if authority.status != "ACTIVE" {
            return Vec::new();
        }
        let world = self.subject.world;
        let resource = located(world, &authority.account, Some(&authority.region), &[]);
        let target = Target {
            policy: Guard::compile(&authority.policy, |document| {
                compiler.compile(document, &world.catalogue)
            }),
            rule: Rule::Sufficient,
            ..Target::plain(authority.arn.clone(), TargetKind::CertificateAuthority, &authority.arn, resource)
        };
        let mut issuing = Edges::default();
        bulk::evaluate(world, self.subject.index, &[target], &mut issuing);
        issuing.all.retain(|edge| edge.capability == Capability::Assume);
        issuing.all
    }

    /// Changes of settings after which records can be read.
    fn openings(&mut self, id: &str) {
        let anonymous = self.managed.anonymous();
        let mut opened: Vec<CapabilityEdge> = Vec::new();
        for edge in self.edges.iter().filter(|edge| edge.target == id && edge.enables.is_none()) {
            let Some((_, takes)) = OPENING.iter().find(|(action, _)| *action == edge.action) else {
                continue;
            };
            // A serverless cluster has neither schemes to switch nor properties to set, and its clients use IAM alone.
            let without_passwords = edge.action == "kafka:BatchAssociateScramSecret"
                && self.cluster.authentication.scram == Known::Observed(false);
            if self.cluster.serverless || without_passwords {
                continue;
            }
            // An ACL for everybody lets in clients that bring no credentials, where such clients are served.
            let settled = anonymous && edge.action == "kafka-cluster:AlterCluster";
            let decision = match settled {
                true => edge.decision.clone(),
                false => edge.decision.clone().and(Decision::Conditional((*takes).to_owned())),
            };
            opened.extend(self.managed.topics().map(|topic| CapabilityEdge {
                capability: Capability::ChangePolicy,
                target: format!("topic:{}/{topic}", self.managed.declared.name),
                decision: decision.clone(),
                enables: Some(Enabled {
                    capability: Capability::ReadRecords,
                    action: "kafka:Read".to_owned(),
                }),
                ..edge.clone()
            }));
        }
        self.further.append(&mut opened);
    }
}

/// The name in a secret's ARN, without the six characters that Secrets Manager adds.
fn name_in(arn: &str) -> &str {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}
