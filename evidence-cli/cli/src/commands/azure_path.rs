//! Ends of a path in Azure: interfaces and machines, by id or by name.

use anyhow::bail;
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::network::Nic;
use cadastre_network::trace::Party;

/// The interface that a text names; none when the text is no name of Azure's.
pub(super) fn party(azure: &AzureInventory, text: &str) -> anyhow::Result<Option<Party>> {
    let lower = text.to_lowercase();
    let by_name = |kind: &str| lower.strip_prefix(kind).map(str::to_owned);
    let machine_of = |wanted: &dyn Fn(&str, &str) -> bool| -> Vec<&Nic> {
        let machines = azure.machines.iter().filter(|machine| wanted(&machine.id, &machine.name));
        let ids: Vec<&str> = machines.map(|machine| machine.id.as_str()).collect();
        azure
            .interfaces
            .iter()
            .filter(|nic| nic.machine.as_deref().is_some_and(|id| ids.contains(&id)))
            .collect()
    };
    let found: Vec<&Nic> = if lower.starts_with("/subscriptions/") {
        let own: Vec<&Nic> = azure.interfaces.iter().filter(|nic| nic.id == lower).collect();
        if own.is_empty() { machine_of(&|id, _| id == lower) } else { own }
    } else if let Some(name) = by_name("nic:") {
        azure.interfaces.iter().filter(|nic| nic.name.to_lowercase() == name).collect()
    } else if let Some(name) = by_name("vm:") {
        machine_of(&|_, own| own.to_lowercase() == name)
    } else {
        return Ok(None);
    };
    match found.as_slice() {
        [only] => Ok(Some(Party::Interface(only.id.clone()))),
        [] => bail!("no interface of `{text}` is in the evidence"),
        _ => bail!("`{text}` has several interfaces: name one by its id"),
    }
}

/// Whether an end is an interface of Azure's.
pub(super) fn is_azure(party: &Party) -> bool {
    matches!(party, Party::Interface(id) if id.starts_with("/subscriptions/"))
}
