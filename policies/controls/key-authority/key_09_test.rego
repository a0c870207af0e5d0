package cadastre.controls.key_09_test

import rego.v1

import data.cadastre.controls.key_09
import data.cadastre.lib.documents_fixture
import data.cadastre.lib.fixture

followed := {
	"drills": ["certificate-rotation"],
	"last-exercised": "2026-11-20",
	"operations": [{"operation": "rotate-certificates", "by": "customer"}],
}

exercised(outcome, at) := {"inventory": {"drills": [documents_fixture.drill("certificate-rotation", outcome, at)]}}

good := exercised("passed", "2026-11-20T09:00:00Z")

judged(changes, parts) := documents_fixture.input_with([documents_fixture.document("runbook", "KEY-09", object.union(followed, changes))], parts)

id := "document:runbook.md"

unproven(document, reason) if {
	found := key_09.findings with input as document
	fixture.subjects_of(found, "unproven") == {id}
	fixture.subjects_of(found, "red-flag") == set()
	some finding in found
	contains(finding.message, reason)
}

test_pass_owned_and_exercised if {
	document := judged({}, good)
	found := key_09.findings with input as document
	count(found) == 0
	fixture.examined_subjects(key_09.subjects) == {id} with input as document
}

test_red_no_runbook if {
	document := documents_fixture.input_with([documents_fixture.document("runbook", "OPS-01", followed)], good)
	found := key_09.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"cluster:payments"}
	some finding in found
	finding.message == "no runbook says how its certificates are rotated"
}

test_red_the_vendor_alone if {
	document := judged({"operations": [{"operation": "rotate-certificates", "by": "vendor"}]}, good)
	fixture.subjects_of(key_09.findings, "red-flag") == {id} with input as document
}

test_unproven_where_a_document_is_broken if {
	document := documents_fixture.input_with([], documents_fixture.broken)
	found := key_09.findings with input as document
	fixture.subjects_of(found, "red-flag") == set()
	fixture.subjects_of(found, "unproven") == {"cluster:payments"}
}

test_unproven_blanks if {
	unproven(judged({"owner": " "}, good), "has no owner")
	unproven(judged({"operations": []}, good), "does not say who may `rotate-certificates`")
	unproven(judged({"drills": ["clients"]}, {"inventory": {"drills": [documents_fixture.drill("clients", "passed", "2026-11-20T09:00:00Z")]}}), "names no drill `certificate-rotation`")
}

test_unproven_without_its_drill if {
	unproven(judged({}, {}), "of which there is no record on cluster:payments")
	unproven(judged({}, exercised("failed", "2026-11-20T09:00:00Z")), "ended as `failed`")
	unproven(judged({}, exercised("not-exercised", "2026-11-20T09:00:00Z")), "ended as `not-exercised`")
	unproven(judged({"last-exercised": null}, exercised("passed", "2026-05-01T00:00:00Z")), "longer ago than the 180 days")
}

test_unproven_a_drill_that_followed_no_page if {
	document := judged({"drills": []}, good)
	found := key_09.findings with input as document
	fixture.subjects_of(found, "unproven") == {id, "cluster:payments"}
}
