package cadastre.controls.bnd_09_test

import rego.v1

import data.cadastre.controls.bnd_09
import data.cadastre.lib.fixture

in_account(edges) := fixture.with_parts({
	"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key], "vendors": [fixture.vendor]},
	"inventory": {"buckets": [fixture.bucket], "keys": [fixture.key], "instances": [fixture.host], "volumes": [fixture.volume]},
	"access": {"edges": edges},
	"graph": {"principals": [fixture.view(fixture.vendor_role, "vendor"), fixture.view(fixture.broker_role, "customer")]},
})

test_pass_no_vendor_can_change_anything if {
	document := in_account([fixture.edge(fixture.broker_role, "write-objects", fixture.bucket_arn, "s3:PutObject")])
	count(bnd_09.findings) == 0 with input as document
	fixture.examined_subjects(bnd_09.subjects) == {fixture.bucket_arn, fixture.key_arn, "vol-1"} with input as document
}

test_red_vendor_deletes_volumes if {
	document := in_account([fixture.edge(fixture.vendor_role, "write-objects", "arn:aws:ec2:eu-central-1:111122223333:volume/vol-1", "ec2:DeleteVolume")])
	fixture.subjects_of(bnd_09.findings, "red-flag") == {"vol-1"} with input as document
}

test_red_vendor_changes_the_bucket_policy_under_a_condition if {
	document := in_account([fixture.edge_when(fixture.vendor_role, "change-policy", fixture.bucket_arn, "s3:PutBucketPolicy", "conditional", "aws:SourceIp is x")])
	fixture.subjects_of(bnd_09.findings, "red-flag") == {fixture.bucket_arn} with input as document
}

test_unproven_open_edge if {
	document := in_account([fixture.edge_when(fixture.vendor_role, "manage-key", fixture.key_arn, "kms:CreateGrant", "unknown", "grants")])
	fixture.subjects_of(bnd_09.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_undeclared_data_store if {
	base := in_account([fixture.edge(fixture.broker_role, "write-objects", fixture.bucket_arn, "s3:PutObject")])
	document := object.union(base, {"declaration": {"stores": []}})
	fixture.subjects_of(bnd_09.findings, "unproven") == {fixture.bucket_arn} with input as document
}

destroyed(list) := object.union(in_account([]), {"access": {"destruction": list}})

test_red_vendor_destroys_without_a_deletion if {
	document := destroyed([
		fixture.destruction(fixture.vendor_role, "destroy", fixture.bucket_arn, "s3:PutLifecycleConfiguration"),
		fixture.destruction(fixture.vendor_role, "destroy", fixture.key_arn, "kms:ScheduleKeyDeletion"),
	])
	fixture.subjects_of(bnd_09.findings, "red-flag") == {fixture.bucket_arn, fixture.key_arn} with input as document
}

test_pass_brokers_delete_objects_themselves if {
	document := destroyed([fixture.destruction(fixture.broker_role, "destroy", fixture.bucket_arn, "s3:PutLifecycleConfiguration")])
	count(bnd_09.findings) == 0 with input as document
}

test_unproven_open_destruction if {
	open := object.union(fixture.destruction(fixture.vendor_role, "destroy", fixture.bucket_arn, "s3:PutLifecycleConfiguration"), {"decision": "unknown", "detail": "the bucket's policy"})
	document := destroyed([open])
	fixture.subjects_of(bnd_09.findings, "unproven") == {fixture.bucket_arn} with input as document
}
