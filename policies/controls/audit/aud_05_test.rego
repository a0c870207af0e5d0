package cadastre.controls.aud_05_test

import rego.v1

import data.cadastre.controls.aud_05
import data.cadastre.lib.fixture

acted(acts, doubts) := fixture.with_parts({
	"declaration": {"vendors": [fixture.vendor]},
	"usage": {"vendors": acts, "doubts": doubts},
	"coverage": object.union(fixture.answer("trail:VerifyFiles", "check"), fixture.answer("trail:ListActivity", "activity")),
})

test_pass_what_a_function_needs if {
	document := acted([fixture.vendor_act("cloudwatch:GetMetricData", "support sees metrics")], [])
	found := aud_05.findings with input as document
	count(found) == 0
	fixture.examined_subjects(aud_05.subjects) == {"streamco"} with input as document
}

test_red_what_nothing_explains if {
	document := acted([fixture.vendor_act("s3:GetObject", null)], [])
	fixture.subjects_of(aud_05.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_red_what_was_refused if {
	document := acted([fixture.changed(fixture.vendor_act("s3:GetObject", null), {"error": "AccessDenied"})], [])
	found := aud_05.findings with input as document
	some finding in found
	contains(finding.path[0], "tried, and was refused (AccessDenied)")
}

test_unproven_trail_in_doubt if {
	document := acted([], [fixture.doubt("111122223333/us-east-1")])
	fixture.subjects_of(aud_05.findings, "unproven") == {"streamco"} with input as document
}

test_pass_nothing_to_judge_without_vendors if {
	document := fixture.with_parts({"coverage": fixture.answer("trail:VerifyFiles", "check")})
	aud_05.applicable == false with input as document
}
