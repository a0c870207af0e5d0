//! What capabilities are asked about: buckets, volumes, snapshots, keys, hosts, trails, log groups, the organization,
//! and MSK clusters as IAM sees them.

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::asset::Tag;
use cadastre_model::asset::keys::Grant;
use cadastre_model::asset::stores::Bucket;
use cadastre_model::declaration::{Declaration, Holds};
use cadastre_model::inventory::Inventory;

use crate::catalogue::TargetKind;
use crate::decide::{Rule, grantee};
use crate::document::{Body, Guard, Policy};
use crate::expression::Expression;
use crate::facts::{Resource, Tagging};
use crate::kafka;
use crate::requester::Named;
use crate::world::{Compiler, World};

/// Keys that pin a statement for everybody to somebody in particular, so that S3 does not call it public ("The
/// meaning of public", Amazon S3 User Guide).
const PINNING_KEYS: [&str; 13] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// Something that capabilities are asked about.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// How edges name it.
    pub(crate) id: String,
    /// How policies name it, where edges name it otherwise.
    pub(crate) arn: Option<String>,
    /// The ARN of the MSK cluster it belongs to.
    pub(crate) cluster: Option<String>,
    pub(crate) kind: TargetKind,
    pub(crate) name: String,
    pub(crate) resource: Resource,
    pub(crate) policy: Guard,
    pub(crate) rule: Rule,
    pub(crate) grants: Vec<Grant>,
    pub(crate) outsiders: Expression,
    /// Whether it receives logs.
    pub(crate) sink: bool,
    /// Whether AWS manages it, so that only those its policy names are asked about.
    pub(crate) provider_managed: bool,
    /// Evidence that is missing about it, whoever asks.
    pub(crate) open: Option<String>,
}

impl Target {
    /// A target without a policy of its own.
    pub(crate) fn plain(id: String, kind: TargetKind, name: &str, resource: Resource) -> Self {
        Self {
            id,
            arn: None,
            cluster: None,
            kind,
            name: name.to_owned(),
            resource,
            policy: Guard::None,
            rule: Rule::None,
            grants: Vec::new(),
            outsiders: Expression::Yes,
            sink: false,
            provider_managed: false,
            open: None,
        }
    }

    /// Everybody its policy or its grants let in, the owner's account aside.
    pub(crate) fn named(&self) -> BTreeSet<Named> {
        let mut named = BTreeSet::new();
        if let Guard::Policy(policy) = &self.policy {
            named.extend(named_by(policy));
        }
        named.extend(self.grants.iter().map(|grant| grantee(&grant.grantee)));
        named.remove(&Named::Account(self.resource.account.clone()));
        named
    }
}

/// Everybody that a policy's allowing statements name.
pub(crate) fn named_by(policy: &Policy) -> BTreeSet<Named> {
    let mut named = BTreeSet::new();
    for statement in &policy.statements {
        let Body::Read(clauses) = &statement.body else { continue };
        let Some(principals) = clauses.principals.as_ref().filter(|_| clauses.allows) else { continue };
        if principals.inverted {
            named.insert(Named::Anybody);
        } else {
            named.extend(principals.named.iter().cloned());
        }
    }
    named
}

/// A place in an account, with tags that were read together with what lies there.
pub(crate) fn located(world: &World, account: &str, region: Option<&str>, tags: &[Tag]) -> Resource {
    Resource {
        account: account.to_owned(),
        region: region.map(str::to_owned),
        organization: world.organization(account),
        tags: tags.to_vec(),
        tagging: Tagging::Complete,
        aliases: Vec::new(),
    }
}

