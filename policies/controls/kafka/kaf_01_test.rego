package cadastre.controls.kaf_01_test

import rego.v1

import data.cadastre.controls.kaf_01
import data.cadastre.lib.fixture

listeners(changes) := fixture.kafka({"listeners": [object.union(fixture.listener, changes), fixture.inner_listener]})

test_pass_nobody_is_served_without_credentials if {
	count(kaf_01.findings) == 0 with input as fixture.kafka({})
	examined := fixture.examined_subjects(kaf_01.subjects) with input as fixture.kafka({})
	examined == {"listener:payments/CLIENT", "listener:payments/INTERNAL"}
}

test_red_anonymous_client_is_served if {
	document := listeners({"anonymous_access": fixture.observed(true)})
	fixture.subjects_of(kaf_01.findings, "red-flag") == {"listener:payments/CLIENT"} with input as document
}

test_red_client_listener_without_tls if {
	document := listeners({"plaintext": fixture.observed(true), "protocol": fixture.observed("SASL_PLAINTEXT")})
	fixture.subjects_of(kaf_01.findings, "red-flag") == {"listener:payments/CLIENT"} with input as document
}

test_red_configured_plaintext if {
	document := listeners({"protocol": fixture.observed("PLAINTEXT")})
	fixture.subjects_of(kaf_01.findings, "red-flag") == {"listener:payments/CLIENT"} with input as document
}

test_unproven_listener_that_could_not_be_tried if {
	document := listeners({"anonymous_access": fixture.unknown})
	fixture.subjects_of(kaf_01.findings, "unproven") == {"listener:payments/CLIENT"} with input as document
}

test_unproven_probe_that_was_left_out if {
	document := listeners({"plaintext": fixture.absent})
	fixture.subjects_of(kaf_01.findings, "unproven") == {"listener:payments/CLIENT"} with input as document
}

test_unproven_declared_listener_that_was_not_found if {
	document := fixture.kafka({"listeners": [fixture.listener]})
	fixture.subjects_of(kaf_01.findings, "unproven") == {"listener:payments/INTERNAL"} with input as document
}

test_unproven_cluster_that_was_not_observed if {
	document := fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})
	fixture.subjects_of(kaf_01.findings, "unproven") == {"cluster:payments"} with input as document
}

test_unproven_cluster_without_a_listener if {
	document := fixture.kafka({"listeners": []})
	"cluster:payments" in fixture.subjects_of(kaf_01.findings, "unproven") with input as document
}

test_pass_names_of_listeners_in_another_case if {
	listener := fixture.changed(fixture.listener, {"name": "client"})
	document := fixture.kafka({"listeners": [listener, fixture.inner_listener]})
	count(kaf_01.findings) == 0 with input as document
}
