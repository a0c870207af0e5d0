package cadastre.controls.bnd_03_test

import rego.v1

import data.cadastre.controls.bnd_03
import data.cadastre.lib.fixture

base := fixture.with_parts({
	"declaration": {"vendors": [fixture.vendor]},
	"coverage": fixture.account_answer("iam:GetAccountAuthorizationDetails", "identities"),
	"graph": {"principals": [fixture.view(fixture.vendor_role, "vendor")]},
})

reaching(decision) := object.union(base, {"graph": {"paths": [object.union(
	{
		"principal": fixture.vendor_role,
		"side": "vendor",
		"target": fixture.bucket_arn,
		"steps": [object.union(
			{"from": fixture.vendor_role, "capability": "read-objects", "to": fixture.bucket_arn, "action": "s3:GetObject", "statements": []},
			decision,
		)],
		"cut": [{"policy": "p", "record": "r", "pointer": "/0"}],
		"cut_is_minimal": true,
		"evidence": ["r"],
	},
	decision,
)]}})

test_pass_vendor_role_without_a_path if {
	document := base
	count(bnd_03.findings) == 0 with input as document
	fixture.examined_subjects(bnd_03.subjects) == {fixture.vendor_role} with input as document
}

test_red_vendor_role_with_a_path if {
	document := reaching({"decision": "allow"})
	found := bnd_03.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.vendor_role}
	some entry in found
	count(entry.path) == 1
	count(entry.fix) == 1
	count(bnd_03.subjects) == 0 with input as document
}

test_red_path_under_a_condition if {
	document := reaching({"decision": "conditional", "detail": "sts:ExternalId is x"})
	fixture.subjects_of(bnd_03.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_unproven_path_that_is_not_settled if {
	document := reaching({"decision": "unknown", "detail": "the bucket policy"})
	fixture.subjects_of(bnd_03.findings, "unproven") == {fixture.vendor_role} with input as document
}

test_unproven_when_a_policy_could_not_be_evaluated if {
	document := object.union(base, {"access": {"unknown": [[fixture.vendor_role, "element `X` is not known"]]}})
	fixture.subjects_of(bnd_03.findings, "unproven") == {fixture.vendor_role} with input as document
	count(bnd_03.subjects) == 0 with input as document
}
