package cadastre.controls.key_03_test

import rego.v1

import data.cadastre.controls.key_03
import data.cadastre.lib.fixture

stranger := "arn:aws:iam::111122223333:role/stranger"

by(principal) := fixture.edge(principal, "decrypt", fixture.key_arn, "kms:Decrypt")

used(edges, changes) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key]},
	"inventory": {"keys": [fixture.changed(fixture.key, changes)]},
	"access": {"edges": edges},
})

is_red(edges) if {
	document := used(edges, {})
	found := key_03.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.key_arn}
}

test_pass_exactly_the_declared if {
	document := used([by(fixture.broker_role)], {})
	count(key_03.findings) == 0 with input as document
	fixture.examined_subjects(key_03.subjects) == {fixture.key_arn} with input as document
}

test_red_further_principal if is_red([by(fixture.broker_role), by(stranger)])

test_red_further_principal_through_a_service if is_red([by(fixture.broker_role), fixture.edge_when(stranger, "decrypt", fixture.key_arn, "kms:Decrypt", "conditional", "kms:ViaService is s3")])

test_red_undeclared_service if is_red([by(fixture.broker_role), by("service:logs.amazonaws.com")])

test_unproven_open_edge if {
	document := used([by(fixture.broker_role), fixture.edge_when(stranger, "decrypt", fixture.key_arn, "kms:Decrypt", "unknown", "its boundary")], {})
	fixture.subjects_of(key_03.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_declared_and_not_able if {
	document := used([], {})
	fixture.subjects_of(key_03.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_unknown_grants if {
	document := used([by(fixture.broker_role)], {"grants": fixture.unknown})
	fixture.subjects_of(key_03.findings, "unproven") == {fixture.key_arn} with input as document
}
