package cadastre.controls.bnd_02_test

import rego.v1

import data.cadastre.controls.bnd_02
import data.cadastre.lib.fixture

in_account(changes) := fixture.with_parts({
	"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key]},
	"inventory": object.union({"buckets": [fixture.bucket], "keys": [fixture.key], "instances": [fixture.host], "volumes": [fixture.volume], "snapshots": [fixture.snapshot]}, changes),
})

test_pass_everything_in_the_declared_region if {
	document := in_account({})
	count(bnd_02.findings) == 0 with input as document
	fixture.examined_subjects(bnd_02.subjects) == {"i-1", "vol-1", "snap-1", fixture.bucket_arn, fixture.key_arn} with input as document
}

test_red_bucket_elsewhere if {
	document := in_account({"buckets": [fixture.changed(fixture.bucket, {"region": fixture.observed("us-east-1")})]})
	fixture.subjects_of(bnd_02.findings, "red-flag") == {fixture.bucket_arn} with input as document
}

test_red_replica_elsewhere if {
	copy := fixture.changed(fixture.bucket, {"arn": "arn:aws:s3:::copy", "name": "copy", "region": fixture.observed("us-east-1")})
	source := fixture.changed(fixture.bucket, {"replication_destinations": fixture.observed(["arn:aws:s3:::copy"])})
	document := in_account({"buckets": [source, copy]})
	fixture.subjects_of(bnd_02.findings, "red-flag") == {fixture.bucket_arn} with input as document
}

test_red_key_replica_elsewhere if {
	document := in_account({"keys": [fixture.changed(fixture.key, {"replica_regions": ["us-east-1"]})]})
	fixture.subjects_of(bnd_02.findings, "red-flag") == {fixture.key_arn} with input as document
}

test_unproven_replica_that_was_not_seen if {
	source := fixture.changed(fixture.bucket, {"replication_destinations": fixture.observed(["arn:aws:s3:::copy"])})
	document := in_account({"buckets": [source]})
	fixture.subjects_of(bnd_02.findings, "unproven") == {fixture.bucket_arn} with input as document
}

test_unproven_when_properties_are_not_known if {
	document := in_account({
		"buckets": [fixture.changed(fixture.bucket, {"region": fixture.unknown})],
		"keys": [fixture.changed(fixture.key, {"multi_region": fixture.unknown})],
	})
	fixture.subjects_of(bnd_02.findings, "unproven") == {fixture.bucket_arn, fixture.key_arn} with input as document
}
