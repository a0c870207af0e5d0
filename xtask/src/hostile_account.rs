//! A small account whose policies are hostile: roles, a user, a bucket, a key, an organization.

use cadastre_model::Known;
use cadastre_model::asset::identity::{CloudAccount, Principal, PrincipalKind};
use cadastre_model::asset::keys::{Grant, Key};
use cadastre_model::asset::stores::{Bucket, BucketEncryption};
use cadastre_model::asset::{PolicyDocument, PolicyKind, StatementRef};
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;
use serde_json::{Value, json};

use crate::access_cases::Dice;
use crate::access_hostile::{change, garbage};
use crate::organisation::seal;

const OWN: &str = "111122223333";
const BUCKET: &str = "arn:aws:s3:::data";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1";

/// Says that the bucket holds records.
pub(crate) fn declaration() -> anyhow::Result<Declaration> {
    let text = format!(
        "schema: cadastre/boundary/v1\nname: hostile\noperating-model: self-managed\narchitecture: shared-storage\n\
         accounts:\n  - {{id: '{OWN}', provider: aws, purpose: data-plane}}\nstores:\n  - {{arn: '{BUCKET}', holds: records}}\n"
    );
    Ok(Declaration::parse(&text, "boundary.yaml")?)
}

/// One account.
pub(crate) fn made(dice: &mut Dice) -> anyhow::Result<Inventory> {
    let mut inventory = Inventory::default();
    let level = vec![
        policy(dice, "scp", PolicyKind::ServiceControl, allow("*"))?,
        policy(dice, "full", PolicyKind::ServiceControl, allow("*"))?,
    ];
    inventory.accounts.push(CloudAccount {
        id: OWN.into(),
        service_control: Known::Observed(vec![level]),
        resource_control: Known::Absent,
        management: Known::Observed(false),
        organization: Known::Observed("o-example".into()),
        evidence: [seal("test", OWN, "account")?].into(),
    });
    for number in 0..4 {
        let kind = if number == 3 { PrincipalKind::User } else { PrincipalKind::Role };
        inventory.principals.push(identity(dice, number, kind)?);
    }
    inventory.principals.sort_by(|a, b| a.arn.cmp(&b.arn));
    inventory.buckets.push(bucket(dice)?);
    inventory.keys.push(key(dice)?);
    Ok(inventory)
}

fn identity(dice: &mut Dice, number: usize, kind: PrincipalKind) -> anyhow::Result<Principal> {
    let (word, trust) = match kind {
        PrincipalKind::Role => ("role", true),
        PrincipalKind::User => ("user", false),
    };
    let name = format!("{word}-{number}");
    let trusts = json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OWN}:root"), "Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let broad = json!([
        {"Effect": "Allow", "Action": ["s3:*", "kms:*", "iam:*", "sts:*"], "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:Delete*", "Resource": format!("{BUCKET}/*"), "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("{BUCKET}/${{aws:PrincipalTag/team}}/*"), "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}}
    ]);
    Ok(Principal {
        arn: format!("arn:aws:iam::{OWN}:{word}/{name}"),
        kind,
        account: OWN.into(),
        policies: Known::Observed(vec![
            policy(dice, "own", PolicyKind::Inline, broad.clone())?,
            policy(dice, "more", PolicyKind::Managed, broad.clone())?,
        ]),
        boundary: if dice.chance(40) {
            Known::Observed(policy(dice, "boundary", PolicyKind::Boundary, broad)?)
        } else {
            Known::Absent
        },
        trust: if trust {
            Known::Observed(policy(dice, "trust", PolicyKind::Trust, trusts)?)
        } else {
            Known::Absent
        },
        name,
        groups: vec![],
        tags: vec![],
        access_keys: Known::Absent,
        console_password: Known::Absent,
        instance_profiles: vec![],
        last_used: Known::Absent,
        maximum_session_seconds: None,
        service_linked: false,
        evidence: [seal("test", OWN, "identity")?].into(),
    })
}

fn bucket(dice: &mut Dice) -> anyhow::Result<Bucket> {
    let statement = json!([{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::444455556666:root", OWN]}, "Action": "s3:*", "Resource": [BUCKET, format!("{BUCKET}/*")]}]);
    Ok(Bucket {
        arn: BUCKET.into(),
        name: "data".into(),
        account: OWN.into(),
        region: Known::Observed("us-east-1".into()),
        encryption: Known::Observed(BucketEncryption {
            algorithm: "aws:kms".into(),
            key: Some(KEY.into()),
            key_arn: Some(KEY.into()),
            bucket_key: true,
        }),
        policy: Known::Observed(policy(dice, "bucket-policy", PolicyKind::Resource, statement)?),
        policy_is_public: Known::Absent,
        public_access_blocked: Known::Absent,
        versioning: Known::Absent,
        lifecycle: Known::Absent,
        object_lock: Known::Absent,
        replication_destinations: Known::Absent,
        acl_grantees: Known::Observed(vec![]),
        tags: vec![],
        evidence: [seal("test", OWN, "bucket")?].into(),
    })
}

fn key(dice: &mut Dice) -> anyhow::Result<Key> {
    let statement = json!([{"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OWN}:root")}, "Action": "kms:*", "Resource": "*"}]);
    let mut constraints = json!({"EncryptionContextSubset": {"a": "b"}});
    change(dice, &mut constraints);
    let grant = Grant {
        id: "g-1".into(),
        name: String::new(),
        grantee: dice
            .one(&["", "*", ":::::", "arn:aws:iam::111122223333:role/role-0", "a.amazonaws.com"])
            .into(),
        retiring_principal: None,
        issuing_account: None,
        operations: vec!["Decrypt".into(), String::new()],
        constrained: true,
        constraints,
        at: StatementRef {
            policy: "grant g-1".into(),
            record: seal("test", OWN, "grants")?,
            pointer: "/response/Grants/0".into(),
        },
    };
    Ok(Key {
        arn: KEY.into(),
        account: OWN.into(),
        region: "us-east-1".into(),
        aliases: vec![],
        manager: Known::Observed("CUSTOMER".into()),
        state: Known::Observed("Enabled".into()),
        origin: Known::Observed("AWS_KMS".into()),
        usage: Known::Observed("ENCRYPT_DECRYPT".into()),
        spec: Known::Observed("SYMMETRIC_DEFAULT".into()),
        multi_region: Known::Observed(false),
        replica_regions: vec![],
        deletion_date: Known::Absent,
        rotation: Known::Absent,
        policy: Known::Observed(policy(dice, "key-policy", PolicyKind::Resource, statement)?),
        grants: Known::Observed(vec![grant]),
        tags: vec![],
        evidence: [seal("test", OWN, "key")?].into(),
    })
}

fn allow(action: &str) -> Value {
    json!([{"Effect": "Allow", "Action": action, "Resource": "*"}])
}

/// A policy that may have been changed, or be none at all.
fn policy(
    dice: &mut Dice,
    name: &str,
    kind: PolicyKind,
    statements: Value,
) -> anyhow::Result<PolicyDocument> {
    let mut document = json!({"Version": "2012-10-17", "Statement": statements});
    match dice.below(10) {
        0..=5 => change(dice, &mut document),
        6 => document = garbage(dice),
        _ => {}
    }
    Ok(PolicyDocument {
        name: name.into(),
        kind,
        record: seal("test", OWN, name)?,
        pointer: format!("/response/{name}"),
        document: document.into(),
    })
}
