# METADATA
# scope: package
# title: Logs cannot be changed by those they record
# description: |
#   A bucket that receives logs locks them by default, and nobody but its declared administrators can delete logs,
#   loosen the lock, or stop what writes them. Brokers and vendors never can. A lifecycle rule, a shorter retention
#   or another selector does the same without the name of a deletion, and a deny that protects nothing counts as none.
# custom:
#   id: AUD-02
#   area: audit
#   pass: it is locked, and only its declared administrators can change it
#   red_flag: a vendor or broker role can delete or edit it
#   requires:
#     - cloudtrail:DescribeTrails
#     - logs:DescribeLogGroups
#     - s3:ListBuckets
#     - s3:GetObjectLockConfiguration
#     - s3:GetBucketPolicy
#     - iam:GetAccountAuthorizationDetails
#   fix: turn on object lock with a default retention, and take the action away from everybody but the administrators
package cadastre.controls.aud_02

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.damage
import data.cadastre.lib.declared
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.guards
import data.cadastre.lib.known
import data.cadastre.lib.pattern
import data.cadastre.lib.sides

sinks contains result if {
	some arn in data.cadastre.lib.plane.log_buckets
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
	result := {"id": arn, "kind": "bucket", "evidence": bucket.evidence}
}

sinks contains result if {
	some group in input.inventory.log_groups
	group.arn in object.keys(data.cadastre.lib.declared.sinks)
	result := {"id": group.arn, "kind": "log-group", "evidence": group.evidence}
}

sinks contains result if {
	some trail in input.inventory.trails
	result := {"id": trail.arn, "kind": "trail", "evidence": trail.evidence}
}

subjects contains result if {
	some sink in sinks
	evidence := {record | some list in [sink.evidence, data.cadastre.lib.coverage.identities]; some record in list}
	result := finding.examined(sink.id, evidence)
}

# A trail is looked after by the administrators of the sink it writes to.
administrators(sink) := {name | some name in data.cadastre.lib.declared.sinks[sink.id].administrators} if data.cadastre.lib.declared.sinks[sink.id]

administrators(sink) := {name |
	some trail in input.inventory.trails
	trail.arn == sink.id
	some name in data.cadastre.lib.declared.sinks[concat("", ["arn:aws:s3:::", trail.bucket])].administrators
} if not data.cadastre.lib.declared.sinks[sink.id]

altering(sink) := {edge |
	some edge in edges.onto({sink.id, concat("", [sink.id, ":*"])})
	edge.capability in {"alter-logs", "change-policy"}
}

# Whoever may never change a log, declared or not.
recorded(principal) if principal in data.cadastre.lib.plane.broker_roles

recorded(principal) if declared.has_job(principal, {"broker"})

recorded(principal) if sides.anybody(principal)

recorded(principal) if sides.in_foreign_hands(principal)

may_alter(sink, principal) if {
	not recorded(principal)
	pattern.any_matches(administrators(sink), principal)
}

may_alter(_, principal) if {
	not recorded(principal)
	some account in data.cadastre.lib.declared.aws_accounts
	principal in {sprintf("account:%s", [account]), sprintf("arn:aws:iam::%s:root", [account])}
}

# A service of the provider that something ties to the customer.
may_alter(_, edge_principal) if {
	startswith(edge_principal, "service:")
	not recorded(edge_principal)
}

findings contains result if {
	some sink in sinks
	some edge in altering(sink)
	edges.possible(edge)
	not may_alter(sink, edge.principal)
	records := {record | some list in [sink.evidence, edges.records(edge)]; some record in list}
	result := finding.red(sink.id, sprintf("%s can change it %s", [edge.principal, edges.told(edge)]), records)
}

findings contains result if {
	some sink in sinks
	some edge in altering(sink)
	edges.open(edge)
	not may_alter(sink, edge.principal)
	result := finding.unproven(sink.id, sprintf("whether %s can change it is not settled: %s", [edge.principal, edge.detail]), sink.evidence)
}

# What an edge above tells already is not told again.
damaging(sink) := {one |
	some one in damage.onto({sink.id})
	same := {edge | some edge in altering(sink); edge.principal == one.principal; edge.action == one.action}
	count(same) == 0
}

findings contains result if {
	some sink in sinks
	some one in damaging(sink)
	edges.possible(one)
	not may_alter(sink, one.principal)
	records := {record | some list in [sink.evidence, edges.records(one)]; some record in list}
	result := finding.red(sink.id, sprintf("%s %s", [one.principal, damage.told(one)]), records)
}

findings contains result if {
	some sink in sinks
	some one in damaging(sink)
	edges.open(one)
	not may_alter(sink, one.principal)
	result := finding.unproven(sink.id, sprintf("whether %s can blind or destroy it by %s is not settled: %s", [one.principal, one.action, one.detail]), sink.evidence)
}

findings contains result if {
	some sink in sinks
	some guard in guards.with_defect(sink.id, data.cadastre.lib.guards.idle)
	result := guards.red(sink.id, guard)
}

# Locks -----------------------------------------------------------------------------------------------------

lock_of(arn) := data.cadastre.lib.plane.bucket_by_arn[arn].object_lock

findings contains result if {
	some sink in sinks
	sink.kind == "bucket"
	lock_of(sink.id).state == "absent"
	result := finding.red(sink.id, "has no object lock: whoever can delete objects can delete logs", sink.evidence)
}

findings contains result if {
	some sink in sinks
	sink.kind == "bucket"
	lock := lock_of(sink.id)
	lock.state == "observed"
	not locks(lock.value)
	result := finding.red(sink.id, "its object lock has no default retention", sink.evidence)
}

locks(lock) if {
	lock.mode in {"COMPLIANCE", "GOVERNANCE"}
	lock.days > 0
}

findings contains result if {
	some sink in sinks
	sink.kind == "bucket"
	lock := lock_of(sink.id)
	lock.state == "unknown"
	missing := known.missing(lock)
	result := finding.unproven(sink.id, sprintf("whether it is locked is not known: %s", [missing]), sink.evidence)
}

# Open questions --------------------------------------------------------------------------------------------

findings contains result if {
	some sink in sinks
	some why in edges.undecided_about({sink.id})
	result := finding.unproven(sink.id, sprintf("who can change it is not settled: %s", [why]), sink.evidence)
}

findings contains result if {
	some sink in sinks
	sink.kind == "bucket"
	policy := data.cadastre.lib.plane.bucket_by_arn[sink.id].policy
	policy.state == "unknown"
	missing := known.missing(policy)
	result := finding.unproven(sink.id, sprintf("who can change it is not known: %s", [missing]), sink.evidence)
}

findings contains result if {
	some name, reasons in data.cadastre.lib.plane.open_questions
	startswith(name, "arn:aws:iam:")
	some why in reasons
	result := finding.unproven(name, sprintf("whether it can change logs is not settled: %s", [why]), data.cadastre.lib.coverage.identities)
}

findings contains result if {
	some arn in (data.cadastre.lib.plane.log_buckets | object.keys(data.cadastre.lib.declared.sinks))
	not arn in {sink.id | some sink in sinks}
	result := finding.unproven(arn, "receives logs and is not in the evidence", coverage.records_of("s3:ListBuckets"))
}
