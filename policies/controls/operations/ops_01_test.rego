package cadastre.controls.ops_01_test

import rego.v1

import data.cadastre.controls.ops_01
import data.cadastre.lib.documents_fixture
import data.cadastre.lib.fixture

followed := {
	"drills": ["upgrade-rollback"],
	"last-exercised": "2026-11-20",
	"operations": [{"operation": "upgrade", "by": "customer"}, {"operation": "recover", "by": "customer"}],
}

exercised(outcome, at) := {"inventory": {"drills": [documents_fixture.drill("upgrade-rollback", outcome, at)]}}

good := exercised("passed", "2026-11-20T09:00:00Z")

judged(changes, parts) := documents_fixture.input_with([documents_fixture.document("runbook", "OPS-01", object.union(followed, changes))], parts)

id := "document:runbook.md"

unproven(document, reason) if {
	found := ops_01.findings with input as document
	fixture.subjects_of(found, "unproven") == {id}
	fixture.subjects_of(found, "red-flag") == set()
	some finding in found
	contains(finding.message, reason)
}

test_pass_exercised_and_measured if {
	document := judged({}, good)
	found := ops_01.findings with input as document
	count(found) == 0
	fixture.examined_subjects(ops_01.subjects) == {id} with input as document
}

test_red_no_runbook if {
	document := documents_fixture.input_with([], {})
	fixture.subjects_of(ops_01.findings, "red-flag") == {"cluster:payments"} with input as document
}

test_red_no_runbook_for_this_cluster if {
	base := judged({"clusters": ["payments"]}, good)
	other := fixture.changed(documents_fixture.cluster, {"name": "orders"})
	document := object.union(base, {"declaration": {"clusters": [documents_fixture.cluster, other]}})
	fixture.subjects_of(ops_01.findings, "red-flag") == {"cluster:orders"} with input as document
}

test_red_steps_of_the_vendor_alone if {
	document := judged({"operations": [{"operation": "upgrade", "by": "vendor"}, {"operation": "recover", "by": "customer"}]}, good)
	fixture.subjects_of(ops_01.findings, "red-flag") == {id} with input as document
}

test_unproven_where_a_document_is_broken if {
	document := documents_fixture.input_with([], documents_fixture.broken)
	found := ops_01.findings with input as document
	fixture.subjects_of(found, "red-flag") == set()
	fixture.subjects_of(found, "unproven") == {"cluster:payments"}
	some finding in found
	contains(finding.message, "a.md:3:1")
}

test_unproven_blanks if {
	unproven(judged({"owner": " "}, good), "has no owner")
	unproven(judged({"contacts": [{"role": "on call", "reach": ""}]}, good), "nobody to turn to")
	unproven(judged({"last-reviewed": null}, good), "never reviewed")
	unproven(judged({"operations": []}, good), "does not say who may `upgrade`")
	doc := documents_fixture.document("runbook", "OPS-01", followed)
	unproven(documents_fixture.input_with([documents_fixture.with_blank(doc, "Rollback")], good), "leaves `Rollback` (line 20)")
	unproven(documents_fixture.input_with([fixture.changed(doc, {"sections": []})], good), "has no section `Steps`")
}

test_unproven_age if {
	unproven(judged({"last-reviewed": "2025-11-01"}, good), "longer ago than the 365 days")
	unproven(judged({"last-reviewed": "2026-11-23"}, good), "after the time judged for")
	unproven(judged({"last-exercised": null}, exercised("passed", "2026-05-01T00:00:00Z")), "longer ago than the 180 days")
}

test_unproven_without_its_drill if {
	unproven(judged({}, {}), "of which there is no record on cluster:payments")
	unproven(judged({}, exercised("failed", "2026-11-20T09:00:00Z")), "ended as `failed`")
	unproven(judged({"last-exercised": "2026-11-21"}, good), "the newest drill is older")
	unproven(judged({"drill-records": ["sha256:nothing"]}, good), "names the drill record sha256:nothing")
	unproven(judged({}, {"inventory": {"drills": [fixture.changed(documents_fixture.drill("upgrade-rollback", "passed", "2026-11-20T09:00:00Z"), {"measurements": {}})]}}), "did not measure the way back")
}

test_unproven_a_drill_that_followed_no_page if {
	document := judged({"drills": []}, good)
	found := ops_01.findings with input as document
	fixture.subjects_of(found, "unproven") == {id, "cluster:payments"}
}

test_unproven_a_cluster_that_is_none if unproven(judged({"clusters": ["payments", "orders"]}, good), "orders, which is no declared cluster")