/// All targets of an inventory, roles and users aside.
pub(crate) fn all(
    inventory: &Inventory,
    declaration: &Declaration,
    world: &World,
    compiler: &mut Compiler,
) -> Vec<Target> {
    let sinks = sinks(inventory, declaration);
    let plain = Target::plain;
    let located = |account: &str, region: Option<&str>, tags: &[Tag]| located(world, account, region, tags);
    let mut targets = Vec::new();
    for bucket in &inventory.buckets {
        let policy = Guard::compile(&bucket.policy, |document| compiler.compile(document, &world.catalogue));
        let mut resource =
            located(&bucket.account, bucket.region.observed().map(String::as_str), &bucket.tags);
        // Object requests carry the tags of the bucket only where the bucket opted in.
        resource.tagging = Tagging::Open;
        targets.push(Target {
            rule: Rule::Sufficient,
            outsiders: outsiders(bucket, &policy),
            policy,
            sink: sinks.contains(&bucket.arn),
            ..plain(bucket.arn.clone(), TargetKind::Bucket, &bucket.name, resource)
        });
    }
    for key in &inventory.keys {
        let mut resource = located(&key.account, Some(&key.region), &key.tags);
        // Tags of keys come from a call of their own, which may not have answered.
        resource.tagging = Tagging::Partial;
        resource.aliases.clone_from(&key.aliases);
        targets.push(Target {
            rule: Rule::Required,
            policy: Guard::compile(&key.policy, |document| compiler.compile(document, &world.catalogue)),
            grants: key.grants.observed().cloned().unwrap_or_default(),
            provider_managed: key.manager.observed().is_some_and(|manager| manager == "AWS"),
            ..plain(key.arn.clone(), TargetKind::Key, &key.arn, resource)
        });
    }
    for volume in &inventory.volumes {
        let resource = located(&volume.account, Some(&volume.region), &volume.tags);
        targets.push(plain(volume_arn(volume), TargetKind::Volume, &volume.id, resource));
    }
    for snapshot in &inventory.snapshots {
        let resource = located(&snapshot.account, Some(&snapshot.region), &snapshot.tags);
        targets.push(plain(snapshot_arn(snapshot), TargetKind::Snapshot, &snapshot.id, resource));
    }
    for instance in inventory.instances.iter().filter(|instance| instance.state != "terminated") {
        let resource = located(&instance.account, Some(&instance.region), &instance.tags);
        targets.push(plain(instance_arn(instance), TargetKind::Host, &instance.id, resource));
    }
    for trail in &inventory.trails {
        let resource = located(&trail.account, Some(&trail.home_region), &[]);
        targets.push(plain(trail.arn.clone(), TargetKind::Trail, &trail.name, resource));
    }
    for group in &inventory.log_groups {
        let resource = located(&group.account, Some(&group.region), &[]);
        targets.push(plain(group.arn.clone(), TargetKind::LogGroup, &group.name, resource));
    }
    for account in inventory.accounts.iter().filter(|account| account.management == Known::Observed(true)) {
        if let Some(organization) = account.organization.observed() {
            let id = format!("organization:{organization}");
            let resource = located(&account.id, None, &[]);
            targets.push(plain(id, TargetKind::Organization, organization, resource));
        }
    }
    targets.extend(kafka::cloud::targets(inventory, declaration, world, compiler));
    targets
}

/// `arn:aws:ec2:region:account:volume/vol-…`.
pub(crate) fn volume_arn(volume: &cadastre_model::asset::stores::Volume) -> String {
    format!("arn:aws:ec2:{}:{}:volume/{}", volume.region, volume.account, volume.id)
}

/// `arn:aws:ec2:region::snapshot/snap-…`: snapshots carry no account.
pub(crate) fn snapshot_arn(snapshot: &cadastre_model::asset::stores::Snapshot) -> String {
    format!("arn:aws:ec2:{}::snapshot/{}", snapshot.region, snapshot.id)
}

fn instance_arn(instance: &cadastre_model::asset::compute::Instance) -> String {
    format!("arn:aws:ec2:{}:{}:instance/{}", instance.region, instance.account, instance.id)
}

/// ARNs of buckets that receive logs, as declared and as configured.
fn sinks(inventory: &Inventory, declaration: &Declaration) -> BTreeSet<String> {
    let mut sinks: BTreeSet<String> = declaration.log_sinks.iter().map(|sink| sink.arn.clone()).collect();
    sinks.extend(
        declaration.stores.iter().filter(|store| store.holds == Holds::Logs).map(|store| store.arn.clone()),
    );
    sinks.extend(inventory.trails.iter().map(|trail| format!("arn:aws:s3:::{}", trail.bucket)));
    for destination in inventory.flow_logs.iter().filter_map(|log| log.destination.as_deref()) {
        // A flow log's destination may name a folder of the bucket.
        sinks.insert(destination.split('/').next().unwrap_or(destination).to_owned());
    }
    sinks
}

/// What a public access block leaves to principals of other accounts ("Blocking public access to your Amazon S3
/// storage", Amazon S3 User Guide): nothing, while the policy is public.
fn outsiders(bucket: &Bucket, policy: &Guard) -> Expression {
    let public = match (&bucket.policy_is_public, policy) {
        (Known::Observed(public), _) => *public,
        (_, Guard::Policy(policy)) => looks_public(policy),
        _ => false,
    };
    match (&bucket.public_access_blocked, public) {
        (Known::Observed(true), true) => Expression::No,
        (Known::Unknown(what), true) => Expression::unknown(what.as_str()),
        _ => Expression::Yes,
    }
}

fn looks_public(policy: &Policy) -> bool {
    policy.statements.iter().any(|statement| match &statement.body {
        Body::Read(clauses) if clauses.allows => {
            let everybody = clauses
                .principals
                .as_ref()
                .is_some_and(|principals| principals.inverted || principals.named.contains(&Named::Anybody));
            let pinned = clauses.condition_keys().iter().any(|key| PINNING_KEYS.contains(&key.as_str()));
            everybody && !pinned
        }
        _ => false,
    })
}
