package cadastre.controls.kaf_02_test

import rego.v1

import data.cadastre.controls.kaf_02
import data.cadastre.lib.fixture

# A broker with some settings changed; `null` hides one, as Apache Kafka does.
broker(changes) := object.union(fixture.broker, {"configs": fixture.observed(object.union(fixture.broker.configs.value, changes))})

hidden := {"value": null, "source": "STATIC_BROKER_CONFIG", "sensitive": true}

hides_default := fixture.observed([broker({"allow.everyone.if.no.acl.found": hidden})])

transactions(refused) := {
	"principal": "User:scanner",
	"operation": "DescribeTransactions",
	"resource": "transactional-id:cadastre-probe-1",
	"refused": refused,
	"evidence": ["transactions"],
}

test_pass_authorizer_denies_by_default if {
	count(kaf_02.findings) == 0 with input as fixture.kafka({})
	fixture.examined_subjects(kaf_02.subjects) == {"cluster:payments", "broker:payments/1"} with input as fixture.kafka({})
}

test_pass_hidden_setting_is_shown_by_a_refusal_that_no_acl_explains if {
	document := fixture.kafka({"brokers": hides_default, "denials": [transactions(fixture.observed(true))]})
	count(kaf_02.findings) == 0 with input as document
}

test_unproven_hidden_setting_without_such_a_refusal if {
	document := fixture.kafka({"brokers": hides_default})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"broker:payments/1"} with input as document
}

test_unproven_refusal_that_an_acl_explains if {
	document := fixture.kafka({
		"brokers": hides_default,
		"denials": [transactions(fixture.observed(true))],
		"acls": fixture.observed([fixture.binding("User:billing", "WRITE", "TRANSACTIONAL_ID", "*")]),
	})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"broker:payments/1"} with input as document
}

test_red_no_authorizer if {
	document := fixture.kafka({"acls": fixture.absent})
	fixture.subjects_of(kaf_02.findings, "red-flag") == {"cluster:payments"} with input as document
}

test_red_allowed_by_default if {
	document := fixture.kafka({"brokers": fixture.observed([broker({"allow.everyone.if.no.acl.found": fixture.entry("TRUE")})])})
	fixture.subjects_of(kaf_02.findings, "red-flag") == {"broker:payments/1"} with input as document
}

test_red_operation_was_not_refused if {
	document := fixture.kafka({"brokers": hides_default, "denials": [transactions(fixture.observed(false))]})
	fixture.subjects_of(kaf_02.findings, "red-flag") == {"cluster:payments"} with input as document
}

test_unproven_custom_authorizer if {
	document := fixture.kafka({"brokers": fixture.observed([broker({"authorizer.class.name": fixture.entry("com.example.Mine")})])})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"broker:payments/1"} with input as document
}

test_unproven_nothing_was_tried if {
	document := fixture.kafka({"denials": []})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"cluster:payments"} with input as document
}

test_unproven_acls_were_denied if {
	document := fixture.kafka({"acls": fixture.unknown})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"cluster:payments"} with input as document
}

test_red_empty_authorizer_on_one_broker if {
	document := fixture.kafka({"brokers": fixture.observed([broker({"authorizer.class.name": fixture.entry("")})])})
	fixture.subjects_of(kaf_02.findings, "red-flag") == {"broker:payments/1"} with input as document
}

test_red_several_tries_by_one_principal_are_one_finding if {
	tries := [object.union(transactions(fixture.observed(false)), {"evidence": [sprintf("try-%d", [number])]}) | some number in [1, 2, 3]]
	document := fixture.kafka({"denials": tries})
	found := kaf_02.findings with input as document
	count(found) == 1
}

test_unproven_administrator_who_was_let_through if {
	try := object.union(transactions(fixture.observed(false)), {"principal": "User:admin"})
	document := fixture.kafka({"denials": [try]})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"cluster:payments"} with input as document
	fixture.subjects_of(kaf_02.findings, "red-flag") == set() with input as document
}

test_unproven_authorizer_that_does_not_show if {
	configs := object.remove(fixture.broker.configs.value, ["authorizer.class.name"])
	bare := fixture.changed(fixture.broker, {"configs": fixture.observed(configs)})
	document := fixture.kafka({"brokers": fixture.observed([bare])})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"broker:payments/1"} with input as document
}

test_unproven_cluster_of_which_one_broker_is_unproven if {
	document := fixture.kafka({"brokers": hides_default})
	not "cluster:payments" in fixture.examined_subjects(kaf_02.subjects) with input as document
}

test_unproven_brokers_that_are_not_known if {
	every property in [fixture.unknown, fixture.observed([])] {
		document := fixture.kafka({"brokers": property})
		fixture.subjects_of(kaf_02.findings, "unproven") == {"cluster:payments"} with input as document
	}
}

test_unproven_cluster_that_was_not_observed if {
	document := fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})
	fixture.subjects_of(kaf_02.findings, "unproven") == {"cluster:payments"} with input as document
}
