package cadastre.controls.aud_07_test

import rego.v1

import data.cadastre.controls.aud_07
import data.cadastre.lib.fixture

scanner := "arn:aws:iam::111122223333:role/audit/cadastre-scanner"

session := "arn:aws:sts::111122223333:assumed-role/cadastre-scanner/cadastre"

principal := {"arn": scanner, "kind": "role", "account": fixture.account, "name": "cadastre-scanner", "policies": fixture.observed([]), "evidence": ["identities"]}

statement(actions) := {
	"principal": scanner, "effect": "Allow", "actions": actions, "not_actions": [],
	"resources": ["*"], "not_resources": [], "condition_keys": [], "at": {"policy": "p", "record": "r", "pointer": "/0"},
}

scanned(parts) := object.union(
	fixture.with_parts({
		"declaration": {"evidence": {"maximum-age": 86400, "callers": [scanner, "User:scanner"]}},
		"inventory": {"principals": [principal]},
		"access": {"statements": [statement(["iam:Get*", "kms:ListKeys", "ec2:Describe*", "iam:GenerateCredentialReport"])]},
		"coverage": fixture.account_answer("sts:GetCallerIdentity", "caller"),
		"evidence": {"callers": [session]},
		"required": ["kms:ListKeys"],
	}),
	parts,
)

is_red(parts, subject) if {
	document := scanned(parts)
	found := aud_07.findings with input as document
	fixture.subjects_of(found, "red-flag") == {subject}
}

is_unproven(parts, subject) if {
	document := scanned(parts)
	found := aud_07.findings with input as document
	fixture.subjects_of(found, "unproven") == {subject}
}

test_pass_declared_reader if {
	document := scanned({})
	count(aud_07.findings) == 0 with input as document
	fixture.examined_subjects(aud_07.subjects) == {session} with input as document
}

test_red_writes_objects if is_red({"access": {"edges": [fixture.edge(scanner, "write-objects", fixture.bucket_arn, "s3:PutObject")]}}, session)

test_red_granted_more_than_reading if is_red({"access": {"statements": [statement(["iam:Get*", "dynamodb:PutItem"])]}}, session)

test_red_granted_everything if is_red({"access": {"statements": [statement(["*"])]}}, session)

test_red_granted_a_whole_service if is_red({"access": {"statements": [statement(["kms:*"])]}}, session)

test_red_kafka_scanner_that_may_write if {
	document := object.union(
		fixture.kafka({"acls": fixture.observed([fixture.binding("User:scanner", "WRITE", "TOPIC", "payments")])}),
		{"declaration": {"evidence": {"maximum-age": 86400, "callers": ["User:scanner"]}}, "evidence": {"callers": ["User:scanner"]}},
	)
	fixture.subjects_of(aud_07.findings, "red-flag") == {"User:scanner"} with input as document
}

test_pass_kafka_scanner_that_describes if {
	document := object.union(fixture.kafka({}), {"declaration": {"evidence": {"maximum-age": 86400, "callers": ["User:scanner"]}}, "evidence": {"callers": ["User:scanner"]}})
	count(aud_07.findings) == 0 with input as document
}

test_unproven_call_without_answer if is_unproven({"gaps": [fixture.gap("kms:ListKeys")]}, "111122223333/eu-central-1")

test_pass_gap_that_no_control_needs if {
	document := scanned({"gaps": [fixture.gap("s3:GetBucketTagging")]})
	count(aud_07.findings) == 0 with input as document
}

test_unproven_caller_that_is_not_declared if is_unproven({"declaration": {"evidence": {"callers": []}}}, session)

test_unproven_caller_whose_role_was_not_seen if {
	document := scanned({"inventory": {"principals": []}, "declaration": {"evidence": {"callers": ["arn:aws:iam::111122223333:role/cadastre-scanner"]}}})
	fixture.subjects_of(aud_07.findings, "unproven") == {session} with input as document
}

test_unproven_interrupted_scan if is_unproven({"evidence": {"complete": false}}, "payments")
