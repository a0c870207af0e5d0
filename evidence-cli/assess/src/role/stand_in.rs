//! What stands in for assets that no evidence shows: the declared ones, and patterns for what nobody has seen.
//!
//! A stand-in has no policy that is known, so every answer about it stays unknown and names what is missing.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::identity::{Principal, PrincipalKind};
use cadastre_model::asset::keys::Key;
use cadastre_model::asset::logging::{LogGroup, Trail};
use cadastre_model::asset::stores::{Bucket, BucketEncryption, Snapshot, Volume};
use cadastre_model::declaration::{Declaration, Identity, Job};
use cadastre_model::inventory::Inventory;

const BUCKET: &str = "arn:aws:s3:::";

fn asked<T>(operation: &str) -> Known<T> {
    Known::Unknown(format!("{operation} was not asked"))
}

/// Declared stores, keys, log sinks and brokers' roles that are not in the inventory.
pub(super) fn declared(
    inventory: &mut Inventory,
    declaration: &Declaration,
    names: &mut BTreeMap<String, String>,
    notes: &mut Vec<String>,
) {
    let Some(account) = inventory.accounts.first().map(|account| account.id.clone()) else { return };
    let region = declaration.regions.first().cloned().unwrap_or_else(|| "*".to_owned());
    let mut stood_in = Vec::new();
    let mut keys: BTreeMap<&str, String> = BTreeMap::new();
    for declared in &declaration.keys {
        let known =
            inventory.keys.iter().find(|key| key.arn == declared.id || key.aliases.contains(&declared.id));
        let arn = match known {
            Some(key) => key.arn.clone(),
            None => {
                // Patterns that stand for any key, each written in its own way so that two keys stay two.
                let any = "*".repeat(keys.len() + 1);
                let arn = match declared.id.starts_with("arn:") {
                    true => declared.id.clone(),
                    false => format!("arn:aws:kms:{region}:{account}:key/{any}"),
                };
                inventory.keys.push(key(&arn, &account, &region, &declared.id, &declared.origin));
                stood_in.push(declared.id.clone());
                arn
            }
        };
        names.insert(arn.clone(), declared.id.clone());
        keys.insert(&declared.id, arn);
    }
    let sinks = declaration.log_sinks.iter().map(|sink| (&sink.arn, None));
    let stores = declaration.stores.iter().map(|store| (&store.arn, store.key.as_deref()));
    for (arn, under) in stores.chain(sinks) {
        names.insert(arn.clone(), arn.clone());
        if let Some(name) = arn.strip_prefix(BUCKET) {
            if inventory.buckets.iter().all(|bucket| &bucket.arn != arn) {
                inventory.buckets.push(bucket(name, &account, &region, under.and_then(|key| keys.get(key))));
                stood_in.push(arn.clone());
            }
        } else if arn.contains(":log-group:") && inventory.log_groups.iter().all(|group| &group.arn != arn) {
            inventory.log_groups.push(log_group(arn, &account, &region));
            stood_in.push(arn.clone());
        }
    }
    for identity in declaration.identities.iter().filter(|identity| !identity.principal.contains(['*', '?']))
    {
        let Some(role) =
            role(identity).filter(|role| inventory.principals.iter().all(|known| known.arn != role.arn))
        else {
            continue;
        };
        names.insert(role.arn.clone(), role.arn.clone());
        stood_in.push(role.arn.clone());
        inventory.principals.push(role);
    }
    if !stood_in.is_empty() {
        notes.push(format!(
            "declared and not in the evidence, so that nothing about it is known: {}",
            stood_in.join(", ")
        ));
    }
}

/// Patterns for what an account without evidence may hold: other roles, hosts, disks, trails.
pub(super) fn unseen(
    inventory: &mut Inventory,
    declaration: &Declaration,
    account: &str,
    names: &mut BTreeMap<String, String>,
    notes: &mut Vec<String>,
) {
    let region = declaration.regions.first().map_or("*", String::as_str);
    let others = format!("arn:aws:iam::{account}:role/*");
    inventory.principals.push(unknown_role(&others));
    inventory.instances.push(instance(account, region));
    inventory.volumes.push(volume(account, region));
    inventory.snapshots.push(snapshot(account, region));
    let trail = format!("arn:aws:cloudtrail:{region}:{account}:trail/*");
    inventory.trails.push(any_trail(&trail, account, region));
    for (arn, told) in [
        (others, format!("any other role of account {account}")),
        (format!("arn:aws:ec2:{region}:{account}:instance/*"), format!("any instance of account {account}")),
        (format!("arn:aws:ec2:{region}:{account}:volume/*"), format!("any volume of account {account}")),
        (format!("arn:aws:ec2:{region}::snapshot/*"), format!("any snapshot of account {account}")),
        (trail, format!("any trail of account {account}")),
    ] {
        names.insert(arn, told);
    }
    notes.push(
        "without evidence, other roles, instances, disks and trails of the account are taken to exist"
            .to_owned(),
    );
}

