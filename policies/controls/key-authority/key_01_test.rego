package cadastre.controls.key_01_test

import rego.v1

import data.cadastre.controls.key_01
import data.cadastre.lib.fixture

in_account(changes) := fixture.with_parts({
	"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key], "log-sinks": [fixture.declared_sink]},
	"inventory": object.union(
		{
			"buckets": [fixture.bucket, fixture.log_bucket], "keys": [fixture.key], "instances": [fixture.host],
			"volumes": [fixture.volume], "snapshots": [fixture.snapshot], "trails": [fixture.trail],
		},
		changes,
	),
	"coverage": fixture.account_answer("s3:ListBuckets", "buckets"),
})

is_red(changes, subject) if {
	document := in_account(changes)
	found := key_01.findings with input as document
	fixture.subjects_of(found, "red-flag") == {subject}
}

bucket_with(encryption) := {"buckets": [fixture.changed(fixture.bucket, {"encryption": encryption}), fixture.log_bucket]}

test_pass_everything_under_the_customers_key if {
	document := in_account({})
	count(key_01.findings) == 0 with input as document
	fixture.examined_subjects(key_01.subjects) == {fixture.bucket_arn, fixture.log_bucket_arn, "vol-1", "snap-1", fixture.trail.arn} with input as document
}

test_red_provider_key if is_red(bucket_with(fixture.observed({"algorithm": "AES256", "key": null, "key_arn": null, "bucket_key": false})), fixture.bucket_arn)

test_red_kms_without_a_key if is_red(bucket_with(fixture.observed({"algorithm": "aws:kms", "key": null, "key_arn": null, "bucket_key": false})), fixture.bucket_arn)

test_red_no_encryption if is_red(bucket_with(fixture.absent), fixture.bucket_arn)

test_red_plain_volume if is_red({"volumes": [fixture.changed(fixture.volume, {"encrypted": false, "key_arn": null})]}, "vol-1")

test_red_key_managed_by_the_provider if {
	aws := fixture.changed(fixture.key, {"arn": "arn:aws:kms:eu-central-1:111122223333:key/aws", "aliases": ["alias/aws/ebs"], "manager": fixture.observed("AWS")})
	is_red({"keys": [fixture.key, aws], "snapshots": [fixture.changed(fixture.snapshot, {"key_arn": aws.arn})]}, "snap-1")
}

test_red_key_of_another_account if is_red({"snapshots": [fixture.changed(fixture.snapshot, {"key_arn": "arn:aws:kms:eu-central-1:999988887777:key/x"})]}, "snap-1")

test_red_trail_without_a_key if is_red({"trails": [fixture.changed(fixture.trail, {"key": null})]}, fixture.trail.arn)

test_red_another_key_than_declared if {
	other := fixture.changed(fixture.key, {"arn": "arn:aws:kms:eu-central-1:111122223333:key/other", "aliases": []})
	encryption := fixture.observed({"algorithm": "aws:kms", "key": other.arn, "key_arn": other.arn, "bucket_key": true})
	is_red(object.union(bucket_with(encryption), {"keys": [fixture.key, other]}), fixture.bucket_arn)
}

test_unproven_unknown_encryption if {
	document := in_account(bucket_with(fixture.unknown))
	fixture.subjects_of(key_01.findings, "unproven") == {fixture.bucket_arn} with input as document
}

test_unproven_missing_store_disk_and_key if {
	document := in_account({"buckets": [fixture.log_bucket], "volumes": [], "snapshots": [fixture.changed(fixture.snapshot, {"volume": null})]})
	fixture.subjects_of(key_01.findings, "unproven") == {fixture.bucket_arn, "vol-1"} with input as document
}

# A key of an account that nobody declared stays a stranger's, also where it could be read.
test_red_key_of_an_undeclared_account_that_was_read if {
	other := "arn:aws:kms:eu-central-1:444455556666:key/theirs"
	theirs := fixture.changed(fixture.key, {"arn": other, "account": "444455556666", "aliases": []})
	document := in_account({
		"keys": [fixture.key, theirs],
		"volumes": [fixture.changed(fixture.volume, {"key_arn": other})],
	})
	fixture.subjects_of(key_01.findings, "red-flag") == {"vol-1"} with input as document
}

# An alias means the key of the store's own account and region.
test_unproven_alias_that_only_another_account_has if {
	other := fixture.changed(fixture.key, {"arn": "arn:aws:kms:eu-central-1:777788889999:key/b", "account": "777788889999", "aliases": ["alias/b"]})
	base := in_account({
		"keys": [fixture.key, other],
		"volumes": [fixture.changed(fixture.volume, {"key_arn": "alias/b"})],
	})
	found := key_01.findings with input as base
	fixture.subjects_of(found, "unproven") == {"vol-1"}
}

test_unproven_disks_of_a_broker_on_no_known_instance if {
	broker := fixture.changed(fixture.broker, {"id": 7, "host": "10.99.0.1"})
	base := in_account({"clusters": [fixture.changed(fixture.cluster, {"brokers": fixture.observed([fixture.broker, broker])})]})
	document := object.union(base, {"declaration": object.union(base.declaration, {"clusters": [fixture.declared_cluster]})})
	fixture.subjects_of(key_01.findings, "unproven") == {"broker:payments/7"} with input as document
}
