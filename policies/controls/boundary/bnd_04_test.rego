package cadastre.controls.bnd_04_test

import rego.v1

import data.cadastre.controls.bnd_04
import data.cadastre.lib.fixture

outsider := "arn:aws:iam::999988887777:role/control"

base := fixture.with_parts({
	"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key], "vendors": [fixture.vendor]},
	"inventory": {"buckets": [fixture.bucket], "keys": [fixture.key], "volumes": [fixture.volume], "snapshots": [fixture.snapshot], "instances": [fixture.host]},
	"coverage": fixture.account_answer("iam:GetAccountAuthorizationDetails", "identities"),
})

path(principal, side, capability, decision) := object.union(
	{
		"principal": principal,
		"side": side,
		"target": fixture.bucket_arn,
		"steps": [object.union({"from": principal, "capability": capability, "to": fixture.bucket_arn, "action": "s3:GetObject", "statements": []}, decision)],
		"cut": [{"policy": "p", "record": "r", "pointer": "/0"}],
		"cut_is_minimal": true,
		"evidence": ["r"],
	},
	decision,
)

reached_by(found) := object.union(base, {"graph": {"paths": [found]}})

test_pass_no_path_from_outside if {
	document := base
	count(bnd_04.findings) == 0 with input as document
	fixture.examined_subjects(bnd_04.subjects) == {fixture.bucket_arn, "vol-1", "snap-1"} with input as document
}

test_pass_paths_of_insiders_and_of_services_that_take_a_role if {
	document := reached_by(path("service:ec2.amazonaws.com", "provider", "assume", {"decision": "allow"}))
	count(bnd_04.findings) == 0 with input as document
	inside := reached_by(path(fixture.broker_role, "customer", "read-objects", {"decision": "allow"}))
	count(bnd_04.findings) == 0 with input as inside
}

test_red_vendor_reads_objects if {
	document := reached_by(path(outsider, "vendor", "read-objects", {"decision": "allow"}))
	found := bnd_04.findings with input as document
	fixture.subjects_of(found, "red-flag") == {outsider}
	some entry in found
	entry.path == ["arn:aws:iam::999988887777:role/control may read-objects arn:aws:s3:::records by s3:GetObject"]
	entry.fix == ["remove or narrow `p` at /0 of record r"]
	not fixture.bucket_arn in fixture.examined_subjects(bnd_04.subjects) with input as document
}

test_red_service_that_anybody_can_use if {
	document := reached_by(path("service:firehose.amazonaws.com", "provider", "read-objects", {"decision": "allow"}))
	fixture.subjects_of(bnd_04.findings, "red-flag") == {"service:firehose.amazonaws.com"} with input as document
}

test_red_unencrypted_snapshot_shared if {
	shared := fixture.changed(fixture.snapshot, {"encrypted": false, "shared_with": fixture.observed(["444455556666"])})
	document := object.union(base, {"inventory": {"snapshots": [shared]}})
	fixture.subjects_of(bnd_04.findings, "red-flag") == {"snap-1"} with input as document
}

test_unproven_path_that_is_not_settled if {
	document := reached_by(path(outsider, "vendor", "read-objects", {"decision": "unknown", "detail": "grants"}))
	fixture.subjects_of(bnd_04.findings, "unproven") == {outsider} with input as document
}

test_unproven_unknown_policies if {
	document := object.union(base, {"inventory": {
		"buckets": [fixture.changed(fixture.bucket, {"policy": fixture.unknown})],
		"keys": [fixture.changed(fixture.key, {"grants": fixture.unknown})],
		"snapshots": [fixture.changed(fixture.snapshot, {"shared_with": fixture.unknown})],
	}})
	fixture.subjects_of(bnd_04.findings, "unproven") == {fixture.bucket_arn, fixture.key_arn, "snap-1"} with input as document
}

test_unproven_principal_that_could_not_be_evaluated if {
	document := object.union(base, {"access": {"unknown": [["arn:aws:iam::111122223333:role/odd", "policy `x` is malformed"]]}})
	fixture.subjects_of(bnd_04.findings, "unproven") == {"arn:aws:iam::111122223333:role/odd"} with input as document
	count(bnd_04.subjects) == 0 with input as document
}

test_pass_open_question_about_a_key_of_somebody_else if {
	other := fixture.changed(fixture.key, {"arn": "arn:aws:kms:eu-central-1:111122223333:key/other", "aliases": []})
	document := object.union(base, {
		"inventory": {"keys": [fixture.key, other]},
		"access": {"unknown": [["arn:aws:kms:eu-central-1:111122223333:key/other", "denied"]]},
	})
	count(bnd_04.findings) == 0 with input as document
}

# One principal, several stores: one finding that lists them, and what each takes beyond the first.
test_red_several_stores_are_one_finding if {
	to_bucket := path(outsider, "vendor", "read-objects", {"decision": "allow"})
	to_disk := object.union(to_bucket, {
		"target": "vol-1",
		"steps": [object.union(to_bucket.steps[0], {"to": "vol-1", "action": "ec2:CreateSnapshot"})],
		"evidence": ["s"],
	})
	document := object.union(base, {"graph": {"paths": [to_disk, to_bucket]}})
	found := bnd_04.findings with input as document
	count(found) == 1
	some entry in found
	entry.message == "is outside the boundary and reaches the records in arn:aws:s3:::records, vol-1"
	entry.path == [
		"arn:aws:iam::999988887777:role/control may read-objects arn:aws:s3:::records by s3:GetObject",
		"for vol-1: arn:aws:iam::999988887777:role/control may read-objects vol-1 by ec2:CreateSnapshot",
	]
	entry.evidence == {"r", "s"}
	entry.fix == ["remove or narrow `p` at /0 of record r"]
}

test_red_paths_under_different_conditions_stay_apart if {
	certain := path(outsider, "vendor", "read-objects", {"decision": "allow"})
	limited := object.union(path(outsider, "vendor", "read-objects", {"decision": "conditional", "detail": "aws:SourceVpc in [vpc-1]"}), {"target": "vol-1"})
	document := object.union(base, {"graph": {"paths": [certain, limited]}})
	found := bnd_04.findings with input as document
	{entry.message | some entry in found} == {
		"is outside the boundary and reaches the records in arn:aws:s3:::records",
		"is outside the boundary and reaches the records in vol-1 when aws:SourceVpc in [vpc-1]",
	}
}
