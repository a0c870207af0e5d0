# METADATA
# scope: package
# title: Nobody outside the boundary reaches plaintext records
# description: |
#   Follows every way to plaintext: reading from Kafka, reading objects together with decrypting them, operating
#   a host, sharing a snapshot, changing a key or a policy, becoming somebody else. Each path of a vendor or of
#   anybody else outside is shown hop by hop with the smallest set of changes that closes it.
# custom:
#   id: BND-04
#   area: boundary
#   pass: no principal outside the boundary reaches its records
#   red_flag: a principal outside the boundary has a path to plaintext records
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
#     - kafka:DescribeAcls
#     - kafka:DescribeConfigs
#     - kafka:Metadata
#   fix: remove or narrow the statements that the finding names
package cadastre.controls.bnd_04

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.paths
import data.cadastre.lib.plane

# Paths that start beyond the boundary. The provider's own services act for the customer when they become a
# role; one that is let in directly and without any condition can be made to act for anybody.
outside_paths contains path if {
	some path in input.graph.paths
	path.side in {"vendor", "outside"}
}

outside_paths contains path if {
	some path in input.graph.paths
	path.side == "provider"
	path.decision == "allow"
	path.steps[0].capability != "assume"
}

reached := {path.target | some path in outside_paths}

# What holds records: stores, disks, snapshots and topics.
targets contains result if {
	some asset in data.cadastre.lib.plane.assets
	asset.kind in {"bucket", "volume", "snapshot"}
	result := {"id": asset.id, "names": asset.names, "evidence": asset.evidence}
}

targets contains result if {
	some cluster in input.inventory.clusters
	cluster.topics.state == "observed"
	some topic in cluster.topics.value
	id := sprintf("topic:%s/%s", [cluster.name, topic.name])
	result := {"id": id, "names": {id}, "evidence": topic.evidence}
}

open_questions contains result if {
	some name, reasons in data.cadastre.lib.plane.open_questions
	some reason in reasons
	result := {"about": name, "reason": reason}
}

# One open question about who may do what leaves it open for every store.
subjects contains result if {
	some target in targets
	count(target.names & reached) == 0
	count(open_questions) == 0
	evidence := {record | some list in [target.evidence, data.cadastre.lib.coverage.identities]; some record in list}
	result := finding.examined(target.id, evidence)
}

findings contains result if {
	proven := {path | some path in outside_paths; paths.proven(path)}
	some one in paths.grouped(proven)
	group := paths.of_group(proven, one)
	result := finding.red_path(
		one.principal,
		sprintf("is outside the boundary and reaches the records in %s%s", [paths.targets(group), paths.condition(one)]),
		paths.steps_of(group),
		paths.records_of(group),
		paths.cuts_of(group),
	)
}

findings contains result if {
	open := {path | some path in outside_paths; path.decision == "unknown"}
	some one in paths.grouped(open)
	group := paths.of_group(open, one)
	result := finding.unproven(
		one.principal,
		sprintf("is outside the boundary, and whether it reaches the records in %s is not settled: %s", [paths.targets(group), one.detail]),
		paths.records_of(group),
	)
}

findings contains result if {
	some question in open_questions
	result := finding.unproven(question.about, sprintf("who reaches records is not settled: %s", [question.reason]), records_about(question.about))
}

records_about(name) := {record |
	some asset in data.cadastre.lib.plane.assets
	name in asset.names
	some record in asset.evidence
} | data.cadastre.lib.coverage.identities

# Sharing that needs no key.
findings contains result if {
	some snapshot in data.cadastre.lib.plane.data_snapshots
	snapshot.shared_with.state == "observed"
	not snapshot.encrypted
	others := {account | some account in snapshot.shared_with.value} - data.cadastre.lib.declared.aws_accounts
	count(others) > 0
	count(plane.names_of("snapshot", snapshot) & reached) == 0
	result := finding.red(
		snapshot.id,
		sprintf("is not encrypted and shared with %s", [concat(", ", others)]),
		snapshot.evidence,
	)
}

findings contains result if {
	some snapshot in data.cadastre.lib.plane.data_snapshots
	snapshot.shared_with.state == "unknown"
	result := finding.unproven(snapshot.id, sprintf("whom it is shared with is not known: %s", [known.missing(snapshot.shared_with)]), snapshot.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.policy.state == "unknown"
	result := finding.unproven(bucket.arn, sprintf("who its policy lets in is not known: %s", [known.missing(bucket.policy)]), bucket.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some source in [key.policy, key.grants]
	source.state == "unknown"
	result := finding.unproven(key.arn, sprintf("who its policy and grants let in is not known: %s", [known.missing(source)]), key.evidence)
}

findings contains result if {
	some store in data.cadastre.lib.plane.broker_hosts
	store.role.state == "unknown"
	result := finding.unproven(store.id, "which role its hosts run as is not known", store.evidence)
}
