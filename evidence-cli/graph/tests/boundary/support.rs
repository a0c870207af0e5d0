//! A small deployment: a bucket and a disk under a key, a broker host, a cluster with one topic.

use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision};
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::identity::CloudAccount;
use cadastre_model::asset::kafka::{KafkaCluster, Topic};
use cadastre_model::asset::keys::Key;
use cadastre_model::asset::stores::{Bucket, BucketEncryption, Snapshot, Volume};
use cadastre_model::asset::{PolicyDocument, PolicyKind, StatementRef};
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::{BoundaryGraph, PlaintextPath};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;
use cadastre_model::record::{Observation, Outcome, Page, RecordId, Scope};
use cadastre_model::{Known, Timestamp};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const APP: &str = "arn:aws:iam::111122223333:role/app";
pub(crate) const BROKER: &str = "arn:aws:iam::111122223333:role/broker";
pub(crate) const AGENT: &str = "arn:aws:iam::999988887777:role/agent";
pub(crate) const BUCKET: &str = "arn:aws:s3:::data";
pub(crate) const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1";
pub(crate) const HOST: &str = "arn:aws:ec2:eu-central-1:111122223333:instance/i-1";
pub(crate) const VOLUME: &str = "arn:aws:ec2:eu-central-1:111122223333:volume/vol-1";
pub(crate) const SNAPSHOT: &str = "arn:aws:ec2:eu-central-1::snapshot/snap-1";
pub(crate) const TOPIC: &str = "topic:payments/orders";

const DECLARATION: &str = "
schema: cadastre/boundary/v1
name: payments
operating-model: self-managed
architecture: shared-storage
accounts: [{id: '111122223333', provider: aws, purpose: data-plane}]
vendors:
  - {name: StreamCo, accounts: ['999988887777'], roles: [{arn: 'arn:aws:iam::111122223333:role/support', function: support}], kafka-principals: ['User:streamco']}
identities: [{principal: 'arn:aws:iam::111122223333:role/broker', job: broker}]
stores: [{arn: 'arn:aws:s3:::data', holds: records, key: 'alias/data'}]
keys: [{id: 'alias/data', administrators: [], decrypt: ['arn:aws:iam::111122223333:role/broker'], rotation: 365d, origin: AWS_KMS}]
";

pub(crate) fn record(name: &str) -> RecordId {
    let observation = Observation {
        collector: "aws".into(),
        operation: "test".into(),
        scope: Scope::default(),
        subject: name.into(),
        caller: String::new(),
        observed_at: "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap(),
        outcome: Outcome::Observed,
        request: Value::Null,
        response: Value::Null,
        problem: None,
        page: Page::ONLY,
    };
    observation.seal().unwrap().id().clone()
}

pub(crate) fn statement(name: &str) -> StatementRef {
    StatementRef { policy: name.into(), record: record(name), pointer: "/response/Statement/0".into() }
}

/// What a deployment is made of.
#[derive(Clone)]
pub(crate) struct Deployment {
    pub(crate) inventory: Inventory,
    pub(crate) access: Access,
    pub(crate) declaration: Declaration,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        let mut deployment = Self {
            inventory: Inventory::default(),
            access: Access::default(),
            declaration: Declaration::parse(DECLARATION, "boundary.yaml").unwrap(),
        };
        deployment.inventory.accounts.push(CloudAccount {
            id: ACCOUNT.into(),
            service_control: Known::Absent,
            resource_control: Known::Absent,
            management: Known::Observed(false),
            organization: Known::Absent,
            evidence: [record(ACCOUNT)].into(),
        });
        deployment.inventory.buckets.push(bucket());
        deployment.inventory.keys.push(key());
        deployment.inventory.instances.push(host());
        deployment.inventory.volumes.push(Volume {
            id: "vol-1".into(),
            account: ACCOUNT.into(),
            region: "eu-central-1".into(),
            encrypted: true,
            key_arn: Some(KEY.into()),
            instances: vec!["i-1".into()],
            tags: vec![],
            evidence: [record(VOLUME)].into(),
        });
        deployment.inventory.snapshots.push(Snapshot {
            id: "snap-1".into(),
            account: ACCOUNT.into(),
            region: "eu-central-1".into(),
            encrypted: true,
            key_arn: Some(KEY.into()),
            volume: Some("vol-1".into()),
            shared_with: Known::Observed(vec![]),
            tags: vec![],
            evidence: [record(SNAPSHOT)].into(),
        });
        deployment.inventory.clusters.push(cluster());
        deployment
    }

    /// Adds an edge that rests on the named statements.
    pub(crate) fn edge(
        &mut self,
        principal: &str,
        capability: Capability,
        target: &str,
        action: &str,
        statements: &[&str],
    ) -> &mut Self {
        self.decided(principal, capability, target, action, statements, Decision::Allow)
    }

    pub(crate) fn decided(
        &mut self,
        principal: &str,
        capability: Capability,
        target: &str,
        action: &str,
        statements: &[&str],
        decision: Decision,
    ) -> &mut Self {
        self.access.edges.push(CapabilityEdge {
            principal: principal.into(),
            capability,
            target: target.into(),
            decision,
            action: action.into(),
            statements: statements.iter().map(|name| statement(name)).collect(),
            choices: Vec::new(),
            enables: None,
            summary: false,
        });
        self.access.edges.sort();
        self
    }

    pub(crate) fn encryption(&mut self, encryption: Known<BucketEncryption>) -> &mut Self {
        self.inventory.buckets[0].encryption = encryption;
        self
    }

    pub(crate) fn reasoner(&self) -> cadastre_graph::Reasoner<'_> {
        cadastre_graph::Reasoner::new(&self.inventory, &self.access, &self.declaration)
    }

    pub(crate) fn graph(&self) -> BoundaryGraph {
        cadastre_graph::build(&self.inventory, &self.access, &Reachability::default(), &self.declaration)
    }

    /// The path of a principal to a target, whose cut is checked by building again without it.
    #[track_caller]
    pub(crate) fn path(&self, principal: &str, target: &str) -> Option<PlaintextPath> {
        let find = |graph: BoundaryGraph| {
            graph.paths.into_iter().find(|path| path.principal == principal && path.target == target)
        };
        let path = find(self.graph())?;
        assert!(!path.cut.is_empty(), "no cut: {path:?}");
        let mut without = self.clone();
        without.access.edges.retain(|edge| !edge.statements.iter().any(|used| path.cut.contains(used)));
        assert_eq!(find(without.graph()), None, "the cut leaves a way");
        Some(path)
    }

    /// The steps of a path, in short.
    #[track_caller]
    pub(crate) fn steps(&self, principal: &str, target: &str) -> Vec<String> {
        let path =
            self.path(principal, target).unwrap_or_else(|| panic!("{principal} has no path to {target}"));
        path.steps
            .iter()
            .map(|step| format!("{} {} {}", short(&step.from), step.capability, short(&step.to)))
            .collect()
    }
}

