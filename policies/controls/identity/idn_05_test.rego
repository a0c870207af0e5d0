package cadastre.controls.idn_05_test

import rego.v1

import data.cadastre.controls.idn_05
import data.cadastre.lib.fixture

pipeline := "arn:aws:iam::111122223333:role/pipeline"

person := "arn:aws:iam::111122223333:role/duty"

judged(rows) := fixture.with_parts({
	"declaration": {
		"identities": [
			{"principal": fixture.broker_role, "job": "broker"},
			{"principal": pipeline, "job": "automation"},
			{"principal": person, "job": "operator"},
		],
		"keys": [fixture.declared_key],
		"stores": [fixture.declared_store],
		"vendors": [fixture.vendor],
	},
	"inventory": {"keys": [fixture.key], "buckets": [fixture.bucket]},
	"usage": {"rows": rows},
})

row(principal, state) := fixture.usage_row(principal, "decrypt", fixture.key_arn, state)

passes(rows) if {
	document := judged(rows)
	found := idn_05.findings with input as document
	count(found) == 0
}

is(rows, verdict, subject) if {
	document := judged(rows)
	fixture.subjects_of(idn_05.findings, verdict) == {subject} with input as document
}

test_pass_used if {
	passes([row(pipeline, "used")])
	document := judged([row(pipeline, "used")])
	fixture.examined_subjects(idn_05.subjects) == {pipeline} with input as document
}

test_pass_declared_as_needed if {
	passes([row(fixture.broker_role, "unused")])
	passes([object.union(fixture.usage_row(fixture.broker_role, "read-objects", fixture.bucket_arn, "unobserved"), {"blind": "why"})])
	needed := object.union(row(fixture.vendor_role, "unused"), {"granted": ["cloudwatch:GetMetricData"]})
	passes([needed])
}

test_pass_people_may_hold_what_they_seldom_use if passes([row(person, "unused")])

test_pass_what_no_trail_can_show if passes([fixture.usage_row(pipeline, "assume", person, "unobserved")])

test_red_unused if {
	is([row(pipeline, "unused"), row(person, "unused")], "red-flag", pipeline)
	is([row(fixture.vendor_role, "unused")], "red-flag", fixture.vendor_role)
}

test_red_used_and_not_granted if is([object.union(row(pipeline, "not-granted"), {"last": "2026-11-02T00:00:00Z", "used": {"kms:Decrypt": 3}})], "red-flag", pipeline)

test_unproven_not_granted_as_far_as_was_read if {
	base := judged([object.union(row(pipeline, "not-granted"), {"last": "2026-11-02T00:00:00Z", "used": {"kms:Decrypt": 3}})])
	document := object.union(base, {"gaps": [fixture.gap("iam:GetAccountAuthorizationDetails")]})
	fixture.subjects_of(idn_05.findings, "unproven") == {pipeline} with input as document
}

test_unproven_no_trail_would_show_it if is([object.union(row(pipeline, "unobserved"), {"blind": "no trail of 111122223333/eu-central-1 is in the evidence"})], "unproven", pipeline)
