package cadastre.controls.idn_03_test

import rego.v1

import data.cadastre.controls.idn_03
import data.cadastre.lib.fixture

principal := {"arn": fixture.vendor_role, "kind": "role", "policies": fixture.observed([]), "boundary": fixture.absent, "evidence": ["identities"]}

statement(actions) := {
	"principal": fixture.vendor_role, "effect": "Allow", "actions": actions, "not_actions": [],
	"resources": ["*"], "not_resources": [], "condition_keys": [], "at": {"policy": "p", "record": "r", "pointer": "/0"},
}

watching(change, parts) := object.union(
	fixture.with_parts({
		"declaration": {"vendors": [fixture.vendor]},
		"inventory": {"principals": [fixture.changed(principal, change)]},
		"graph": {"principals": [fixture.view(fixture.vendor_role, "vendor")]},
	}),
	parts,
)

test_pass_no_step if {
	document := watching({}, {"access": {"edges": [fixture.edge(fixture.vendor_role, "assume", "arn:aws:iam::111122223333:role/x", "sts:AssumeRole")]}})
	count(idn_03.findings) == 0 with input as document
	fixture.examined_subjects(idn_03.subjects) == {fixture.vendor_role} with input as document
}

test_red_changes_a_policy if {
	document := watching({}, {"access": {"edges": [fixture.edge(fixture.vendor_role, "change-policy", fixture.bucket_arn, "s3:PutBucketPolicy")]}})
	fixture.subjects_of(idn_03.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_red_passes_a_role if {
	document := watching({}, {"access": {"edges": [fixture.edge(fixture.vendor_role, "assume", fixture.broker_role, "iam:PassRole and ec2:RunInstances")]}})
	fixture.subjects_of(idn_03.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_red_written_step_without_boundary if {
	document := watching({}, {"access": {"statements": [statement(["iam:Put*"])]}})
	fixture.subjects_of(idn_03.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_red_everything_but_a_list if {
	document := watching({}, {"access": {"statements": [fixture.changed(statement([]), {"not_actions": ["s3:*"]})]}})
	fixture.subjects_of(idn_03.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_pass_written_step_that_a_boundary_limits if {
	document := watching({"boundary": fixture.policy("b", {})}, {"access": {"statements": [statement(["iam:PutRolePolicy"])]}})
	count(idn_03.findings) == 0 with input as document
}

test_red_pipeline if {
	pipeline := "arn:aws:iam::111122223333:role/deploy"
	document := watching({}, {
		"declaration": {"identities": [{"principal": pipeline, "job": "automation"}]},
		"inventory": {"principals": [fixture.changed(principal, {"arn": pipeline})]},
		"access": {"edges": [fixture.edge(pipeline, "manage-key", fixture.key_arn, "kms:CreateGrant")]},
	})
	fixture.subjects_of(idn_03.findings, "red-flag") == {pipeline} with input as document
}

test_unproven_open_edge if {
	document := watching({}, {"access": {"edges": [fixture.edge_when(fixture.vendor_role, "manage-key", fixture.key_arn, "kms:CreateGrant", "unknown", "grants")]}})
	fixture.subjects_of(idn_03.findings, "unproven") == {fixture.vendor_role} with input as document
}

test_unproven_unknown_policies if {
	document := watching({"policies": fixture.unknown}, {})
	fixture.subjects_of(idn_03.findings, "unproven") == {fixture.vendor_role} with input as document
}

test_red_boundary_that_it_can_take_off if {
	document := watching({}, {"access": {"guards": [fixture.guard(fixture.vendor_role, "removable")]}})
	fixture.subjects_of(idn_03.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_pass_idle_deny_raises_nothing if {
	document := watching({}, {"access": {"guards": [fixture.guard(fixture.vendor_role, "names-nothing")]}})
	count(idn_03.findings) == 0 with input as document
}
