package cadastre.controls.ext_05_test

import rego.v1

import data.cadastre.controls.ext_05
import data.cadastre.lib.documents_fixture
import data.cadastre.lib.fixture

step := {"step": "give notice", "owner": "procurement", "within": "1d"}

judged(changes) := documents_fixture.input_with([documents_fixture.document("exit-plan", "EXT-05", object.union({"steps": [step]}, changes))], {})

id := "document:exit-plan.md"

verdicts(document, verdict) := fixture.subjects_of(found, verdict) if found := ext_05.findings with input as document

test_pass_steps_owners_times if {
	document := judged({})
	found := ext_05.findings with input as document
	count(found) == 0
	fixture.examined_subjects(ext_05.subjects) == {id} with input as document
}

test_red_no_plan if verdicts(documents_fixture.input_with([], {}), "red-flag") == {"cluster:payments"}

test_red_no_plan_where_no_cluster_is_declared if {
	document := object.union(documents_fixture.input_with([], {}), {"declaration": {"clusters": []}})
	verdicts(document, "red-flag") == {"payments"}
}

test_unproven_a_broken_plan if {
	document := documents_fixture.input_with([], documents_fixture.broken)
	verdicts(document, "unproven") == {"cluster:payments"}
	verdicts(document, "red-flag") == set()
}

test_unproven_no_steps if verdicts(judged({"steps": []}), "unproven") == {id}

test_unproven_a_step_without_owner if verdicts(judged({"steps": [fixture.changed(step, {"owner": ""})]}), "unproven") == {id}

test_unproven_a_blank_section if {
	doc := documents_fixture.with_blank(documents_fixture.document("exit-plan", "EXT-05", {"steps": [step]}), "Data")
	verdicts(documents_fixture.input_with([doc], {}), "unproven") == {id}
}
