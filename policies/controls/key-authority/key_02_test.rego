package cadastre.controls.key_02_test

import rego.v1

import data.cadastre.controls.key_02
import data.cadastre.lib.fixture

administrator := "arn:aws:iam::111122223333:role/key-administrator"

stranger := "arn:aws:iam::111122223333:role/stranger"

managed(edges, changes) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key], "vendors": [fixture.vendor]},
	"inventory": {"keys": [fixture.changed(fixture.key, changes)]},
	"access": {"edges": edges},
	"graph": {"principals": [fixture.view(fixture.vendor_role, "vendor"), fixture.view(administrator, "customer"), fixture.view(stranger, "customer")]},
})

by(principal) := fixture.edge(principal, "manage-key", fixture.key_arn, "kms:PutKeyPolicy")

is_red(edges) if {
	document := managed(edges, {})
	found := key_02.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.key_arn}
}

test_pass_declared_administrator if {
	document := managed([by(administrator)], {})
	count(key_02.findings) == 0 with input as document
	fixture.examined_subjects(key_02.subjects) == {fixture.key_arn} with input as document
}

test_pass_grants_for_resources_of_the_provider if {
	edge := fixture.edge_when(stranger, "manage-key", fixture.key_arn, "kms:CreateGrant", "conditional", "kms:GrantIsForAWSResource is true")
	document := managed([edge], {})
	count(key_02.findings) == 0 with input as document
}

test_red_vendor if is_red([by(fixture.vendor_role)])

test_red_anybody if is_red([by("*")])

test_red_customer_who_is_not_declared if is_red([by(stranger)])

test_red_vendor_under_a_condition if is_red([fixture.edge_when(fixture.vendor_role, "manage-key", fixture.key_arn, "kms:CreateGrant", "conditional", "kms:GrantIsForAWSResource is true")])

test_unproven_unknown_policy_or_grants if {
	document := managed([], {"policy": fixture.unknown})
	fixture.subjects_of(key_02.findings, "unproven") == {fixture.key_arn} with input as document
	other := managed([], {"grants": fixture.unknown})
	fixture.subjects_of(key_02.findings, "unproven") == {fixture.key_arn} with input as other
}

test_unproven_declared_key_that_was_not_found if {
	document := managed([], {"aliases": []})
	fixture.subjects_of(key_02.findings, "unproven") == {"alias/data"} with input as document
}
