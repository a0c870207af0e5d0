# METADATA
# scope: package
# title: Keys are protected against deletion, with an alarm
# description: |
#   No data key waits for its deletion, and a rule in its account and region tells a target when somebody
#   disables it or schedules its deletion. A rule counts only when it is enabled, has a target, and its pattern
#   takes the event of this very key. How long a deletion waits is settled when it is scheduled, and so only a
#   pending one can be too short.
# custom:
#   id: KEY-06
#   area: key-authority
#   pass: no deletion is pending, and disabling or deleting it raises an alarm
#   red_flag: pending deletion or no alarm
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - events:ListRules
#     - events:ListTargetsByRule
#   fix: cancel the deletion; add an EventBridge rule on DisableKey and ScheduleKeyDeletion with a target
package cadastre.controls.key_06

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.plane

alarms := {"DisableKey", "ScheduleKeyDeletion"}

subjects contains result if {
	some key in plane.data_keys
	rules := {record | some rule in input.inventory.event_rules; covers_place(rule, key); some record in rule.evidence}
	evidence := {record | some record in key.evidence} | rules
	result := finding.examined(key.arn, evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.deletion_date.state == "observed"
	result := finding.red(key.arn, sprintf("is to be deleted at %s", [key.deletion_date.value]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.state.state == "observed"
	startswith(key.state.value, "Pending")
	endswith(key.state.value, "Deletion")
	key.deletion_date.state != "observed"
	result := finding.red(key.arn, "waits for its deletion", key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	some property in [key.state, key.deletion_date]
	property.state == "unknown"
	result := finding.unproven(key.arn, sprintf("whether its deletion is pending is not known: %s", [property.value]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	silent := {name | some name in alarms; not raised(key, name)}
	count(silent) > 0
	not coverage.gap_in("events:ListRules", key.account, key.region)
	not undecided(key)
	records := coverage.records_in("events:ListRules", key.account, key.region) | {record | some record in key.evidence}
	result := finding.red(key.arn, sprintf("no enabled rule with a target raises an alarm on %s in %s", [concat(" and ", silent), key.region]), records)
}

# A rule that would raise the alarm if only its targets were known.
undecided(key) if {
	some name in alarms
	not raised(key, name)
	some rule in input.inventory.event_rules
	covers(rule, key, name)
	rule.targets.state == "unknown"
}

findings contains result if {
	some key in plane.data_keys
	undecided(key)
	result := finding.unproven(key.arn, "whether the alarm's rule has a target is not known", key.evidence)
}

raised(key, name) if {
	some rule in input.inventory.event_rules
	covers(rule, key, name)
	rule.targets.state == "observed"
	count(rule.targets.value) > 0
}

covers_place(rule, key) if {
	rule.account == key.account
	rule.region == key.region
}

covers(rule, key, name) if {
	covers_place(rule, key)
	regex.match(`^ENABLED`, rule.state)
	is_object(rule.pattern)
	count(object.keys(rule.pattern) - {"source", "detail-type", "detail", "account", "region"}) == 0
	takes(rule.pattern, "source", {"aws.kms"})
	takes(rule.pattern, "detail-type", {"AWS API Call via CloudTrail"})
	takes(rule.pattern, "account", {key.account})
	takes(rule.pattern, "region", {key.region})
	detail := object.get(rule.pattern, "detail", {})
	is_object(detail)
	count(object.keys(detail) - {"eventSource", "eventName", "requestParameters", "awsRegion"}) == 0
	takes(detail, "eventSource", {"kms.amazonaws.com"})
	takes(detail, "eventName", {name})
	takes(detail, "awsRegion", {key.region})
	parameters := object.get(detail, "requestParameters", {})
	is_object(parameters)
	count(object.keys(parameters) - {"keyId"}) == 0
	takes_key(parameters, key)
}

# A call may name the key by ARN or by id; a rule has to take either.
takes_key(parameters, _) if not parameters.keyId

takes_key(parameters, key) if {
	takes(parameters, "keyId", {key.arn})
	takes(parameters, "keyId", {split(key.arn, ":key/")[1]})
}

# Whether a pattern's member takes a value: it is not there, or one of its matchers does.
takes(pattern, member, _) if not member in object.keys(pattern)

takes(pattern, member, values) if {
	some value in values
	some matcher in pattern[member]
	takes_value(matcher, value)
}

takes_value(matcher, value) if matcher == value

takes_value(matcher, value) if {
	is_object(matcher)
	is_string(matcher.prefix)
	startswith(value, matcher.prefix)
}

takes_value(matcher, value) if {
	is_object(matcher)
	is_string(matcher.suffix)
	endswith(value, matcher.suffix)
}

takes_value(matcher, value) if {
	is_object(matcher)
	is_string(matcher["equals-ignore-case"])
	lower(matcher["equals-ignore-case"]) == lower(value)
}

findings contains result if {
	some entry in input.declaration.keys
	count(plane.keys_named(entry.id)) == 0
	result := finding.unproven(entry.id, "is declared, and no key that was read goes by this name", coverage.records_of("kms:ListAliases"))
}
