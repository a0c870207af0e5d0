package cadastre.controls.key_06_test

import rego.v1

import data.cadastre.controls.key_06
import data.cadastre.lib.fixture

rule := {
	"arn": "arn:aws:events:eu-central-1:111122223333:rule/alarm", "name": "alarm", "account": fixture.account, "region": fixture.region,
	"state": "ENABLED", "targets": fixture.observed(["arn:aws:sns:eu-central-1:111122223333:security"]), "evidence": ["rules"],
	"pattern": {
		"source": ["aws.kms"], "detail-type": ["AWS API Call via CloudTrail"],
		"detail": {"eventSource": ["kms.amazonaws.com"], "eventName": ["DisableKey", "ScheduleKeyDeletion"]},
	},
}

guarded(key_changes, rules) := fixture.with_parts({
	"declaration": {"keys": [fixture.declared_key]},
	"inventory": {"keys": [fixture.changed(fixture.key, key_changes)], "event_rules": rules, "trails": [fixture.trail]},
	"coverage": fixture.answer("events:ListRules", "rule-list"),
})

is_red(key_changes, rules) if {
	document := guarded(key_changes, rules)
	found := key_06.findings with input as document
	fixture.key_arn in fixture.subjects_of(found, "red-flag")
}

with_detail(detail) := fixture.changed(rule, {"pattern": {"source": ["aws.kms"], "detail": detail}})

test_pass_alarm_on_both_events if {
	document := guarded({}, [rule])
	count(key_06.findings) == 0 with input as document
	fixture.examined_subjects(key_06.subjects) == {fixture.key_arn} with input as document
}

test_pass_two_rules_together if {
	document := guarded({}, [with_detail({"eventName": ["DisableKey"]}), fixture.changed(with_detail({"eventName": [{"prefix": "Schedule"}]}), {"arn": "b"})])
	count(key_06.findings) == 0 with input as document
}

test_red_pending_deletion if is_red({"deletion_date": fixture.observed("2026-12-21T00:00:00Z"), "state": fixture.observed("PendingDeletion")}, [rule])

test_red_no_rule if is_red({}, [])

test_red_disabled_rule if is_red({}, [fixture.changed(rule, {"state": "DISABLED"})])

test_red_no_target if is_red({}, [fixture.changed(rule, {"targets": fixture.observed([])})])

test_red_another_region if is_red({}, [fixture.changed(rule, {"region": "us-east-1"})])

test_red_one_event_only if is_red({}, [with_detail({"eventName": ["DisableKey"]})])

test_red_another_service if is_red({}, [fixture.changed(rule, {"pattern": {"source": ["aws.s3"]}})])

test_red_another_key if is_red({}, [with_detail({"eventName": ["DisableKey", "ScheduleKeyDeletion"], "requestParameters": {"keyId": ["other"]}})])

test_unproven_everything_but_another if {
	document := guarded({}, [with_detail({"eventName": [{"anything-but": ["CreateKey"]}]})])
	fixture.subjects_of(key_06.findings, "unproven") == {fixture.key_arn} with input as document
}

test_red_schedule if is_red({}, [fixture.changed(rule, {"pattern": null})])

test_unproven_unknown_targets if {
	document := guarded({}, [fixture.changed(rule, {"targets": fixture.unknown})])
	fixture.subjects_of(key_06.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_unknown_state if {
	document := guarded({"state": fixture.unknown, "deletion_date": fixture.unknown}, [rule])
	fixture.subjects_of(key_06.findings, "unproven") == {fixture.key_arn} with input as document
}

test_unproven_rules_that_were_not_read_are_left_to_the_engine if {
	base := guarded({}, [])
	document := object.union(base, {"gaps": [fixture.gap("events:ListRules")]})
	count(key_06.findings) == 0 with input as document
}

test_red_disabled_key if is_red({"state": fixture.observed("Disabled")}, [rule])

test_unproven_key_in_another_state if {
	document := guarded({"state": fixture.observed("Unavailable")}, [rule])
	fixture.subjects_of(key_06.findings, "unproven") == {fixture.key_arn} with input as document
}

test_red_short_wait_is_told if {
	document := guarded({"deletion_date": fixture.observed("2026-11-28T12:00:00Z"), "state": fixture.observed("PendingDeletion")}, [rule])
	some found in key_06.findings with input as document
	contains(found.message, "7 days")
	contains(found.message, "30 days")
}

# EventBridge hears of API calls from a trail that records them.
test_unproven_no_trail_hands_the_calls_over if {
	some trails in [[], [fixture.changed(fixture.trail, {"logging": fixture.observed(false)})]]
	base := guarded({}, [rule])
	document := object.union(base, {"inventory": object.union(base.inventory, {"trails": trails})})
	fixture.subjects_of(key_06.findings, "unproven") == {fixture.key_arn} with input as document
}

test_pass_trail_that_records_writes_alone if {
	trail := fixture.changed(fixture.trail, {"selectors": fixture.observed({
		"management_read_write": false, "key_use": false, "object_access": [],
		"raw": {"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": true, "ExcludeManagementEventSources": []}], "AdvancedEventSelectors": []},
	})})
	base := guarded({}, [rule])
	document := object.union(base, {"inventory": object.union(base.inventory, {"trails": [trail]})})
	count(key_06.findings) == 0 with input as document
}

test_red_names_the_rule_that_is_off if {
	document := guarded({}, [fixture.changed(rule, {"state": "DISABLED"})])
	fixture.subjects_of(key_06.findings, "red-flag") == {fixture.key_arn, rule.arn} with input as document
}

test_unproven_filter_that_is_not_settled if {
	document := guarded({}, [with_detail({"eventName": [{"wildcard": "*Key*"}]})])
	fixture.subjects_of(key_06.findings, "unproven") == {fixture.key_arn} with input as document
}
