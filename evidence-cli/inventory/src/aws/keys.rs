//! KMS keys with their policies, grants and rotation, and an index that resolves how others name them.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::Known;
use cadastre_model::asset::keys::{Grant, Key, Rotation};
use cadastre_model::asset::{EvidenceIds, PolicyKind, Tag};
use serde_json::Value;

use crate::aws::arn::Arn;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Questions whose answers show that a key is there.
const ABOUT_A_KEY: [&str; 3] = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"];

/// Reads every key that was listed, described or otherwise asked about.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Key> {
    let aliases = Aliases::read(reader);
    let mut found: BTreeMap<String, EvidenceIds> = BTreeMap::new();
    for item in reader.items("kms:ListKeys", "Keys") {
        match item.owned_text("KeyArn") {
            Ok(arn) => {
                found.entry(arn).or_default().insert(item.record.id().clone());
            }
            Err(defect) => {
                reader.reject(defect);
            }
        }
    }
    for operation in ABOUT_A_KEY {
        for answer in reader.answers.of(operation) {
            if answer.latest().is_some_and(|series| !series.pages.is_empty()) {
                found.entry(answer.subject.to_owned()).or_default();
            }
        }
    }
    found.into_iter().map(|(arn, evidence)| key(reader, &aliases, arn, evidence)).collect()
}

fn key(reader: &mut Reader<'_>, aliases: &Aliases, arn: String, mut evidence: EvidenceIds) -> Key {
    const DESCRIBE: &str = "kms:DescribeKey";
    let (region, account) = Arn::parse(&arn)
        .map_or_else(Default::default, |parts| (parts.region.to_owned(), parts.account.to_owned()));
    let (aliases, alias_evidence) = aliases.of(&arn);
    evidence.extend(alias_evidence);

    let metadata =
        reader.known(DESCRIBE, &arn, &mut evidence, |pages| pages.only()?.object("KeyMetadata").map(Some));
    let mut text = |member: &str| {
        reader.stated(DESCRIBE, &metadata, member, |metadata| metadata.optional_owned_text(member))
    };
    let manager = text("KeyManager");
    let state = text("KeyState");
    let origin = text("Origin");
    let usage = text("KeyUsage");
    let spec = text("KeySpec");
    let multi_region = reader
        .stated(DESCRIBE, &metadata, "MultiRegion", |metadata| metadata.optional_boolean("MultiRegion"));
    let deletion_date =
        reader.property(DESCRIBE, &metadata, |metadata| metadata.optional_time("DeletionDate"));
    let deletion_date = match (&state, deletion_date) {
        (Known::Observed(state), Known::Absent)
            if state.starts_with("Pending") && state.ends_with("Deletion") =>
        {
            Known::Unknown(format!("{DESCRIBE} says {state} without a date"))
        }
        (_, date) => date,
    };
    let replica_regions = match &metadata {
        Known::Observed(metadata) => reader.accept(replica_regions(metadata, &region)),
        Known::Absent | Known::Unknown(_) => Vec::new(),
    };
    Key {
        aliases,
        manager,
        state,
        origin,
        usage,
        spec,
        multi_region,
        replica_regions,
        deletion_date,
        rotation: reader.known("kms:GetKeyRotationStatus", &arn, &mut evidence, |pages| {
            let status = pages.only()?;
            Ok(Some(Rotation {
                enabled: status.boolean("KeyRotationEnabled")?,
                period_days: status.optional_integer("RotationPeriodInDays")?,
            }))
        }),
        policy: reader.known("kms:GetKeyPolicy", &arn, &mut evidence, |pages| {
            pages.only()?.policy("Policy", "key-policy", PolicyKind::Resource)
        }),
        grants: reader
            .known("kms:ListGrants", &arn, &mut evidence, |pages| pages.all("Grants", grant).map(Some)),
        tags: match reader
            .known("kms:ListResourceTags", &arn, &mut evidence, |pages| pages.all("Tags", tag).map(Some))
        {
            Known::Observed(tags) => tags.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            Known::Absent | Known::Unknown(_) => Vec::new(),
        },
        arn,
        account,
        region,
        evidence,
    }
}

fn tag(tag: &Node<'_>) -> Read<Tag> {
    Ok(Tag { key: tag.owned_text("TagKey")?, value: tag.owned_text("TagValue")? })
}

fn replica_regions(metadata: &Node<'_>, own: &str) -> Read<Vec<String>> {
    let Some(configuration) = metadata.optional_object("MultiRegionConfiguration")? else {
        return Ok(Vec::new());
    };
    let mut regions: BTreeSet<String> =
        configuration.texts_of("ReplicaKeys", "Region")?.into_iter().collect();
    if let Some(primary) = configuration.optional_object("PrimaryKey")? {
        regions.extend(primary.optional_owned_text("Region")?);
    }
    regions.remove(own);
    Ok(regions.into_iter().collect())
}

