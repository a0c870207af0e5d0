//! A small account for tests, built piece by piece, and one question to ask about it.

use cadastre_model::access::{Access, Capability, Decision};
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::identity::{CloudAccount, Principal, PrincipalKind};
use cadastre_model::asset::keys::{Grant, Key};
use cadastre_model::asset::stores::{Bucket, Snapshot, Volume};
use cadastre_model::asset::{PolicyDocument, PolicyKind, StatementRef, Tag};
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;
use cadastre_model::record::{Observation, Outcome, Page, RecordId, Scope};
use cadastre_model::{Known, Timestamp};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "999988887777";
pub(crate) const APP: &str = "arn:aws:iam::111122223333:role/app";
pub(crate) const BUCKET: &str = "arn:aws:s3:::data";
pub(crate) const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1";
pub(crate) const HOST: &str = "arn:aws:ec2:eu-central-1:111122223333:instance/i-1";
pub(crate) const VOLUME: &str = "arn:aws:ec2:eu-central-1:111122223333:volume/vol-1";
pub(crate) const SNAPSHOT: &str = "arn:aws:ec2:eu-central-1::snapshot/snap-1";

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

pub(crate) fn document(name: &str, kind: PolicyKind, document: Value) -> PolicyDocument {
    PolicyDocument {
        name: name.into(),
        kind,
        record: record(name),
        pointer: "/response/Policy".into(),
        document: document.into(),
    }
}

/// A policy of the present version.
pub(crate) fn policy(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub(crate) fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

pub(crate) fn deny(action: &str, resource: &str) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": resource})
}

pub(crate) fn principal(arn: &str, kind: PrincipalKind) -> Principal {
    let mut parts = arn.split(':');
    let account = parts.nth(4).unwrap().to_owned();
    Principal {
        arn: arn.into(),
        kind,
        account,
        name: arn.rsplit('/').next().unwrap().into(),
        policies: Known::Observed(vec![]),
        boundary: Known::Absent,
        trust: match kind {
            PrincipalKind::User => Known::Absent,
            PrincipalKind::Role => Known::Observed(document(
                &format!("trust of {arn}"),
                PolicyKind::Trust,
                policy(
                    json!([{"Effect": "Allow", "Principal": {"Service": "tasks.example.amazonaws.com"}, "Action": "sts:AssumeRole"}]),
                ),
            )),
        },
        groups: vec![],
        tags: vec![],
        access_keys: Known::Absent,
        console_password: Known::Absent,
        instance_profiles: vec![],
        last_used: Known::Absent,
        maximum_session_seconds: None,
        service_linked: false,
        evidence: [record(arn)].into(),
    }
}

/// An account under construction.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) inventory: Inventory,
    pub(crate) declaration: Declaration,
}

impl World {
    pub(crate) fn new() -> Self {
        let declaration = Declaration::parse(
            "schema: cadastre/boundary/v1\nname: t\noperating-model: self-managed\narchitecture: shared-storage\n",
            "boundary.yaml",
        )
        .unwrap();
        let mut world = Self { inventory: Inventory::default(), declaration };
        world.account(ACCOUNT);
        world.role(APP, json!([]));
        world
    }

    pub(crate) fn account(&mut self, id: &str) -> &mut CloudAccount {
        self.inventory.accounts.push(CloudAccount {
            id: id.into(),
            service_control: Known::Absent,
            resource_control: Known::Absent,
            management: Known::Observed(false),
            organization: Known::Observed("o-example".into()),
            evidence: [record(id)].into(),
        });
        self.inventory.accounts.last_mut().unwrap()
    }

    /// Service control policies of the account, one list of statements a level.
    pub(crate) fn scp(&mut self, levels: Value) -> &mut Self {
        self.inventory.accounts[0].service_control = levels_of(levels, PolicyKind::ServiceControl);
        self
    }

    pub(crate) fn rcp(&mut self, levels: Value) -> &mut Self {
        self.inventory.accounts[0].resource_control = levels_of(levels, PolicyKind::ResourceControl);
        self
    }

    pub(crate) fn role(&mut self, arn: &str, statements: Value) -> &mut Principal {
        self.identity(arn, PrincipalKind::Role, statements)
    }

    pub(crate) fn user(&mut self, arn: &str, statements: Value) -> &mut Principal {
        self.identity(arn, PrincipalKind::User, statements)
    }

    fn identity(&mut self, arn: &str, kind: PrincipalKind, statements: Value) -> &mut Principal {
        self.inventory.principals.retain(|known| known.arn != arn);
        let mut made = principal(arn, kind);
        if statements != json!([]) {
            made.policies = Known::Observed(vec![document(arn, PolicyKind::Inline, policy(statements))]);
        }
        self.inventory.principals.push(made);
        self.inventory.principals.last_mut().unwrap()
    }

    pub(crate) fn of(&mut self, arn: &str) -> &mut Principal {
        self.inventory.principals.iter_mut().find(|known| known.arn == arn).unwrap()
    }

    pub(crate) fn boundary(&mut self, arn: &str, statements: Value) -> &mut Self {
        let name = format!("boundary of {arn}");
        self.of(arn).boundary = Known::Observed(document(&name, PolicyKind::Boundary, policy(statements)));
        self
    }

    pub(crate) fn trust(&mut self, arn: &str, statements: Value) -> &mut Self {
        let name = format!("trust of {arn}");
        self.of(arn).trust = Known::Observed(document(&name, PolicyKind::Trust, policy(statements)));
        self
    }

