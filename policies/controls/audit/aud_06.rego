# METADATA
# scope: package
# title: Logs are kept for the declared time
# description: |
#   A log group keeps its events at least as long as declared. A bucket does so when no enabled lifecycle rule
#   expires objects earlier, whichever objects the rule is about.
# custom:
#   id: AUD-06
#   area: audit
#   pass: it keeps logs at least as long as declared
#   red_flag: logs are kept for a shorter time
#   requires:
#     - logs:DescribeLogGroups
#     - s3:ListBuckets
#     - s3:GetBucketLifecycleConfiguration
#   fix: lengthen the retention of the log group or the expiration in the bucket's lifecycle
package cadastre.controls.aud_06

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.finding
import data.cadastre.lib.known

group_by_arn := {group.arn: group | some group in input.inventory.log_groups}

subjects contains result if {
	some arn, _ in data.cadastre.lib.declared.sinks
	group := group_by_arn[arn]
	result := finding.examined(arn, group.evidence)
}

subjects contains result if {
	some arn, _ in data.cadastre.lib.declared.sinks
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
	result := finding.examined(arn, bucket.evidence)
}

days(seconds) := ceil(seconds / 86400)

findings contains result if {
	some arn, sink in data.cadastre.lib.declared.sinks
	group := group_by_arn[arn]
	is_number(group.retention_days)
	group.retention_days * 86400 < sink.retention
	result := finding.red(arn, sprintf("keeps events for %d days, and the declaration asks for %d", [group.retention_days, days(sink.retention)]), group.evidence)
}

enabled_rules(bucket) := [rule | some rule in bucket.lifecycle.value; rule.Status == "Enabled"]

findings contains result if {
	some arn, sink in data.cadastre.lib.declared.sinks
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
	bucket.lifecycle.state == "observed"
	some rule in enabled_rules(bucket)
	is_number(rule.Expiration.Days)
	rule.Expiration.Days * 86400 < sink.retention
	result := finding.red(arn, sprintf("lifecycle rule `%s` expires objects after %d days, and the declaration asks for %d", [rule_name(rule), rule.Expiration.Days, days(sink.retention)]), bucket.evidence)
}

findings contains result if {
	some arn, _ in data.cadastre.lib.declared.sinks
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
	bucket.lifecycle.state == "observed"
	some rule in enabled_rules(bucket)
	rule.Expiration.Date
	result := finding.red(arn, sprintf("lifecycle rule `%s` expires objects at %s, however young they are", [rule_name(rule), rule.Expiration.Date]), bucket.evidence)
}

# With versions an overwritten or deleted log lives on as a noncurrent version; that one is a log as well.
findings contains result if {
	some arn, sink in data.cadastre.lib.declared.sinks
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
	bucket.lifecycle.state == "observed"
	bucket.versioning == {"state": "observed", "value": "Enabled"}
	some rule in enabled_rules(bucket)
	is_number(rule.NoncurrentVersionExpiration.NoncurrentDays)
	rule.NoncurrentVersionExpiration.NoncurrentDays * 86400 < sink.retention
	result := finding.red(arn, sprintf("lifecycle rule `%s` drops replaced versions after %d days, and the declaration asks for %d", [rule_name(rule), rule.NoncurrentVersionExpiration.NoncurrentDays, days(sink.retention)]), bucket.evidence)
}

rule_name(rule) := rule.ID if is_string(rule.ID)

rule_name(rule) := "without a name" if not rule.ID

findings contains result if {
	some arn, _ in data.cadastre.lib.declared.sinks
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
	bucket.lifecycle.state == "unknown"
	missing := known.missing(bucket.lifecycle)
	result := finding.unproven(arn, sprintf("its lifecycle is not known: %s", [missing]), bucket.evidence)
}

findings contains result if {
	some arn, _ in data.cadastre.lib.declared.sinks
	not group_by_arn[arn]
	not data.cadastre.lib.plane.bucket_by_arn[arn]
	records := coverage.records_of("logs:DescribeLogGroups") | coverage.records_of("s3:ListBuckets")
	result := finding.unproven(arn, "is declared as a sink and not in the evidence", records)
}
