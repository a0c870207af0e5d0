# METADATA
# scope: package
# title: Keys are protected against deletion, with an alarm
# description: |
#   Every data key is enabled and none waits for its deletion, and a rule in its account and region tells a
#   target when somebody disables it or schedules its deletion. A rule counts only when it is enabled, has a
#   target, and its pattern takes the event of this very key; and a trail has to record such calls there, for
#   that is where EventBridge hears of them. How long a deletion waits is settled when it is scheduled: before
#   that there is no evidence of it, and so only a pending one can be told to be too short.
# custom:
#   id: KEY-06
#   area: key-authority
#   pass: it is enabled, no deletion is pending, and disabling or deleting it raises an alarm
#   red_flag: it is disabled, its deletion is pending, or nobody is alarmed
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - events:ListRules
#     - events:ListTargetsByRule
#     - cloudtrail:DescribeTrails
#     - cloudtrail:GetTrailStatus
#     - cloudtrail:GetEventSelectors
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#   fix: cancel the deletion; add an EventBridge rule on DisableKey and ScheduleKeyDeletion with a target
package cadastre.controls.key_06

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.keys

alarms := {"DisableKey", "ScheduleKeyDeletion"}

subjects contains result if {
	some key in data.cadastre.lib.plane.data_keys
	rules := {record | some rule in input.inventory.event_rules; covers_place(rule, key); some record in rule.evidence}
	trails := {record | some trail in recording(key); some record in trail.evidence}
	evidence := ({record | some record in key.evidence} | rules) | trails
	result := finding.examined(key.arn, evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.deletion_date.state == "observed"
	result := finding.red(key.arn, sprintf("is to be deleted at %s%s", [key.deletion_date.value, wait(key)]), key.evidence)
}

# How long that still is, and how long the declaration asks for at least.
wait(key) := sprintf(", in %d days, and the declaration asks for %d days", [floor(left / 86400), floor(asked / 86400)]) if {
	left := keys.seconds(key.deletion_date.value) - input.as_of_seconds
	asked := max({entry["deletion-window"] | some entry in keys.entries(key)})
	left < asked
}

wait(key) := "" if not short(key)

short(key) if {
	some entry in keys.entries(key)
	keys.seconds(key.deletion_date.value) - input.as_of_seconds < entry["deletion-window"]
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.state == {"state": "observed", "value": "Disabled"}
	result := finding.red(key.arn, "is disabled: what it protects can be neither read nor written", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.state.state == "observed"
	not key.state.value in {"Enabled", "Disabled", "PendingDeletion", "PendingReplicaDeletion"}
	result := finding.unproven(key.arn, sprintf("its state is %s, which says neither that it works nor that it goes", [key.state.value]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.state.state == "observed"
	startswith(key.state.value, "Pending")
	endswith(key.state.value, "Deletion")
	key.deletion_date.state != "observed"
	result := finding.red(key.arn, "waits for its deletion", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some property in [key.state, key.deletion_date]
	property.state == "unknown"
	result := finding.unproven(key.arn, sprintf("whether its deletion is pending is not known: %s", [property.value]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	silent := {name | some name in alarms; not raised(key, name); not undecided(key, name)}
	count(silent) > 0
	not coverage.gap_in("events:ListRules", key.account, key.region)
	records := coverage.records_in("events:ListRules", key.account, key.region) | {record | some record in key.evidence}
	result := finding.red(key.arn, sprintf("nobody is alarmed: no enabled rule with a target takes %s in %s", [concat(" and ", silent), key.region]), records)
}

# A rule that would raise the alarm if only its targets were known, or its filters were settled.
undecided(key, name) if {
	not raised(key, name)
	some rule in input.inventory.event_rules
	may_cover(rule, key, name)
	regex.match(`^ENABLED`, rule.state)
	may_have_targets(rule)
}

may_have_targets(rule) if rule.targets.state == "unknown"

may_have_targets(rule) if {
	rule.targets.state == "observed"
	count(rule.targets.value) > 0
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	open := {name | some name in alarms; undecided(key, name)}
	count(open) > 0
	result := finding.unproven(
		key.arn,
		sprintf("whether a rule with a target takes %s is not settled", [concat(" and ", open)]),
		{record | some record in key.evidence} | coverage.records_in("events:ListRules", key.account, key.region),
	)
}

# A rule that would raise a missing alarm and is off, or reaches nobody.
findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some name in alarms
	not raised(key, name)
	some rule in input.inventory.event_rules
	may_cover(rule, key, name)
	why := idle(rule)
	result := finding.red(rule.arn, sprintf("would tell of %s on %s, and %s", [name, keys.name(key), why]), rule.evidence)
}

idle(rule) := sprintf("is %s", [rule.state]) if not regex.match(`^ENABLED`, rule.state)

idle(rule) := "has no target" if {
	regex.match(`^ENABLED`, rule.state)
	rule.targets.state == "observed"
	count(rule.targets.value) == 0
}

# Trails ----------------------------------------------------------------------------------------------------

# "AWS service events delivered via AWS CloudTrail", Amazon EventBridge User Guide: no trail, no event. The
# answer of an account and region shows every trail that is in force there, an organization's included.
recording(key) := {trail |
	some trail in input.inventory.trails
	in_force(trail, key)
	trail.logging == {"state": "observed", "value": true}
	trail.selectors.state == "observed"
	records_writes(trail.selectors.value)
}

in_force(trail, key) if {
	trail.account == key.account
	trail.multi_region
}

in_force(trail, key) if {
	trail.account == key.account
	trail.home_region == key.region
}

in_force(trail, key) if {
	shown := coverage.records_in("cloudtrail:DescribeTrails", key.account, key.region)
	some record in trail.evidence
	record in shown
}

records_writes(selectors) if selectors.key_use

records_writes(selectors) if {
	some selector in selectors.raw.EventSelectors
	selector.ReadWriteType in {"All", "WriteOnly"}
	selector.IncludeManagementEvents == true
	not "kms.amazonaws.com" in object.get(selector, "ExcludeManagementEventSources", [])
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	count(recording(key)) == 0
	result := finding.unproven(
		key.arn,
		"whether rules hear of calls on it is not known: no trail was found that records them",
		{record | some record in key.evidence} | coverage.records_of("cloudtrail:DescribeTrails"),
	)
}

# Patterns --------------------------------------------------------------------------------------------------

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
	pattern_takes(rule, key, name)
}

pattern_takes(rule, key, name) if {
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

# A pattern that takes the call as far as its plain values go, and has other filters besides: on source and name
# of the event, which could well match, but not on who calls or on which key.
may_cover(rule, key, name) if {
	covers_place(rule, key)
	pattern_takes(rule, key, name)
}

may_cover(rule, key, name) if {
	covers_place(rule, key)
	is_object(rule.pattern)
	not pattern_takes(rule, key, name)
	count(object.keys(rule.pattern) - {"source", "detail-type", "detail", "account", "region"}) == 0
	may_take(rule.pattern, "source", {"aws.kms"})
	may_take(rule.pattern, "detail-type", {"AWS API Call via CloudTrail"})
	may_take(rule.pattern, "account", {key.account})
	may_take(rule.pattern, "region", {key.region})
	detail := object.get(rule.pattern, "detail", {})
	is_object(detail)
	count(object.keys(detail) - {"eventSource", "eventName", "awsRegion"}) == 0
	may_take(detail, "eventSource", {"kms.amazonaws.com"})
	may_take(detail, "eventName", {name})
	may_take(detail, "awsRegion", {key.region})
}

# A pattern that is no object was not understood.
may_cover(rule, key, _) if {
	covers_place(rule, key)
	is_string(rule.pattern)
}

may_take(pattern, member, values) if takes(pattern, member, values)

may_take(pattern, member, _) if {
	some matcher in pattern[member]
	is_object(matcher)
	count(object.keys(matcher) & {"anything-but", "wildcard", "exists"}) > 0
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

findings contains result if some result in data.cadastre.lib.keys.missing
