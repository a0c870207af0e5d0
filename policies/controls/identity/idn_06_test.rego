package cadastre.controls.idn_06_test

import rego.v1

import data.cadastre.controls.idn_06
import data.cadastre.lib.fixture

host_arn := "arn:aws:ec2:eu-central-1:111122223333:instance/i-1"

operator := "arn:aws:iam::111122223333:role/operator"

alice := "arn:aws:iam::111122223333:user/alice"

user(key) := {"arn": alice, "kind": "user", "access_keys": fixture.observed([key]), "evidence": ["user"]}

key := {"id_suffix": "WXYZ", "status": "Active", "created": "2026-11-01T00:00:00Z", "last_used": fixture.absent}

operated(jobs, principal) := fixture.with_parts({
	"declaration": {"identities": [{"principal": operator, "job": job} | some job in jobs]},
	"inventory": {"instances": [fixture.host], "principals": [principal], "clusters": []},
	"access": {"edges": [
		fixture.edge(operator, "operate-host", host_arn, "ssm:StartSession"),
		fixture.edge(alice, "assume", operator, "sts:AssumeRole"),
	]},
	"graph": {"principals": [fixture.view(operator, "customer"), fixture.view(alice, "customer")]},
	"coverage": fixture.account_answer("iam:GetAccountAuthorizationDetails", "identities"),
})

known_host(jobs, principal) := object.union(operated(jobs, principal), {"declaration": {"identities": array.concat([{"principal": fixture.broker_role, "job": "broker"}], [{"principal": operator, "job": job} | some job in jobs])}})

test_pass_operator_told_apart_and_fresh_key if {
	document := known_host(["operator"], user(key))
	count(idn_06.findings) == 0 with input as document
	fixture.examined_subjects(idn_06.subjects) == {operator, alice} with input as document
}

test_red_old_key_that_reaches_by_taking_a_role if {
	document := known_host(["operator"], user(fixture.changed(key, {"created": "2026-01-01T00:00:00Z"})))
	fixture.subjects_of(idn_06.findings, "red-flag") == {alice} with input as document
}

test_pass_old_key_that_is_inactive if {
	document := known_host(["operator"], user(fixture.changed(key, {"created": "2026-01-01T00:00:00Z", "status": "Inactive"})))
	count(idn_06.findings) == 0 with input as document
}

test_red_person_and_machine_in_one if {
	document := known_host(["operator", "automation"], user(key))
	fixture.subjects_of(idn_06.findings, "red-flag") == {operator} with input as document
}

test_unproven_operator_that_is_not_declared if {
	document := known_host([], user(key))
	fixture.subjects_of(idn_06.findings, "unproven") == {operator} with input as document
}

test_unproven_unknown_keys if {
	document := known_host(["operator"], fixture.changed(user(key), {"access_keys": fixture.unknown}))
	fixture.subjects_of(idn_06.findings, "unproven") == {alice} with input as document
}
