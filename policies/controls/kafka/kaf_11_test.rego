package cadastre.controls.kaf_11_test

import rego.v1

import data.cadastre.controls.kaf_11
import data.cadastre.lib.fixture

credential(mechanism, iterations) := {"user": "billing", "mechanism": mechanism, "iterations": iterations}

with_credential(mechanism, iterations) := fixture.kafka({"scram_credentials": fixture.observed([credential(mechanism, iterations)])})

token(maximum) := {
	"id": "t1",
	"owner": "User:billing",
	"issued": "2026-11-20T12:00:00Z",
	"expires": "2026-11-21T12:00:00Z",
	"maximum": maximum,
}

# Tokens are on, and the scanner sees all of them.
with_tokens(tokens, changes) := fixture.kafka(fixture.changed(
	{
		"delegation_tokens": fixture.observed(tokens),
		"acls": fixture.observed([fixture.binding("User:scanner", "DESCRIBE_TOKENS", "USER", "*")]),
	},
	changes,
))

broker(configs) := {"brokers": fixture.observed([fixture.changed(fixture.broker, {"configs": configs})])}

lifetime(entry) := broker(fixture.observed({"delegation.token.max.lifetime.ms": entry}))

reds(document) := subjects if {
	found := kaf_11.findings with input as document
	subjects := fixture.subjects_of(found, "red-flag")
}

unproven(document) := subjects if {
	found := kaf_11.findings with input as document
	subjects := fixture.subjects_of(found, "unproven")
}

examined(document) := subjects if {
	found := kaf_11.subjects with input as document
	subjects := fixture.examined_subjects(found)
}

test_pass_strong_credentials_and_tokens_off if {
	count(kaf_11.findings) == 0 with input as fixture.kafka({})
	examined(fixture.kafka({})) == {"cluster:payments", "credential:payments/billing SCRAM-SHA-512"}
	at_the_limit := with_credential("SCRAM-SHA-256", 4096)
	count(kaf_11.findings) == 0 with input as at_the_limit
}

test_pass_no_credentials if {
	document := fixture.kafka({"scram_credentials": fixture.observed([])})
	count(kaf_11.findings) == 0 with input as document
	examined(document) == {"cluster:payments"}
}

test_pass_bounded_tokens if {
	document := with_tokens([token("2026-11-27T12:00:00Z")], {})
	count(kaf_11.findings) == 0 with input as document
	examined(document) == {
		"credential:payments/billing SCRAM-SHA-512",
		"delegation-token:payments/t1",
		"broker:payments/1",
	}
}

test_pass_tokens_on_and_no_credentials if {
	document := with_tokens([], {
		"scram_credentials": fixture.observed([]),
		"acls": fixture.observed([fixture.binding("User:scanner", "DESCRIBE", "DELEGATION_TOKEN", "*")]),
	})
	count(kaf_11.findings) == 0 with input as document
	examined(document) == {"cluster:payments", "broker:payments/1"}
}

test_red_weak_credentials if {
	reds(with_credential("SCRAM-SHA-512", 4095)) == {"credential:payments/billing SCRAM-SHA-512"}
	reds(with_credential("SCRAM-SHA-1", 10000)) == {"credential:payments/billing SCRAM-SHA-1"}
}

test_red_token_that_lives_too_long if {
	reds(with_tokens([token("2026-11-27T12:00:01Z")], {})) == {"delegation-token:payments/t1"}
	reds(with_tokens([token("9999-12-31T23:59:59Z")], {})) == {"delegation-token:payments/t1"}
}

test_red_brokers_let_tokens_live_too_long if {
	reds(with_tokens([], lifetime(fixture.entry("604800001")))) == {"broker:payments/1"}
	reds(with_tokens([], lifetime(fixture.entry("9223372036854775807")))) == {"broker:payments/1"}
	reds(with_tokens([], lifetime(fixture.entry("-1")))) == {"broker:payments/1"}
}

test_pass_setting_without_a_meaning_while_tokens_are_off if {
	count(kaf_11.findings) == 0 with input as fixture.kafka(lifetime(fixture.entry("604800001")))
}

test_unproven_mechanism_that_is_not_known if {
	unproven(with_credential("UNKNOWN", 8192)) == {"credential:payments/billing UNKNOWN"}
}

test_unproven_what_is_not_known if {
	unproven(fixture.kafka({"scram_credentials": fixture.unknown})) == {"cluster:payments"}
	unproven(fixture.kafka({"scram_credentials": fixture.absent})) == {"cluster:payments"}
	unproven(fixture.kafka({"delegation_tokens": fixture.unknown})) == {"cluster:payments"}
	unproven(with_tokens([], {"brokers": fixture.unknown})) == {"cluster:payments"}
	unproven(with_tokens([], {"brokers": fixture.observed([])})) == {"cluster:payments"}
	unproven(with_tokens([], broker(fixture.unknown))) == {"broker:payments/1"}
}

test_unproven_lifetime_that_does_not_show if {
	unproven(with_tokens([], broker(fixture.observed({})))) == {"broker:payments/1"}
	unproven(with_tokens([], lifetime(fixture.entry("a week")))) == {"broker:payments/1"}
}

test_unproven_scanner_that_may_not_see_every_token if {
	document := with_tokens([], {"acls": fixture.observed(fixture.scanner_bindings)})
	unproven(document) == {"cluster:payments"}
}

test_unproven_cluster_that_nobody_declared_or_observed if {
	unproven(fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})) == {"cluster:payments"}
	undeclared := fixture.with_parts({"inventory": {"clusters": [fixture.cluster]}})
	unproven(undeclared) == {"cluster:payments"}
	examined(undeclared) == set()
}
