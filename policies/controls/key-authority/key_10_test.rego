package cadastre.controls.key_10_test

import rego.v1

import data.cadastre.controls.key_10
import data.cadastre.lib.fixture

objects := "arn:aws:s3:::records/*"

tls := {
	"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::records", objects],
	"Condition": {"Bool": {"aws:SecureTransport": "false"}},
}

encrypted := {
	"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": objects,
	"Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
}

keyed := {
	"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:Put*"], "Resource": objects,
	"Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": fixture.key_arn}},
}

refusing(statements) := with_policy(fixture.policy("bucket-policy", {"Version": "2012-10-17", "Statement": statements}))

with_policy(policy) := fixture.with_parts({
	"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key]},
	"inventory": {"buckets": [fixture.changed(fixture.bucket, {"policy": policy})], "keys": [fixture.key]},
})

messages(document) := {item.message | some item in found} if found := key_10.findings with input as document

passes(statements) if {
	document := refusing(statements)
	count(messages(document)) == 0
}

without_tls := "its policy does not refuse access without TLS"

unencrypted := "its policy does not refuse unencrypted writes"

wrong_key := "its policy does not refuse writes under another key"

is_red(statements, expected) if {
	document := refusing(statements)
	messages(document) == expected
}

test_pass_all_three_denials if {
	passes([tls, encrypted, keyed])
	document := refusing([tls, encrypted, keyed])
	fixture.examined_subjects(key_10.subjects) == {fixture.bucket_arn} with input as document
}

test_pass_the_key_id_alone_implies_encryption if passes([tls, keyed])

test_red_nothing_refused if is_red([fixture.changed(tls, {"Effect": "Allow"})], {without_tls, unencrypted, wrong_key})

test_red_tls_for_objects_only if is_red([fixture.changed(tls, {"Resource": objects}), keyed], {without_tls})

test_red_tls_for_one_principal if is_red([fixture.changed(tls, {"Principal": {"AWS": fixture.broker_role}}), keyed], {without_tls})

test_red_tls_for_reads_only if is_red([fixture.changed(tls, {"Action": "s3:GetObject"}), keyed], {without_tls})

test_red_tls_the_wrong_way_round if is_red([fixture.changed(tls, {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}), keyed], {without_tls})

test_red_tls_narrowed_by_another_condition if {
	is_red([fixture.changed(tls, {"Condition": {"Bool": {"aws:SecureTransport": "false"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}), keyed], {without_tls})
}

test_red_another_key if {
	is_red([tls, encrypted, fixture.changed(keyed, {"Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-central-1:111122223333:key/other"}}})], {wrong_key})
}

test_red_key_that_need_not_be_named_without_encryption if {
	is_red([tls, fixture.changed(keyed, {"Condition": {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": fixture.key_arn}}})], {unencrypted})
}

test_red_denial_for_a_prefix if is_red([tls, encrypted, fixture.changed(keyed, {"Resource": "arn:aws:s3:::records/wal/*"})], {wrong_key})

test_red_no_policy if {
	document := with_policy(fixture.absent)
	messages(document) == {"has no policy, and so refuses nothing"}
}

test_unproven_unknown_policy if {
	document := with_policy(fixture.unknown)
	fixture.subjects_of(key_10.findings, "unproven") == {fixture.bucket_arn} with input as document
}

test_unproven_policy_that_is_no_document if {
	document := with_policy(fixture.policy("bucket-policy", "{not json"))
	fixture.subjects_of(key_10.findings, "unproven") == {fixture.bucket_arn} with input as document
}

test_red_denial_that_protects_nothing if {
	document := object.union(refusing([tls, encrypted, keyed]), {"access": {"guards": [fixture.guard(fixture.bucket_arn, "always-true")]}})
	messages(document) == {"has a rule that protects nothing (always-true): it denies what another statement allows"}
}
