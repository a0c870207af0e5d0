# METADATA
# scope: package
# title: Every key use is explained
# description: |
#   Each use of a data key on the trail, joined with the ledgers that the components using the key keep themselves. A use without
#   an entry is somebody else's. A ledger that was altered explains nothing, and a trail that is not whole hides what it lacks.
# custom:
#   id: KEY-07
#   area: key-authority
#   pass: every use of it on the trail has its entry in a component's own ledger
#   red_flag: a use on the trail has no entry in any component's ledger, or a ledger was altered
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - cloudtrail:DescribeTrails
#     - cloudtrail:GetEventSelectors
#     - cloudtrail:GetTrailStatus
#     - trail:VerifyFiles
#     - ledger:ReconcileKeyUses
#   fix: find out who used the key and revoke it; keep every component's ledger, and never edit one
package cadastre.controls.key_07

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.pattern

reconciled[arn] contains reconciliation if {
	some reconciliation in input.inventory.key_reconciliations
	some arn in reconciliation.keys
}

# Keys of data at rest, and those that the declaration gives to brokers. A key of logs alone is no affair of a broker's ledger.
keys := {key.arn: key |
	some key in data.cadastre.lib.plane.data_keys
	serves_data(key)
}

serves_data(key) if key.arn in data.cadastre.lib.plane.used_key_arns

serves_data(key) if {
	some entry in data.cadastre.lib.plane.declared_key[key.arn]
	some principal in entry.decrypt
	principal in data.cadastre.lib.plane.broker_roles
}

records(reconciliation) := {id | some id in reconciliation.evidence} | coverage.records_of("trail:VerifyFiles")

subjects contains result if {
	some arn, key in keys
	some reconciliation in reconciled[arn]
	message := sprintf("%d uses have their entries; %d refused calls are nobody's", [reconciliation.matched, count([use | some use in reconciliation.attempts; use.key == arn])])
	result := finding.shown(arn, message, records(reconciliation) | {id | some id in key.evidence})
}

subjects contains result if {
	some arn, key in keys
	not reconciled[arn]
	result := finding.examined(arn, key.evidence)
}

# A service that acts for a declared user of the key leaves no entry in anybody's ledger.
through_service(use) if {
	is_string(use.via)
	endswith(use.via, ".amazonaws.com")
	some entry in data.cadastre.lib.plane.declared_key[use.key]
	pattern.any_matches(entry.decrypt, use.principal)
}

# EC2 opens encrypted disks as this role ("How Amazon EBS uses AWS KMS", AWS KMS Developer Guide).
through_service(use) if contains(object.get(use, "principal", ""), "assumed-role/aws:ec2-infrastructure/")

told(use) := sprintf("%s: %s by %s (event %s): %s", [use.time, use.operation, use.principal, use.reference, use.reason])

alone[arn] contains use if {
	some reconciliation in input.inventory.key_reconciliations
	some use in reconciliation.unexplained
	arn := use.key
	not through_service(use)
}

served[arn] contains use if {
	some reconciliation in input.inventory.key_reconciliations
	some use in reconciliation.unexplained
	arn := use.key
	through_service(use)
}

ledger_records := {id | some reconciliation in input.inventory.key_reconciliations; some id in records(reconciliation)}

findings contains result if {
	some arn, uses in alone
	message := sprintf("%d uses on the trail have no entry in any component's ledger", [count(uses)])
	result := finding.red_path(arn, message, sort({line | some use in uses; line := told(use)}), ledger_records, [])
}

findings contains result if {
	some arn, _ in keys
	some reconciliation in reconciled[arn]
	count(reconciliation.broken) > 0
	message := sprintf("a ledger was altered, so that it explains nothing: %s", [concat("; ", array.slice(reconciliation.broken, 0, 3))])
	result := finding.red(arn, message, records(reconciliation))
}

findings contains result if {
	some arn, uses in served
	message := sprintf("%d uses went through a service, of which no component's ledger tells", [count(uses)])
	result := finding.unproven(arn, message, ledger_records)
}

findings contains result if {
	some arn, _ in keys
	some reconciliation in reconciled[arn]
	unseen := [use | some use in reconciliation.unseen; use.key == arn]
	count(unseen) > 0
	message := sprintf("the trail does not show %d uses that a ledger has, so that it is not whole", [count(unseen)])
	result := finding.unproven(arn, message, records(reconciliation))
}

findings contains result if {
	some arn, _ in keys
	some reconciliation in reconciled[arn]
	count(reconciliation.incomplete) > 0
	message := concat("; ", array.slice(reconciliation.incomplete, 0, 3))
	result := finding.unproven(arn, message, records(reconciliation))
}

findings contains result if {
	some arn, key in keys
	not reconciled[arn]
	result := finding.unproven(arn, "no component's own record of its uses is in the evidence", key.evidence)
}

findings contains result if {
	some arn, _ in keys
	some doubt in input.usage.unseen_keys
	doubt.subject == arn
	result := finding.unproven(arn, sprintf("its uses are not all on a trail: %s", [doubt.why]), doubt.evidence)
}

findings contains result if some result in data.cadastre.lib.keys.missing