fn role(identity: &Identity) -> Option<Principal> {
    let in_iam = identity.principal.contains(":iam::") && identity.principal.contains(":role/");
    let concerns = matches!(
        identity.job,
        Job::Broker | Job::Operator | Job::KeyAdministrator | Job::LogAdministrator | Job::Automation
    );
    (in_iam && concerns).then(|| unknown_role(&identity.principal))
}

fn unknown_role(arn: &str) -> Principal {
    let details = "iam:GetAccountAuthorizationDetails";
    Principal {
        kind: PrincipalKind::Role,
        account: arn.split(':').nth(4).unwrap_or_default().to_owned(),
        name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
        policies: asked(details),
        boundary: asked(details),
        trust: asked(details),
        groups: Vec::new(),
        tags: Vec::new(),
        access_keys: Known::Absent,
        console_password: Known::Absent,
        // It may be carried by one, so that nobody needs to make one.
        instance_profiles: vec![arn.replacen(":role/", ":instance-profile/", 1)],
        last_used: asked(details),
        maximum_session_seconds: None,
        service_linked: false,
        evidence: EvidenceIds::new(),
        arn: arn.to_owned(),
    }
}

fn bucket(name: &str, account: &str, region: &str, key: Option<&String>) -> Bucket {
    Bucket {
        arn: format!("{BUCKET}{name}"),
        name: name.to_owned(),
        account: account.to_owned(),
        region: Known::Observed(region.to_owned()),
        encryption: match key {
            Some(arn) => Known::Observed(BucketEncryption {
                algorithm: "aws:kms".to_owned(),
                key: Some(arn.clone()),
                key_arn: Some(arn.clone()),
                bucket_key: false,
            }),
            None => asked("s3:GetBucketEncryption"),
        },
        policy: asked("s3:GetBucketPolicy"),
        policy_is_public: asked("s3:GetBucketPolicyStatus"),
        public_access_blocked: asked("s3:GetPublicAccessBlock"),
        versioning: asked("s3:GetBucketVersioning"),
        lifecycle: asked("s3:GetBucketLifecycleConfiguration"),
        object_lock: asked("s3:GetObjectLockConfiguration"),
        replication_destinations: asked("s3:GetBucketReplication"),
        acl_grantees: asked("s3:GetBucketAcl"),
        tags: Vec::new(),
        evidence: EvidenceIds::new(),
    }
}

fn key(arn: &str, account: &str, region: &str, alias: &str, origin: &str) -> Key {
    let described = "kms:DescribeKey";
    Key {
        arn: arn.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        aliases: vec![alias.to_owned()],
        manager: Known::Observed("CUSTOMER".to_owned()),
        state: asked(described),
        origin: Known::Observed(origin.to_owned()),
        usage: asked(described),
        spec: asked(described),
        multi_region: asked(described),
        replica_regions: Vec::new(),
        deletion_date: asked(described),
        rotation: asked("kms:GetKeyRotationStatus"),
        policy: asked("kms:GetKeyPolicy"),
        grants: asked("kms:ListGrants"),
        tags: Vec::new(),
        evidence: EvidenceIds::new(),
    }
}

fn log_group(arn: &str, account: &str, region: &str) -> LogGroup {
    LogGroup {
        arn: arn.to_owned(),
        name: arn.split(":log-group:").nth(1).unwrap_or_default().to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        retention_days: None,
        key_arn: None,
        evidence: EvidenceIds::new(),
    }
}

fn any_trail(arn: &str, account: &str, region: &str) -> Trail {
    Trail {
        arn: arn.to_owned(),
        name: "*".to_owned(),
        account: account.to_owned(),
        home_region: region.to_owned(),
        multi_region: false,
        global_service_events: false,
        log_file_validation: false,
        bucket: String::new(),
        key: None,
        logging: asked("cloudtrail:GetTrailStatus"),
        delivery_error: asked("cloudtrail:GetTrailStatus"),
        selectors: asked("cloudtrail:GetEventSelectors"),
        evidence: EvidenceIds::new(),
    }
}

fn instance(account: &str, region: &str) -> Instance {
    Instance {
        id: "*".to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        state: "running".to_owned(),
        image: String::new(),
        instance_profile: None,
        role: asked("ec2:DescribeInstances"),
        subnet: None,
        vpc: None,
        zone: None,
        private_addresses: Vec::new(),
        public_addresses: Vec::new(),
        security_groups: Vec::new(),
        interfaces: Vec::new(),
        volumes: Vec::new(),
        metadata_tokens: None,
        key_pair: None,
        tags: Vec::new(),
        evidence: EvidenceIds::new(),
    }
}

fn volume(account: &str, region: &str) -> Volume {
    Volume {
        id: "*".to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        encrypted: false,
        key_arn: None,
        instances: Vec::new(),
        tags: Vec::new(),
        evidence: EvidenceIds::new(),
    }
}

fn snapshot(account: &str, region: &str) -> Snapshot {
    Snapshot {
        id: "*".to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        encrypted: false,
        key_arn: None,
        volume: None,
        shared_with: asked("ec2:DescribeSnapshotAttribute"),
        tags: Vec::new(),
        evidence: EvidenceIds::new(),
    }
}
