package cadastre.controls.aud_03_test

import rego.v1

import data.cadastre.controls.aud_03
import data.cadastre.lib.fixture

checked(check, doubts, trail) := fixture.with_parts({
	"inventory": {"trail_checks": [fixture.changed(fixture.trail_check, check)], "trails": [fixture.changed(fixture.trail, trail)]},
	"usage": {"doubts": doubts},
})

region := "111122223333/eu-central-1"

test_pass_whole_files if {
	document := checked({}, [], {})
	found := aud_03.findings with input as document
	count(found) == 0
	fixture.examined_subjects(aud_03.subjects) == {region} with input as document
}

test_red_something_wrong if {
	document := checked({"valid": false, "wrong": true, "problems": ["log-hash: `a.json.gz`: changed"]}, [fixture.doubt(region)], {})
	found := aud_03.findings with input as document
	fixture.subjects_of(found, "red-flag") == {region}
	fixture.subjects_of(found, "unproven") == set()
}

test_red_no_digests if {
	document := checked({}, [], {"log_file_validation": false})
	fixture.subjects_of(aud_03.findings, "red-flag") == {fixture.trail.arn} with input as document
}

test_unproven_in_doubt if {
	document := checked({}, [fixture.doubt(region)], {})
	fixture.subjects_of(aud_03.findings, "unproven") == {region} with input as document
}

test_unproven_not_checked if {
	document := checked({"valid": false, "problems": ["not checked: `a.json.gz`: cannot be read"]}, [], {})
	fixture.subjects_of(aud_03.findings, "unproven") == {region} with input as document
}
