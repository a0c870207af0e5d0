package cadastre.controls.key_07_test

import rego.v1

import data.cadastre.controls.key_07
import data.cadastre.lib.fixture

joined(change) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key], "stores": [fixture.declared_store]},
	"inventory": {
		"keys": [fixture.key],
		"buckets": [fixture.bucket],
		"key_reconciliations": [fixture.changed(fixture.reconciliation, change)],
	},
})

is(change, verdict) if {
	document := joined(change)
	found := key_07.findings with input as document
	{finding.verdict | some finding in found} == {verdict}
	{finding.subject | some finding in found} == {fixture.key_arn}
}

test_pass_every_use_has_its_entry if {
	document := joined({"attempts": [fixture.lone_use(fixture.vendor_role, null)]})
	found := key_07.findings with input as document
	count(found) == 0
	fixture.examined_subjects(key_07.subjects) == {fixture.key_arn} with input as document
}

test_red_a_use_without_an_entry if {
	is({"unexplained": [fixture.lone_use(fixture.broker_role, null)]}, "red-flag")
	is({"unexplained": [fixture.lone_use(fixture.vendor_role, "s3.amazonaws.com")]}, "red-flag")
}

test_red_an_altered_ledger if is({"broken": ["line 7: it does not name the line before"]}, "red-flag")

test_unproven_a_service_on_behalf_of_a_declared_user if {
	is({"unexplained": [fixture.lone_use(fixture.broker_role, "s3.amazonaws.com")]}, "unproven")
}

test_unproven_an_entry_that_the_trail_lacks if is({"unseen": [fixture.lone_use(null, null)]}, "unproven")

test_unproven_an_incomplete_ledger if is({"incomplete": ["the ledger begins with entry 3"]}, "unproven")

test_unproven_no_ledger if is({"keys": []}, "unproven")

test_unproven_no_trail if {
	document := object.union(joined({}), {"usage": {"unseen_keys": [fixture.doubt(fixture.key_arn)]}})
	fixture.subjects_of(key_07.findings, "unproven") == {fixture.key_arn} with input as document
}
