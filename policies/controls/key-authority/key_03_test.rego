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
	fixture.subjects_of(found, "red-flag") == {fixture.key_arn} | ({edge.principal | some edge in edges} - {fixture.broker_role})
}

test_pass_exactly_the_declared if {
	document := used([by(fixture.broker_role)], {})
	count(key_03.findings) == 0 with input as document
	fixture.examined_subjects(key_03.subjects) == {fixture.key_arn, fixture.broker_role} with input as document
}

test_red_further_principal if is_red([by(fixture.broker_role), by(stranger)])

test_red_further_principal_through_a_service if is_red([by(fixture.broker_role), fixture.edge_when(stranger, "decrypt", fixture.key_arn, "kms:Decrypt", "conditional", "kms:ViaService is s3")])

test_red_undeclared_service if is_red([by(fixture.broker_role), by("service:logs.amazonaws.com")])

test_unproven_open_edge if {
	document := used([by(fixture.broker_role), fixture.edge_when(stranger, "decrypt", fixture.key_arn, "kms:Decrypt", "unknown", "its boundary")], {})
	fixture.subjects_of(key_03.findings, "unproven") == {fixture.key_arn, stranger} with input as document
}

test_unproven_declared_and_not_able if {
	document := used([], {})
	fixture.subjects_of(key_03.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_unknown_grants if {
	document := used([by(fixture.broker_role)], {"grants": fixture.unknown})
	fixture.subjects_of(key_03.findings, "unproven") == {fixture.key_arn} with input as document
}

test_red_names_the_principal_as_well if {
	document := used([by(fixture.broker_role), by(stranger)], {})
	fixture.subjects_of(key_03.findings, "red-flag") == {fixture.key_arn, stranger} with input as document
}

test_unproven_when_nobody_s_access_was_evaluated if {
	document := object.union(used([by(fixture.broker_role)], {}), {"access": {"edges": [by(fixture.broker_role)], "trusts": [], "statements": [], "unknown": [["every principal", "no catalogue"]]}})
	fixture.key_arn in fixture.subjects_of(key_03.findings, "unproven") with input as document
}

test_unproven_key_in_use_that_was_not_read if {
	base := used([by(fixture.broker_role)], {})
	document := object.union(base, {"inventory": object.union(base.inventory, {
		"instances": [fixture.host],
		"volumes": [fixture.changed(fixture.volume, {"key_arn": "arn:aws:kms:eu-central-1:111122223333:key/other"})],
	})})
	"arn:aws:kms:eu-central-1:111122223333:key/other" in fixture.subjects_of(key_03.findings, "unproven") with input as document
}
