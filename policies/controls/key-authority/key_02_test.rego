package cadastre.controls.key_02_test

import rego.v1

import data.cadastre.controls.key_02
import data.cadastre.lib.fixture

administrator := "arn:aws:iam::111122223333:role/key-administrator"

stranger := "arn:aws:iam::111122223333:role/stranger"

managed(edges, changes) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key], "vendors": [fixture.vendor]},
	"inventory": {"keys": [fixture.changed(fixture.key, changes)]},
	"access": {"edges": edges},
	"graph": {"principals": [fixture.view(fixture.vendor_role, "vendor"), fixture.view(administrator, "customer"), fixture.view(stranger, "customer")]},
})

by(principal) := fixture.edge(principal, "manage-key", fixture.key_arn, "kms:PutKeyPolicy")

is_red(edges) if {
	document := managed(edges, {})
	found := key_02.findings with input as document
	fixture.subjects_of(found, "red-flag") == {fixture.key_arn} | {edge.principal | some edge in edges}
}

test_pass_declared_administrator if {
	document := managed([by(administrator)], {})
	count(key_02.findings) == 0 with input as document
	fixture.examined_subjects(key_02.subjects) == {fixture.key_arn, administrator} with input as document
}

test_pass_root_of_a_declared_account if {
	document := managed([by("account:111122223333")], {})
	count(key_02.findings) == 0 with input as document
}

test_red_vendor if is_red([by(fixture.vendor_role)])

test_red_anybody if is_red([by("*")])

test_red_customer_who_is_not_declared if is_red([by(stranger)])

test_red_vendor_under_a_condition if is_red([fixture.edge_when(fixture.vendor_role, "manage-key", fixture.key_arn, "kms:CreateGrant", "conditional", "kms:GrantIsForAWSResource is true")])

test_unproven_unknown_policy_or_grants if {
	document := managed([], {"policy": fixture.unknown})
	fixture.subjects_of(key_02.findings, "unproven") == {fixture.key_arn} with input as document
	other := managed([], {"grants": fixture.unknown})
	fixture.subjects_of(key_02.findings, "unproven") == {fixture.key_arn} with input as other
}

test_unproven_declared_key_that_was_not_found if {
	document := managed([], {"aliases": []})
	fixture.subjects_of(key_02.findings, "unproven") == {"alias/data"} with input as document
}

operator := "arn:aws:iam::111122223333:role/operator"

# The data key with one statement in its policy, and an edge that it gives.
through(statement, principal, decision, detail) := object.union(
	managed([object.union(
		fixture.edge_when(principal, "manage-key", fixture.key_arn, "kms:CreateGrant", decision, detail),
		{"statements": [{"policy": "key-policy", "record": "policy-record", "pointer": "/response/Policy/Statement/0"}]},
	)], {"policy": fixture.policy("key-policy", {"Version": "2012-10-17", "Statement": [statement]})}),
	{"declaration": object.union(
		fixture.empty.declaration,
		{"keys": [fixture.declared_key], "vendors": [fixture.vendor], "identities": [{"principal": operator, "job": "operator"}]},
	)},
)

for_disks(value) := {"Effect": "Allow", "Principal": {"AWS": operator}, "Action": "kms:CreateGrant", "Resource": "*", "Condition": {"Bool": {"kms:GrantIsForAWSResource": value}}}

test_pass_operator_whose_grants_serve_the_provider_alone if {
	document := through(for_disks("true"), operator, "conditional", "kms:GrantIsForAWSResource is true")
	count(key_02.findings) == 0 with input as document
}

test_red_operator_whose_grants_serve_anybody_but_the_provider if {
	document := through(for_disks("false"), operator, "conditional", "kms:GrantIsForAWSResource is false")
	fixture.key_arn in fixture.subjects_of(key_02.findings, "red-flag") with input as document
}

test_red_condition_that_another_one_may_stand_for if {
	document := through(
		fixture.changed(for_disks("true"), {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "kms:GrantIsForAWSResource is true"}}}),
		operator, "conditional", "aws:PrincipalTag/team in [kms:GrantIsForAWSResource is true]",
	)
	fixture.key_arn in fixture.subjects_of(key_02.findings, "red-flag") with input as document
}

test_red_grants_for_the_provider_by_somebody_who_operates_nothing if {
	document := through(for_disks("true"), stranger, "conditional", "kms:GrantIsForAWSResource is true")
	fixture.key_arn in fixture.subjects_of(key_02.findings, "red-flag") with input as document
}

test_red_service_that_is_not_declared_under_a_condition if {
	edge := fixture.edge_when("service:example.amazonaws.com", "manage-key", fixture.key_arn, "kms:PutKeyPolicy", "conditional", "aws:SourceAccount in [111122223333]")
	is_red([edge])
}

test_unproven_when_nobody_s_access_was_evaluated if {
	document := object.union(managed([], {}), {"access": {"edges": [], "trusts": [], "statements": [], "unknown": [["every principal", "no catalogue"]]}})
	fixture.key_arn in fixture.subjects_of(key_02.findings, "unproven") with input as document
}

test_unproven_key_in_use_that_was_not_read if {
	base := managed([], {})
	document := object.union(base, {"inventory": object.union(base.inventory, {
		"instances": [fixture.host],
		"volumes": [fixture.changed(fixture.volume, {"key_arn": "arn:aws:kms:eu-central-1:111122223333:key/other"})],
	})})
	"arn:aws:kms:eu-central-1:111122223333:key/other" in fixture.subjects_of(key_02.findings, "unproven") with input as document
}

test_red_deny_in_the_key_policy_that_protects_nothing if {
	document := fixture.with_parts({
		"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key]},
		"inventory": {"buckets": [fixture.bucket], "keys": [fixture.key]},
		"access": {"guards": [fixture.guard(fixture.key_arn, "names-nothing")]},
	})
	found := key_02.findings with input as document
	fixture.key_arn in fixture.subjects_of(found, "red-flag")
}
