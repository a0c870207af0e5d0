package cadastre.controls.aud_06_test

import rego.v1

import data.cadastre.controls.aud_06
import data.cadastre.lib.fixture

group_arn := "arn:aws:logs:eu-central-1:111122223333:log-group:/kafka/audit"

group(days) := {"arn": group_arn, "name": "/kafka/audit", "account": fixture.account, "region": fixture.region, "retention_days": days, "key_arn": null, "evidence": ["groups"]}

kept(days, lifecycle) := fixture.with_parts({
	"declaration": {"log-sinks": [fixture.declared_sink, fixture.changed(fixture.declared_sink, {"arn": group_arn})]},
	"inventory": {"buckets": [fixture.changed(fixture.log_bucket, {"lifecycle": lifecycle})], "log_groups": [group(days)]},
})

rule(change) := fixture.observed([fixture.changed({"ID": "r", "Status": "Enabled", "Expiration": {"Days": 731}}, change)])

is_red(days, lifecycle, subject) if {
	document := kept(days, lifecycle)
	found := aud_06.findings with input as document
	fixture.subjects_of(found, "red-flag") == {subject}
}

passes(days, lifecycle) if {
	document := kept(days, lifecycle)
	found := aud_06.findings with input as document
	count(found) == 0
}

test_pass_long_enough if {
	passes(400, rule({}))
	passes(null, fixture.absent)
	passes(400, rule({"Status": "Disabled", "Expiration": {"Days": 1}}))
	document := kept(400, fixture.absent)
	fixture.examined_subjects(aud_06.subjects) == {fixture.log_bucket_arn, group_arn} with input as document
}

test_red_short_log_group if is_red(30, rule({}), group_arn)

test_red_short_lifecycle if is_red(400, rule({"Expiration": {"Days": 90}}), fixture.log_bucket_arn)

test_red_lifecycle_of_a_prefix if is_red(400, rule({"Expiration": {"Days": 90}, "Filter": {"Prefix": "trail/"}}), fixture.log_bucket_arn)

test_red_fixed_date if is_red(400, rule({"Expiration": {"Date": "2026-12-01T00:00:00Z"}}), fixture.log_bucket_arn)

test_red_replaced_versions if is_red(400, rule({"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}), fixture.log_bucket_arn)

test_unproven_unknown_lifecycle if {
	document := kept(400, fixture.unknown)
	fixture.subjects_of(aud_06.findings, "unproven") == {fixture.log_bucket_arn} with input as document
}

test_unproven_sink_that_was_not_seen if {
	base := kept(400, fixture.absent)
	document := object.union(base, {"inventory": {"log_groups": []}})
	fixture.subjects_of(aud_06.findings, "unproven") == {group_arn} with input as document
}
