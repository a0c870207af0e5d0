package cadastre.controls.sem_05_test

import rego.v1

import data.cadastre.controls.sem_05
import data.cadastre.lib.documents_fixture
import data.cadastre.lib.fixture

planned := {
	"groups": [{"name": "canary", "principals": ["User:ledger"]}, {"name": "rest", "principals": ["User:billing"]}],
	"deciders": [{"decision": decision, "role": "platform lead"} | some decision in ["pause", "promote", "roll-back"]],
}

judged(changes) := documents_fixture.input_with([documents_fixture.document("migration-plan", "SEM-05", object.union(planned, changes))], {})

id := "document:migration-plan.md"

verdicts(document, verdict) := fixture.subjects_of(found, verdict) if found := sem_05.findings with input as document

test_pass_in_groups if {
	document := judged({})
	found := sem_05.findings with input as document
	count(found) == 0
	fixture.examined_subjects(sem_05.subjects) == {id} with input as document
}

test_red_in_one_step if {
	verdicts(judged({"groups": [{"name": "all", "principals": ["User:ledger", "User:billing"]}]}), "red-flag") == {id}
}

test_red_in_one_step_under_two_names if {
	groups := [{"name": "all", "principals": ["User:ledger", "User:billing"]}, {"name": "again", "principals": ["User:billing"]}]
	verdicts(judged({"groups": groups}), "red-flag") == {id}
}

test_unproven_no_plan if verdicts(documents_fixture.input_with([], {}), "unproven") == {"cluster:payments"}

test_unproven_a_workload_is_left_behind if {
	groups := [{"name": "canary", "principals": ["User:ledger"]}, {"name": "rest", "principals": ["User:other"]}]
	verdicts(judged({"groups": groups}), "unproven") == {id}
}

test_unproven_nobody_may_roll_back if {
	verdicts(judged({"deciders": [{"decision": "pause", "role": "lead"}, {"decision": "promote", "role": "lead"}, {"decision": "roll-back", "role": ""}]}), "unproven") == {id}
}

test_unproven_an_empty_group if {
	groups := array.concat(planned.groups, [{"name": "late", "principals": []}])
	verdicts(judged({"groups": groups}), "unproven") == {id}
}