    pub(crate) fn bucket(&mut self, statements: Value) -> &mut Bucket {
        let policy_document = if statements == json!([]) {
            Known::Absent
        } else {
            Known::Observed(document("bucket-policy", PolicyKind::Resource, policy(statements)))
        };
        self.inventory.buckets.push(Bucket {
            arn: BUCKET.into(),
            name: "data".into(),
            account: ACCOUNT.into(),
            region: Known::Observed("eu-central-1".into()),
            encryption: Known::Absent,
            policy: policy_document,
            policy_is_public: Known::Absent,
            public_access_blocked: Known::Absent,
            versioning: Known::Absent,
            lifecycle: Known::Absent,
            object_lock: Known::Absent,
            replication_destinations: Known::Absent,
            acl_grantees: Known::Observed(vec![]),
            tags: vec![],
            evidence: [record(BUCKET)].into(),
        });
        self.inventory.buckets.last_mut().unwrap()
    }

    pub(crate) fn key(&mut self, statements: Value) -> &mut Key {
        self.inventory.keys.push(Key {
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
            policy: Known::Observed(document("key-policy", PolicyKind::Resource, policy(statements))),
            grants: Known::Observed(vec![]),
            tags: vec![],
            evidence: [record(KEY)].into(),
        });
        self.inventory.keys.last_mut().unwrap()
    }

    pub(crate) fn host(&mut self) -> &mut Instance {
        self.inventory.instances.push(Instance {
            id: "i-1".into(),
            account: ACCOUNT.into(),
            region: "eu-central-1".into(),
            state: "running".into(),
            image: "ami-1".into(),
            instance_profile: None,
            role: Known::Absent,
            subnet: None,
            vpc: None,
            zone: None,
            private_addresses: vec![],
            public_addresses: vec![],
            security_groups: vec![],
            interfaces: vec![],
            volumes: vec!["vol-1".into()],
            metadata_tokens: None,
            key_pair: None,
            tags: vec![tag("cluster", "payments")],
            evidence: [record(HOST)].into(),
        });
        self.inventory.instances.last_mut().unwrap()
    }

    pub(crate) fn volume(&mut self) -> &mut Volume {
        self.inventory.volumes.push(Volume {
            id: "vol-1".into(),
            account: ACCOUNT.into(),
            region: "eu-central-1".into(),
            encrypted: false,
            key_arn: None,
            instances: vec![],
            tags: vec![],
            evidence: [record(VOLUME)].into(),
        });
        self.inventory.volumes.last_mut().unwrap()
    }

    pub(crate) fn snapshot(&mut self, shared_with: &[&str]) -> &mut Snapshot {
        self.inventory.snapshots.push(Snapshot {
            id: "snap-1".into(),
            account: ACCOUNT.into(),
            region: "eu-central-1".into(),
            encrypted: false,
            key_arn: None,
            volume: None,
            shared_with: Known::Observed(shared_with.iter().map(|account| (*account).to_owned()).collect()),
            tags: vec![],
            evidence: [record(SNAPSHOT)].into(),
        });
        self.inventory.snapshots.last_mut().unwrap()
    }

    pub(crate) fn evaluate(&self) -> Access {
        cadastre_access::evaluate(&self.inventory, &self.declaration)
    }
}

fn levels_of(levels: Value, kind: PolicyKind) -> Known<Vec<Vec<PolicyDocument>>> {
    let levels = levels.as_array().unwrap().iter().enumerate();
    Known::Observed(
        levels
            .map(|(number, statements)| {
                vec![document(&format!("{kind:?} {number}"), kind, policy(statements.clone()))]
            })
            .collect(),
    )
}

pub(crate) fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

pub(crate) fn grant(grantee: &str, operations: &[&str]) -> Grant {
    Grant {
        id: "g-1".into(),
        name: String::new(),
        grantee: grantee.into(),
        retiring_principal: None,
        issuing_account: None,
        operations: operations.iter().map(|operation| (*operation).to_owned()).collect(),
        constrained: false,
        constraints: Value::Null,
        at: StatementRef {
            policy: "grant g-1".into(),
            record: record("grants"),
            pointer: "/response/Grants/0".into(),
        },
    }
}

/// The decision over all proofs.
pub(crate) fn decision(
    access: &Access,
    principal: &str,
    capability: Capability,
    target: &str,
    action: &str,
) -> Decision {
    access
        .edges
        .iter()
        .filter(|edge| {
            edge.principal == principal
                && edge.capability == capability
                && edge.target == target
                && (action.is_empty() || edge.action == action)
        })
        .map(|edge| edge.decision.clone())
        .fold(Decision::Deny, Decision::or)
}

/// What a vector expects.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    Allow,
    Deny,
    /// A condition, word for word.
    When(&'static str),
    /// Missing evidence that the text names.
    Unknown(&'static str),
}

#[track_caller]
pub(crate) fn expect(found: &Decision, expected: Expect, page: &str) {
    let fits = match (found, expected) {
        (Decision::Allow, Expect::Allow) | (Decision::Deny, Expect::Deny) => true,
        (Decision::Conditional(text), Expect::When(wanted)) => text == wanted,
        (Decision::Unknown(text), Expect::Unknown(wanted)) => text.contains(wanted),
        _ => false,
    };
    assert!(fits, "{page}: expected {expected:?}, found {found:?}");
}
