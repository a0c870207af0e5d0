//! Key vaults, their access policies, and their keys.

use std::collections::BTreeSet;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::keys::{AccessPolicy, KeyVault, VaultKey};
use cadastre_model::{Known, Timestamp};

use super::fields::{id, parent, properties, region, says, subscription};
use crate::node::{Node, Read};
use crate::reader::Reader;

const KEYS: &str = "Microsoft.KeyVault/vaults/keys/read";

/// Reads every vault.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<KeyVault> {
    reader.assets("Microsoft.KeyVault/vaults/read", "value", |_, vault| {
        let id = id(vault)?;
        let own = properties(vault)?;
        let policies: Read<Vec<AccessPolicy>> =
            own.optional_list("accessPolicies")?.iter().map(policy).collect();
        let firewall = own.optional_object("networkAcls")?;
        let closed =
            firewall.map(|rules| says(&rules, "defaultAction", "Deny")).transpose()?.unwrap_or(false);
        let kept = own.optional_boolean("enableSoftDelete")?.unwrap_or(true);
        Ok(Some(KeyVault {
            name: vault.owned_text("name")?,
            subscription: subscription(&id),
            region: region(vault)?,
            uri: own.optional_text("vaultUri")?.unwrap_or_default().to_owned(),
            role_based: own.optional_boolean("enableRbacAuthorization")?.unwrap_or(false),
            policies: policies?,
            kept_days: own.optional_integer("softDeleteRetentionInDays")?.filter(|_| kept),
            purge_protection: own.optional_boolean("enablePurgeProtection")?.unwrap_or(false),
            public_access: !says(&own, "publicNetworkAccess", "Disabled")?,
            open_by_default: !closed,
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}

fn policy(node: &Node<'_>) -> Read<AccessPolicy> {
    let keys = match node.optional_object("permissions")? {
        Some(permissions) => permissions.optional_texts("keys")?,
        None => Vec::new(),
    };
    Ok(AccessPolicy {
        principal: node.text("objectId")?.to_lowercase(),
        application: node.optional_text("applicationId")?.map(str::to_lowercase),
        keys: keys.into_iter().map(|key| key.to_lowercase()).collect(),
        record: node.record.id().clone(),
        pointer: node.pointer.clone(),
    })
}

/// Reads every key that a vault lists, with what was asked about each.
pub(super) fn keys(reader: &mut Reader<'_>) -> Vec<VaultKey> {
    let vaults: BTreeSet<String> = reader.answers.of(KEYS).map(|answer| answer.subject.to_owned()).collect();
    let mut items = Vec::new();
    let answers = reader.answers;
    for answer in answers.of(KEYS) {
        // A key is asked about by its own id, and its answer is no list.
        if !answer.subject.contains("/keys/") {
            items.extend(reader.items_of(answer, "value"));
        }
    }
    reader.assets_from(items, |reader, key| {
        let id = id(key)?;
        let mut evidence = EvidenceIds::new();
        let whole = if vaults.contains(&id) {
            reader.known(KEYS, &id, &mut evidence, |pages| Ok(Some(pages.only()?.clone())))
        } else {
            Known::Unknown(format!("{KEYS} was not asked about it"))
        };
        let listed = properties(key)?;
        let kind = match listed.optional_text("kty")? {
            Some(kind) => Known::Observed(kind.to_owned()),
            None => reader.stated(KEYS, &whole, "kty", |node| {
                Ok(properties(node)?.optional_text("kty")?.map(str::to_owned))
            }),
        };
        let attributes = listed.optional_object("attributes")?;
        let enabled = attributes.as_ref().map(|node| node.optional_boolean("enabled")).transpose()?.flatten();
        let expires = attributes.as_ref().map(|node| node.optional_integer("exp")).transpose()?.flatten();
        let known = attributes.is_some();
        Ok(Some(VaultKey {
            name: key.owned_text("name")?,
            vault: parent(&id, 1),
            kind,
            enabled: enabled
                .map_or_else(|| Known::Unknown(format!("{KEYS} does not say `enabled`")), Known::Observed),
            expires: match expires.and_then(Timestamp::from_seconds) {
                Some(at) => Known::Observed(at),
                None if known => Known::Absent,
                None => Known::Unknown(format!("{KEYS} does not say `attributes`")),
            },
            rotation_days: reader.property(KEYS, &whole, rotation),
            id,
            evidence,
        }))
    })
}

/// Days between rotations ("Configure cryptographic key auto-rotation in Azure Key Vault"): after creation, or so long
/// before expiry.
fn rotation(key: &Node<'_>) -> Read<Option<i64>> {
    let own = properties(key)?;
    let Some(policy) = own.optional_object("rotationPolicy")? else { return Ok(None) };
    let lifetime = policy.optional_object("attributes")?;
    let lifetime = lifetime.map(|node| days(&node, "expiryTime")).transpose()?.flatten();
    let mut shortest: Option<i64> = None;
    for entry in policy.optional_list("lifetimeActions")? {
        let Some(action) = entry.optional_object("action")? else { continue };
        let Some(trigger) = entry.optional_object("trigger")? else { continue };
        if !says(&action, "type", "rotate")? {
            continue;
        }
        let after = days(&trigger, "timeAfterCreate")?;
        let before = days(&trigger, "timeBeforeExpiry")?;
        let every = after.or_else(|| Some(lifetime? - before?));
        shortest = match (shortest, every) {
            (Some(known), Some(every)) => Some(known.min(every)),
            (known, every) => known.or(every),
        };
    }
    Ok(shortest)
}

/// An ISO 8601 duration of years, months and days, in days; months have 31 and years 366, the most they can.
fn days(node: &Node<'_>, member: &str) -> Read<Option<i64>> {
    let Some(text) = node.optional_text(member)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = || node.defect("a duration of years, months or days");
    let mut total: i64 = 0;
    let mut number: Option<i64> = None;
    for c in text.strip_prefix('P').ok_or_else(wrong)?.chars() {
        match (c, number) {
            (digit, _) if digit.is_ascii_digit() => {
                let digit = i64::from(digit.to_digit(10).ok_or_else(wrong)?);
                let known = number.unwrap_or(0).checked_mul(10).ok_or_else(wrong)?;
                number = Some(known.checked_add(digit).filter(|days| *days < 100_000).ok_or_else(wrong)?);
            }
            ('Y', Some(years)) => (total, number) = (total + years * 366, None),
            ('M', Some(months)) => (total, number) = (total + months * 31, None),
            ('W', Some(weeks)) => (total, number) = (total + weeks * 7, None),
            ('D', Some(days)) => (total, number) = (total + days, None),
            _ => return Err(wrong()),
        }
    }
    if number.is_some() || total == 0 { Err(wrong()) } else { Ok(Some(total)) }
}
