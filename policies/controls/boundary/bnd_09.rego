# METADATA
# scope: package
# title: Frozen resources cannot be changed by a vendor
# description: |
#   Buckets with records, broker disks and their snapshots, and the keys that protect them are frozen: they hold
#   customer data, and a vendor may operate around them but neither change nor delete them. A lifecycle rule or a
#   scheduled deletion of the key destroys them as well.
# custom:
#   id: BND-09
#   area: boundary
#   pass: no vendor can change or delete it
#   red_flag: a vendor principal can change or delete a frozen resource
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - s3:ListBuckets
#     - s3:GetBucketPolicy
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - ec2:DescribeSnapshotAttribute
#   fix: remove the statement that lets the vendor change the resource
package cadastre.controls.bnd_09

import rego.v1

import data.cadastre.lib.damage
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.plane
import data.cadastre.lib.sides

changing := {"write-objects", "manage-key", "change-policy"}

frozen := {asset | some asset in data.cadastre.lib.plane.assets; asset.kind != "host"}

# Told apart: a store or key that holds data and that the declaration does not know is neither.
told_apart(asset) if {
	asset.kind == "bucket"
	asset.id in data.cadastre.lib.plane.declared_data_stores
}

told_apart(asset) if {
	asset.kind == "key"
	asset.id in data.cadastre.lib.plane.declared_key_arns
}

told_apart(asset) if asset.kind in {"volume", "snapshot"}

changers[asset.id] contains edge if {
	some asset in frozen
	some edge in plane.asset_edges(asset)
	edge.capability in changing
	sides.in_foreign_hands(edge.principal)
}

subjects contains result if {
	some asset in frozen
	result := finding.examined(asset.id, {record | some list in [asset.evidence, data.cadastre.lib.coverage.identities]; some record in list})
}

findings contains result if {
	some asset in frozen
	some edge in changers[asset.id]
	edges.possible(edge)
	result := finding.red(
		asset.id,
		sprintf("%s can %s it %s", [edge.principal, verb(edge.capability), edges.told(edge)]),
		{record | some list in [asset.evidence, edges.records(edge)]; some record in list},
	)
}

# What an edge above tells already is not told again.
destroyers[asset.id] contains one if {
	some asset in frozen
	some one in damage.onto(asset.names)
	sides.in_foreign_hands(one.principal)
	same := {edge | some edge in changers[asset.id]; edge.principal == one.principal; edge.action == one.action}
	count(same) == 0
}

findings contains result if {
	some asset in frozen
	some one in destroyers[asset.id]
	edges.possible(one)
	records := {record | some list in [asset.evidence, edges.records(one)]; some record in list}
	result := finding.red(asset.id, sprintf("%s %s", [one.principal, damage.told(one)]), records)
}

findings contains result if {
	some asset in frozen
	some one in destroyers[asset.id]
	edges.open(one)
	result := finding.unproven(asset.id, sprintf("whether %s can destroy it by %s is not settled: %s", [one.principal, one.action, one.detail]), asset.evidence)
}

verb("write-objects") := "write or delete what is in"

verb("manage-key") := "administer"

verb("change-policy") := "change who may use"

findings contains result if {
	some asset in frozen
	some edge in changers[asset.id]
	edges.open(edge)
	result := finding.unproven(
		asset.id,
		sprintf("whether %s can %s it is not settled: %s", [edge.principal, verb(edge.capability), edge.detail]),
		asset.evidence,
	)
}

findings contains result if {
	some asset in frozen
	not told_apart(asset)
	result := finding.unproven(asset.id, "holds data and is not declared, so that nothing says it is frozen", asset.evidence)
}

findings contains result if {
	some name, reasons in data.cadastre.lib.plane.open_questions
	not startswith(name, "cluster:")
	some reason in reasons
	result := finding.unproven(name, sprintf("who can change frozen resources is not settled: %s", [reason]), data.cadastre.lib.coverage.identities)
}
