package cadastre.controls.aud_01_test

import rego.v1

import data.cadastre.controls.aud_01
import data.cadastre.lib.fixture

flow_log := {"id": "fl-1", "account": fixture.account, "resource": "vpc-1", "traffic": "ALL", "status": "ACTIVE", "destination": "arn:aws:s3:::logs/flow", "evidence": ["flow-logs"]}

logged(trails, flow_logs) := fixture.with_parts({
	"declaration": {"stores": [fixture.declared_store]},
	"inventory": {"buckets": [fixture.bucket, fixture.log_bucket], "instances": [fixture.host], "trails": trails, "flow_logs": flow_logs},
	"coverage": object.union(fixture.answer("cloudtrail:DescribeTrails", "trails"), fixture.answer("ec2:DescribeFlowLogs", "flow-logs")),
})

trail_with(change) := fixture.changed(fixture.trail, change)

selectors(change) := trail_with({"selectors": fixture.observed(fixture.changed(fixture.trail.selectors.value, change))})

is_red(trails, flow_logs, expected) if {
	document := logged(trails, flow_logs)
	found := aud_01.findings with input as document
	fixture.subjects_of(found, "red-flag") == expected
}

test_pass_all_four_classes if {
	document := logged([fixture.trail], [flow_log])
	count(aud_01.findings) == 0 with input as document
	fixture.examined_subjects(aud_01.subjects) == {"111122223333/eu-central-1", fixture.bucket_arn, "vpc-1"} with input as document
}

test_red_no_trail if is_red([], [flow_log], {"111122223333/eu-central-1"})

test_red_stopped_trail if is_red([trail_with({"logging": fixture.observed(false)})], [flow_log], {fixture.trail.arn})

test_red_trail_that_cannot_deliver if is_red([trail_with({"delivery_error": fixture.observed("AccessDenied")})], [flow_log], {fixture.trail.arn})

test_red_key_use_left_out if is_red([selectors({"key_use": false})], [flow_log], {fixture.trail.arn})

test_red_objects_left_out if is_red([selectors({"object_access": [fixture.log_bucket_arn]})], [flow_log], {fixture.bucket_arn})

test_red_trail_of_another_region if is_red([trail_with({"multi_region": false, "home_region": "us-east-1"})], [flow_log], {"111122223333/eu-central-1", fixture.bucket_arn})

test_red_sink_elsewhere if is_red([trail_with({"bucket": "vendor-logs"})], [flow_log], {fixture.trail.arn})

test_red_no_flow_log if is_red([fixture.trail], [], {"vpc-1"})

test_red_rejected_flows_only if is_red([fixture.trail], [fixture.changed(flow_log, {"traffic": "REJECT"})], {"vpc-1"})

test_red_flow_log_to_a_vendor if is_red([fixture.trail], [fixture.changed(flow_log, {"destination": "arn:aws:s3:::vendor-logs"})], {"vpc-1"})

test_unproven_unknown_status if {
	document := logged([trail_with({"logging": fixture.unknown})], [flow_log])
	fixture.subjects_of(aud_01.findings, "unproven") == {fixture.trail.arn, fixture.bucket_arn} with input as document
}

test_unproven_unknown_selectors if {
	document := logged([trail_with({"selectors": fixture.unknown})], [flow_log])
	fixture.subjects_of(aud_01.findings, "unproven") == {fixture.trail.arn, fixture.bucket_arn} with input as document
}

test_unproven_trail_of_another_account if {
	document := logged([trail_with({"account": "444455556666"})], [flow_log])
	found := aud_01.findings with input as document
	"111122223333/eu-central-1" in fixture.subjects_of(found, "unproven")
}
