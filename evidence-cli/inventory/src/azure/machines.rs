//! Virtual machines and whom they run as.

use std::collections::BTreeMap;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::compute::VirtualMachine;

use super::fields::{id, properties, reference, references, region, subscription};
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every virtual machine.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<VirtualMachine> {
    let mut assigned: BTreeMap<String, String> = BTreeMap::new();
    for identity in reader.items("Microsoft.ManagedIdentity/userAssignedIdentities/read", "value") {
        let read = user_assigned(&identity);
        assigned.extend(reader.accept(read));
    }
    reader.assets("Microsoft.Compute/virtualMachines/read", "value", |_, machine| {
        let id = id(machine)?;
        let own = properties(machine)?;
        let interfaces = match own.optional_object("networkProfile")? {
            Some(profile) => references(&profile, "networkInterfaces")?,
            None => Vec::new(),
        };
        Ok(Some(VirtualMachine {
            name: machine.owned_text("name")?,
            subscription: subscription(&id),
            region: region(machine)?,
            interfaces,
            identities: identities(machine, &assigned)?,
            disks: disks(&own)?,
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}

fn user_assigned(identity: &Node<'_>) -> Read<Option<(String, String)>> {
    let own = properties(identity)?;
    let Some(principal) = own.optional_text("principalId")? else { return Ok(None) };
    Ok(Some((id(identity)?, principal.to_lowercase())))
}

fn identities(machine: &Node<'_>, assigned: &BTreeMap<String, String>) -> Read<Vec<String>> {
    let Some(identity) = machine.optional_object("identity")? else { return Ok(Vec::new()) };
    let mut found: Vec<String> =
        identity.optional_text("principalId")?.map(str::to_lowercase).into_iter().collect();
    if let Some(users) = identity.optional_object("userAssignedIdentities")?
        && let Some(members) = users.value.as_object()
    {
        for (name, value) in members {
            let principal =
                value.get("principalId").and_then(serde_json::Value::as_str).map(str::to_lowercase);
            found.extend(principal.or_else(|| assigned.get(&name.to_lowercase()).cloned()));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn disks(own: &Node<'_>) -> Read<Vec<String>> {
    let Some(storage) = own.optional_object("storageProfile")? else { return Ok(Vec::new()) };
    let mut all: Vec<Node<'_>> = storage.optional_object("osDisk")?.into_iter().collect();
    all.extend(storage.optional_list("dataDisks")?);
    let disks: Read<Vec<Option<String>>> = all.iter().map(|disk| reference(disk, "managedDisk")).collect();
    Ok(disks?.into_iter().flatten().collect())
}