/// The part of an id after its last slash or colon.
fn short(id: &str) -> &str {
    id.rsplit(['/', ':']).next().unwrap_or(id)
}

pub(crate) fn under_key(arn: &str) -> Known<BucketEncryption> {
    Known::Observed(BucketEncryption {
        algorithm: "aws:kms".into(),
        key: Some(arn.into()),
        key_arn: Some(arn.into()),
        bucket_key: true,
    })
}

fn bucket() -> Bucket {
    Bucket {
        arn: BUCKET.into(),
        name: "data".into(),
        account: ACCOUNT.into(),
        region: Known::Observed("eu-central-1".into()),
        encryption: under_key(KEY),
        policy: Known::Absent,
        policy_is_public: Known::Absent,
        public_access_blocked: Known::Observed(true),
        versioning: Known::Absent,
        lifecycle: Known::Absent,
        object_lock: Known::Absent,
        replication_destinations: Known::Absent,
        acl_grantees: Known::Observed(vec![]),
        tags: vec![],
        evidence: [record(BUCKET)].into(),
    }
}

fn key() -> Key {
    Key {
        arn: KEY.into(),
        account: ACCOUNT.into(),
        region: "eu-central-1".into(),
        aliases: vec!["alias/data".into()],
        manager: Known::Observed("CUSTOMER".into()),
        state: Known::Observed("Enabled".into()),
        origin: Known::Observed("AWS_KMS".into()),
        usage: Known::Observed("ENCRYPT_DECRYPT".into()),
        spec: Known::Observed("SYMMETRIC_DEFAULT".into()),
        multi_region: Known::Observed(false),
        replica_regions: vec![],
        deletion_date: Known::Absent,
        rotation: Known::Absent,
        policy: Known::Observed(PolicyDocument {
            name: "key-policy".into(),
            kind: PolicyKind::Resource,
            record: record("key-policy"),
            pointer: "/response/Policy".into(),
            document: json!({}).into(),
        }),
        grants: Known::Observed(vec![]),
        tags: vec![],
        evidence: [record(KEY)].into(),
    }
}

fn host() -> Instance {
    Instance {
        id: "i-1".into(),
        account: ACCOUNT.into(),
        region: "eu-central-1".into(),
        state: "running".into(),
        image: "ami-1".into(),
        instance_profile: Some("arn:aws:iam::111122223333:instance-profile/broker".into()),
        role: Known::Observed(BROKER.into()),
        subnet: None,
        vpc: None,
        zone: None,
        private_addresses: vec!["10.0.0.10".into()],
        public_addresses: vec![],
        security_groups: vec![],
        interfaces: vec![],
        volumes: vec!["vol-1".into()],
        metadata_tokens: None,
        key_pair: None,
        tags: vec![],
        evidence: [record(HOST)].into(),
    }
}

fn cluster() -> KafkaCluster {
    KafkaCluster {
        name: "payments".into(),
        cluster_id: Known::Absent,
        brokers: Known::Observed(vec![]),
        quorum: Known::Absent,
        listeners: vec![],
        topics: Known::Observed(vec![Topic {
            name: "orders".into(),
            id: None,
            internal: false,
            partitions: 1,
            replicas: 3,
            configs: Known::Absent,
            evidence: [record("topics")].into(),
        }]),
        acls: Known::Observed(vec![]),
        scram_credentials: Known::Absent,
        quotas: Known::Absent,
        groups: Known::Absent,
        delegation_tokens: Known::Absent,
        features: Known::Absent,
        log_directories: Known::Absent,
        denials: vec![],
        evidence: [record("cluster")].into(),
    }
}
