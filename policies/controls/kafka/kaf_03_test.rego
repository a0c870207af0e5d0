package cadastre.controls.kaf_03_test

import rego.v1

import data.cadastre.controls.kaf_03
import data.cadastre.lib.fixture

broker(id, entry) := fixture.changed(fixture.broker, {
	"id": id,
	"configs": fixture.observed({"super.users": entry}),
	"evidence": [sprintf("broker-%d", [id])],
})

# Three brokers that show the same list.
listing(text) := fixture.kafka({"brokers": fixture.observed([broker(id, fixture.entry(text)) | some id in [1, 2, 3]])})

hidden := {"value": null, "source": "STATIC_BROKER_CONFIG", "sensitive": true}

told(document) := messages if {
	found := kaf_03.findings with input as document
	messages := {sprintf("%s %s: %s", [entry.verdict, entry.subject, entry.message]) | some entry in found}
}

test_pass_declared_super_users if {
	document := listing(" User:admin ;")
	count(kaf_03.findings) == 0 with input as document
	fixture.examined_subjects(kaf_03.subjects) == {"cluster:payments"} with input as document
}

test_pass_nobody_is_a_super_user if {
	count(kaf_03.findings) == 0 with input as listing("")
	unset := fixture.observed([broker(1, {"value": null, "source": "DEFAULT_CONFIG", "sensitive": false})])
	document := fixture.kafka({"brokers": unset})
	count(kaf_03.findings) == 0 with input as document
}

test_red_undeclared_super_user_is_one_finding_on_three_brokers if {
	document := listing("User:admin;User:contractor")
	told(document) == {"red-flag cluster:payments: the super user User:contractor is not declared"}
	found := kaf_03.findings with input as document
	{count(entry.evidence) | some entry in found} == {3}
}

test_red_super_user_on_one_broker_only if {
	brokers := fixture.observed([broker(1, fixture.entry("User:admin")), broker(2, fixture.entry("User:contractor"))])
	told(fixture.kafka({"brokers": brokers})) == {"red-flag cluster:payments: the super user User:contractor is not declared"}
}

test_red_administrator_who_is_not_a_declared_super_user if {
	told(listing("User:operator")) == {"red-flag cluster:payments: the super user User:operator is not declared"}
}

test_red_wildcard_even_where_it_is_declared if {
	declared := fixture.changed(fixture.declared_cluster, {"super-users": ["User:*", "User:ANONYMOUS", "Group:*"]})
	document := object.union(listing("User:*;User:ANONYMOUS;Group:*"), {"declaration": {"clusters": [declared]}})
	told(document) == {
		"red-flag cluster:payments: the super user Group:* stands for whoever comes along",
		"red-flag cluster:payments: the super user User:* stands for whoever comes along",
		"red-flag cluster:payments: the super user User:ANONYMOUS stands for whoever comes along",
	}
}

test_red_vendor_even_where_it_is_declared if {
	declared := fixture.changed(fixture.declared_cluster, {"super-users": ["User:streamco"]})
	document := object.union(
		listing("User:streamco"),
		{"declaration": {"clusters": [declared], "vendors": [fixture.vendor]}},
	)
	told(document) == {"red-flag cluster:payments: the super user User:streamco is a vendor's"}
}

test_red_workload_even_where_it_is_declared if {
	declared := fixture.changed(fixture.declared_cluster, {"super-users": ["User:billing"]})
	document := object.union(listing("User:billing"), {"declaration": {"clusters": [declared]}})
	told(document) == {"red-flag cluster:payments: the super user User:billing is a workload's principal"}
}

test_unproven_hidden_by_one_broker if {
	document := fixture.kafka({"brokers": fixture.observed([broker(1, fixture.entry("User:admin")), broker(2, hidden)])})
	told(document) == {"unproven cluster:payments: super.users is hidden by its brokers: who the super users are does not show"}
}

test_unproven_setting_that_is_missing if {
	document := fixture.kafka({"brokers": fixture.observed([fixture.changed(fixture.broker, {"configs": fixture.observed({})})])})
	fixture.subjects_of(kaf_03.findings, "unproven") == {"cluster:payments"} with input as document
}

test_unproven_brokers_that_are_not_known if {
	denied := fixture.kafka({"brokers": fixture.unknown})
	fixture.subjects_of(kaf_03.findings, "unproven") == {"cluster:payments"} with input as denied
	none := fixture.kafka({"brokers": fixture.observed([])})
	fixture.subjects_of(kaf_03.findings, "unproven") == {"cluster:payments"} with input as none
}

test_unproven_configuration_of_one_broker if {
	brokers := fixture.observed([broker(1, fixture.entry("User:admin")), fixture.changed(fixture.broker, {"id": 2, "configs": fixture.unknown})])
	document := fixture.kafka({"brokers": brokers})
	fixture.subjects_of(kaf_03.findings, "unproven") == {"broker:payments/2"} with input as document
	count(kaf_03.subjects) == 0 with input as document
}

test_unproven_cluster_that_was_not_observed_or_declared if {
	unseen := fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})
	fixture.subjects_of(kaf_03.findings, "unproven") == {"cluster:payments"} with input as unseen
	undeclared := fixture.with_parts({"inventory": {"clusters": [fixture.cluster]}})
	fixture.subjects_of(kaf_03.findings, "unproven") == {"cluster:payments"} with input as undeclared
}
