package cadastre.controls.idn_01_test

import rego.v1

import data.cadastre.controls.idn_01
import data.cadastre.lib.fixture

principal := {"arn": fixture.vendor_role, "kind": "role", "policies": fixture.observed([]), "trust": fixture.observed({}), "evidence": ["identities"]}

statement := {
	"principal": fixture.vendor_role, "effect": "Allow", "actions": ["cloudwatch:GetMetricData"], "not_actions": [],
	"resources": ["*"], "not_resources": [], "condition_keys": [], "at": {"policy": "p", "record": "r", "pointer": "/0"},
}

granting(change) := fixture.with_parts({
	"declaration": {"vendors": [fixture.vendor]},
	"inventory": {"principals": [principal]},
	"access": {"statements": [fixture.changed(statement, change)]},
})

test_pass_declared_actions if {
	document := granting({})
	count(idn_01.findings) == 0 with input as document
	fixture.examined_subjects(idn_01.subjects) == {fixture.vendor_role} with input as document
}

test_pass_no_vendor_at_all if {
	document := fixture.with_parts({"coverage": fixture.account_answer("iam:GetAccountAuthorizationDetails", "identities")})
	subjects := idn_01.subjects with input as document
	fixture.examined_subjects(subjects) == {"account:111122223333"}
}

is_red(change) if {
	document := granting(change)
	found := idn_01.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.vendor_role}
}

test_red_action_beyond_the_declared if is_red({"actions": ["cloudwatch:GetMetricData", "cloudwatch:PutMetricData"]})

test_red_wildcard_action if is_red({"actions": ["s3:Get*"], "resources": ["arn:aws:s3:::x/*"]})

test_red_everything if is_red({"actions": ["*"]})

test_red_not_action if is_red({"actions": [], "not_actions": ["iam:*"]})

test_red_wildcard_resource if is_red({"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::*"]})

test_red_not_resource if is_red({"actions": ["kms:Decrypt"], "resources": [], "not_resources": ["x"]})

test_red_undeclared_trust if {
	trust := {"role": "arn:aws:iam::111122223333:role/other", "principal": "arn:aws:iam::444455556666:role/x", "account": "444455556666", "action": "sts:AssumeRole", "condition_keys": [], "decision": "allow", "at": {"policy": "t", "record": "r", "pointer": "/0"}}
	base := granting({})
	document := object.union(base, {"access": {"trusts": [trust]}})
	fixture.subjects_of(idn_01.findings, "red-flag") == {"arn:aws:iam::111122223333:role/other"} with input as document
}

test_unproven_unknown_policies if {
	base := granting({})
	document := object.union(base, {"inventory": {"principals": [fixture.changed(principal, {"policies": fixture.unknown})]}})
	fixture.subjects_of(idn_01.findings, "unproven") == {fixture.vendor_role} with input as document
}

test_unproven_declared_role_that_was_not_seen if {
	base := granting({})
	document := object.union(base, {"inventory": {"principals": []}})
	fixture.subjects_of(idn_01.findings, "unproven") == {fixture.vendor_role} with input as document
}

test_red_deny_that_another_action_walks_around if {
	base := granting({})
	document := object.union(base, {"access": {"guards": [fixture.guard(fixture.vendor_role, "walked-around")]}})
	fixture.subjects_of(idn_01.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_pass_idle_deny_of_somebody_else if {
	base := granting({})
	document := object.union(base, {"access": {"guards": [fixture.guard(fixture.broker_role, "walked-around")]}})
	count(idn_01.findings) == 0 with input as document
}
