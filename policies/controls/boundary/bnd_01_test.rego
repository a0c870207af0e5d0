package cadastre.controls.bnd_01_test

import rego.v1

import data.cadastre.controls.bnd_01
import data.cadastre.lib.fixture

good := {"buckets": [fixture.bucket, fixture.log_bucket], "keys": [fixture.key], "instances": [fixture.host], "volumes": [fixture.volume], "snapshots": [fixture.snapshot], "trails": [fixture.trail]}

declaration := {"stores": [fixture.declared_store], "keys": [fixture.declared_key], "log-sinks": [fixture.declared_sink]}

in_account(changes) := fixture.with_parts({
	"declaration": declaration,
	"inventory": object.union(good, changes),
	"coverage": fixture.account_answer("s3:ListBuckets", "buckets"),
})

test_pass_everything_lies_in_the_declared_account if {
	count(bnd_01.findings) == 0 with input as in_account({})
	examined := fixture.examined_subjects(bnd_01.subjects) with input as in_account({})
	examined == {"i-1", "vol-1", "snap-1", fixture.bucket_arn, fixture.log_bucket_arn, fixture.key_arn, fixture.trail.arn}
}

test_pass_broker_is_found_by_the_address_it_advertises if {
	document := object.union(fixture.kafka({}), {"inventory": {"instances": [fixture.host]}})
	count(bnd_01.findings) == 0 with input as document
	"broker:payments/1" in fixture.examined_subjects(bnd_01.subjects) with input as document
}

test_red_snapshot_in_another_account if {
	document := in_account({"snapshots": [fixture.changed(fixture.snapshot, {"account": "444455556666"})]})
	fixture.subjects_of(bnd_01.findings, "red-flag") == {"snap-1"} with input as document
}

test_red_trail_writes_to_a_bucket_that_no_account_has if {
	document := in_account({"trails": [fixture.changed(fixture.trail, {"bucket": "elsewhere"})]})
	fixture.subjects_of(bnd_01.findings, "red-flag") == {"arn:aws:s3:::elsewhere"} with input as document
}

test_red_key_of_another_account if {
	other := "arn:aws:kms:eu-central-1:999988887777:key/theirs"
	document := in_account({"volumes": [fixture.changed(fixture.volume, {"key_arn": other})]})
	fixture.subjects_of(bnd_01.findings, "red-flag") == {other} with input as document
}

test_unproven_missing_bucket_when_the_list_was_not_read if {
	document := object.union(in_account({"buckets": [fixture.log_bucket]}), {"gaps": [object.union(fixture.gap("s3:ListBuckets"), {"region": null})]})
	fixture.subjects_of(bnd_01.findings, "unproven") == {fixture.bucket_arn} with input as document
}

test_unproven_broker_that_matches_no_instance if {
	fixture.subjects_of(bnd_01.findings, "unproven") == {"broker:payments/1"} with input as fixture.kafka({})
}
