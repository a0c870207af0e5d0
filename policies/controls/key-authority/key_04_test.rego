package cadastre.controls.key_04_test

import rego.v1

import data.cadastre.controls.key_04
import data.cadastre.lib.fixture

rotated(changes) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key]},
	"inventory": {"keys": [fixture.changed(fixture.key, changes)]},
})

is_red(changes) if {
	document := rotated(changes)
	found := key_04.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.key_arn}
}

test_pass_yearly if {
	document := rotated({})
	count(key_04.findings) == 0 with input as document
	fixture.examined_subjects(key_04.subjects) == {fixture.key_arn} with input as document
}

test_pass_default_period if {
	document := rotated({"rotation": fixture.observed({"enabled": true, "period_days": null})})
	count(key_04.findings) == 0 with input as document
}

test_red_off if is_red({"rotation": fixture.observed({"enabled": false, "period_days": null})})

test_red_too_rare if is_red({"rotation": fixture.observed({"enabled": true, "period_days": 730})})

test_unproven_unknown if {
	document := rotated({"rotation": fixture.unknown})
	fixture.subjects_of(key_04.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_imported_material if {
	document := rotated({"origin": fixture.observed("EXTERNAL")})
	fixture.subjects_of(key_04.findings, "unproven") == {fixture.key_arn} with input as document
}

test_red_key_that_is_not_enabled_does_not_rotate if is_red({"state": fixture.observed("Disabled")})

test_unproven_material_that_cannot_rotate_by_itself if {
	document := rotated({"spec": fixture.observed("RSA_4096"), "rotation": fixture.absent})
	found := key_04.findings with input as document
	fixture.subjects_of(found, "unproven") == {fixture.key_arn}
	fixture.subjects_of(found, "red-flag") == set()
}

test_unproven_key_in_use_that_was_not_read if {
	base := rotated({})
	document := object.union(base, {"inventory": object.union(base.inventory, {
		"instances": [fixture.host],
		"volumes": [fixture.changed(fixture.volume, {"key_arn": "arn:aws:kms:eu-central-1:111122223333:key/other"})],
	})})
	fixture.subjects_of(key_04.findings, "unproven") == {"arn:aws:kms:eu-central-1:111122223333:key/other"} with input as document
}

# Azure -----------------------------------------------------------------------------------------------------

vault_key := {
	"id": "/subscriptions/s/vaults/v/keys/k", "name": "k", "vault": "/subscriptions/s/vaults/v", "kind": {"state": "observed", "value": "RSA-HSM"},
	"enabled": {"state": "observed", "value": true}, "expires": {"state": "absent"},
	"rotation_days": {"state": "observed", "value": 90}, "evidence": ["key"],
}

in_vault(changes, declared_keys) := fixture.with_parts({
	"declaration": {
		"keys": [fixture.changed(fixture.declared_key, {"id": id}) | some id in declared_keys],
		"stores": [{"arn": "/subscriptions/s/accounts/a", "holds": "records"}],
	},
	"inventory": {"azure": {
		"keys": [fixture.changed(vault_key, changes)],
		"vaults": [{"id": "/subscriptions/s/vaults/v", "uri": "https://V.vault.azure.net/", "evidence": ["vault"]}],
		"storage_accounts": [{"id": "/subscriptions/s/accounts/a", "key": "https://v.vault.azure.net/keys/k", "evidence": ["account"]}],
	}},
})

test_pass_azure_key if {
	document := in_vault({}, [vault_key.id])
	count(key_04.findings) == 0 with input as document
	fixture.examined_subjects(key_04.subjects) == {vault_key.id} with input as document
}

test_red_azure_key_does_not_rotate if {
	document := in_vault({"rotation_days": {"state": "absent"}}, [vault_key.id])
	fixture.subjects_of(key_04.findings, "red-flag") == {vault_key.id} with input as document
}

test_red_azure_key_too_rare if {
	document := in_vault({"rotation_days": {"state": "observed", "value": 9000}}, [vault_key.id])
	fixture.subjects_of(key_04.findings, "red-flag") == {vault_key.id} with input as document
}

test_unproven_azure_key if {
	every changes in [{"rotation_days": fixture.unknown}, {"enabled": {"state": "observed", "value": false}}] {
		document := in_vault(changes, [vault_key.id])
		fixture.subjects_of(key_04.findings, "unproven") == {vault_key.id} with input as document
	}
}

test_unproven_azure_key_that_nobody_declared if {
	document := in_vault({}, [])
	fixture.subjects_of(key_04.findings, "unproven") == {vault_key.id} with input as document
}

test_unproven_azure_key_that_was_not_read if {
	document := in_vault({"id": "/subscriptions/s/vaults/v/keys/other", "name": "other"}, [])
	fixture.subjects_of(key_04.findings, "unproven") == {"https://v.vault.azure.net/keys/k"} with input as document
}

test_red_azure_account_stays_with_a_version if {
	document := in_vault({}, [vault_key.id])
	accounts := [fixture.changed(account, {"key_version": "1"}) | some account in document.inventory.azure.storage_accounts]
	azure := fixture.changed(document.inventory.azure, {"storage_accounts": accounts})
	pinned := fixture.changed(document, {"inventory": fixture.changed(document.inventory, {"azure": azure})})
	fixture.subjects_of(key_04.findings, "red-flag") == {"/subscriptions/s/accounts/a"} with input as pinned
}
