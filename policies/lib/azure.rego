# What of Azure the evidence shows; empty where there is nothing of it.
package cadastre.lib.azure

import rego.v1

import data.cadastre.lib.declared
import data.cadastre.lib.pattern

shown(kind) := object.get(object.get(input.inventory, "azure", {}), kind, [])

subscriptions := {account.id | some account in input.declaration.accounts; account.provider == "azure"}

# Machines that run as a declared broker, or whose address a broker advertises.
broker_machines contains machine if {
	some machine in shown("machines")
	some identity in machine.identities
	declared.has_job(sprintf("entra:%s", [identity]), {"broker"})
}

broker_machines contains machine if {
	some machine in shown("machines")
	some nic in shown("interfaces")
	nic.machine == machine.id
	some address in nic.addresses
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	broker.host == split(address.private, "/")[0]
}

# Keys ------------------------------------------------------------------------------------------------------

key_ids := {key.id | some key in shown("keys")}

data_keys contains key if {
	some key in shown("keys")
	some entry in input.declaration.keys
	entry.id == key.id
}

data_keys contains key if {
	some use in key_uses
	some key in shown("keys")
	key_address(key) == use.address
}

# Which account with records names which key.
key_uses contains result if {
	some account in shown("storage_accounts")
	holds_records(account.id)
	is_string(account.key)
	result := {
		"account": account.id, "address": account.key, "version": object.get(account, "key_version", null),
		"evidence": account.evidence,
	}
}

holds_records(id) if {
	some store in input.declaration.stores
	store.holds in {"records", "backups"}
	store.arn == id
}

holds_records(id) if {
	some store in input.declaration.stores
	store.holds in {"records", "backups"}
	startswith(store.arn, sprintf("%s/", [id]))
}

key_address(key) := lower(sprintf("%s/keys/%s", [trim_suffix(vault.uri, "/"), key.name])) if {
	some vault in shown("vaults")
	vault.id == key.vault
}

# Roles -----------------------------------------------------------------------------------------------------

definition_by_id := {definition.id: definition | some definition in shown("role_definitions")}

# Whether a role allows an action of the control plane, in lower case.
role_allows(definition, action) if {
	some permission in definition.permissions
	pattern.any_matches({lower(named) | some named in permission.actions}, action)
	not pattern.any_matches({lower(named) | some named in permission.not_actions}, action)
}