fn grant(grant: &Node<'_>) -> Read<Grant> {
    let id = grant.owned_text("GrantId")?;
    let grantee = match grant.optional_owned_text("GranteePrincipal")? {
        Some(grantee) => grantee,
        None => grant.owned_text("GranteeServicePrincipal")?,
    };
    let retiring_principal = match grant.optional_owned_text("RetiringPrincipal")? {
        Some(principal) => Some(principal),
        None => grant.optional_owned_text("RetiringServicePrincipal")?,
    };
    let constraints = grant.optional_object("Constraints")?;
    let mut constrained = false;
    for member in ["EncryptionContextSubset", "EncryptionContextEquals"] {
        let context = match &constraints {
            Some(constraints) => constraints.optional_object(member)?,
            None => None,
        };
        constrained |=
            context.and_then(|context| context.value.as_object()).is_some_and(|pairs| !pairs.is_empty());
    }
    Ok(Grant {
        at: grant.as_statement(&id),
        id,
        name: grant.optional_owned_text("Name")?.unwrap_or_default(),
        grantee,
        retiring_principal,
        issuing_account: grant.optional_owned_text("IssuingAccount")?,
        operations: grant.texts("Operations")?,
        constrained,
        constraints: constraints.map_or(Value::Null, |constraints| constraints.value.clone()),
    })
}

/// Aliases by account, region and key id.
#[derive(Debug, Default)]
struct Aliases {
    by_key: BTreeMap<(String, String, String), (BTreeSet<String>, EvidenceIds)>,
}

impl Aliases {
    fn read(reader: &mut Reader<'_>) -> Self {
        let mut aliases = Self::default();
        for item in reader.items("kms:ListAliases", "Aliases") {
            let read = aliases.add(&item);
            reader.accept(read);
        }
        aliases
    }

    fn add(&mut self, alias: &Node<'_>) -> Read<()> {
        let name = alias.owned_text("AliasName")?;
        // A name that AWS reserves points at no key until the service makes one.
        let Some(target) = alias.optional_owned_text("TargetKeyId")? else { return Ok(()) };
        let key = (alias.account()?.to_owned(), alias.region()?.to_owned(), target);
        let (names, evidence) = self.by_key.entry(key).or_default();
        names.insert(name);
        evidence.insert(alias.record.id().clone());
        Ok(())
    }

    fn of(&self, arn: &str) -> (Vec<String>, EvidenceIds) {
        let key = Arn::parse(arn).map(|parts| {
            let id = parts.resource.strip_prefix("key/").unwrap_or(parts.resource);
            (parts.account.to_owned(), parts.region.to_owned(), id.to_owned())
        });
        let found = key.and_then(|key| self.by_key.get(&key));
        found.map_or_else(Default::default, |(names, evidence)| {
            (names.iter().cloned().collect(), evidence.clone())
        })
    }
}

/// Finds collected keys by ARN, alias or id.
#[derive(Debug)]
pub(crate) struct KeyIndex<'k> {
    arns: BTreeSet<&'k str>,
    /// By account, region, and `key/…` or `alias/…`.
    names: BTreeMap<(&'k str, &'k str, String), &'k str>,
}

impl<'k> KeyIndex<'k> {
    pub(crate) fn new(keys: &'k [Key]) -> Self {
        let mut names = BTreeMap::new();
        for key in keys {
            for alias in &key.aliases {
                names.insert((key.account.as_str(), key.region.as_str(), alias.clone()), key.arn.as_str());
            }
            if let Some(parts) = Arn::parse(&key.arn) {
                names.insert((parts.account, parts.region, parts.resource.to_owned()), key.arn.as_str());
            }
        }
        Self { arns: keys.iter().map(|key| key.arn.as_str()).collect(), names }
    }

    /// The ARN of a collected key that a resource in this account and region names.
    pub(crate) fn resolve(&self, name: &str, account: &str, region: &str) -> Option<String> {
        if let Some(arn) = self.arns.get(name) {
            return Some((*arn).to_owned());
        }
        let (account, region, resource) = match Arn::parse(name) {
            Some(parts) => (parts.account, parts.region, parts.resource.to_owned()),
            None if name.starts_with("alias/") || name.starts_with("key/") => {
                (account, region, name.to_owned())
            }
            None => (account, region, format!("key/{name}")),
        };
        self.names.get(&(account, region, resource)).map(|arn| (*arn).to_owned())
    }

    /// The ARN of a collected key, or the name as it stands when no collected key has it.
    pub(crate) fn resolve_or_keep(&self, name: &str, account: &str, region: &str) -> String {
        self.resolve(name, account, region).unwrap_or_else(|| name.to_owned())
    }
}
