# METADATA
# scope: package
# title: Every data-bearing component lies in a declared account
# description: |
#   Brokers, their disks and snapshots, the buckets they write, the keys that protect them and the sinks that
#   receive their logs are each found in an account of the boundary. A component that the complete lists of
#   all declared accounts do not have is elsewhere.
# custom:
#   id: BND-01
#   area: boundary
#   pass: it lies in a declared account
#   red_flag: a component is in no declared account, or cannot be located
#   requires:
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - ec2:DescribeFlowLogs
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - s3:GetBucketReplication
#     - kms:ListKeys
#     - kms:ListAliases
#     - cloudtrail:DescribeTrails
#     - logs:DescribeLogGroups
#     - kafka:Metadata
#   fix: move the component into an account of the boundary, or declare the account it is in
package cadastre.controls.bnd_01

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.finding
import data.cadastre.lib.plane

# Components that an account's own lists show, with the account that was asked.
located contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	result := {"id": host.id, "account": host.account, "evidence": host.evidence}
}

located contains result if {
	some volume in data.cadastre.lib.plane.data_volumes
	result := {"id": volume.id, "account": volume.account, "evidence": volume.evidence}
}

located contains result if {
	some snapshot in data.cadastre.lib.plane.data_snapshots
	result := {"id": snapshot.id, "account": snapshot.account, "evidence": snapshot.evidence}
}

located contains result if {
	some bucket in input.inventory.buckets
	bucket.arn in (data.cadastre.lib.plane.log_buckets | {data_bucket.arn | some data_bucket in data.cadastre.lib.plane.data_buckets})
	result := {"id": bucket.arn, "account": bucket.account, "evidence": bucket.evidence}
}

located contains result if {
	some key in data.cadastre.lib.plane.data_keys
	result := {"id": key.arn, "account": key.account, "evidence": key.evidence}
}

located contains result if {
	some trail in input.inventory.trails
	result := {"id": trail.arn, "account": trail.account, "evidence": trail.evidence}
}

located contains result if {
	some group in input.inventory.log_groups
	group.arn in object.keys(data.cadastre.lib.declared.sinks)
	result := {"id": group.arn, "account": group.account, "evidence": group.evidence}
}

subjects contains result if {
	some component in located
	result := finding.examined(component.id, component.evidence)
}

findings contains result if {
	some component in located
	not component.account in data.cadastre.lib.declared.aws_accounts
	result := finding.red(
		component.id,
		sprintf("lies in account %s, which is not declared", [component.account]),
		component.evidence,
	)
}

# Stores ----------------------------------------------------------------------------------------------------

# Buckets that something refers to, and who refers to them with which evidence.
referred[arn] contains result if {
	some arn in (data.cadastre.lib.plane.declared_data_stores | data.cadastre.lib.plane.log_buckets)
	startswith(arn, "arn:aws:s3:::")
	result := {"by": "the declaration", "evidence": coverage.records_of("s3:ListBuckets")}
}

referred[arn] contains result if {
	some trail in input.inventory.trails
	arn := concat("", ["arn:aws:s3:::", trail.bucket])
	result := {"by": sprintf("trail %s", [trail.name]), "evidence": trail.evidence}
}

referred[arn] contains result if {
	some log in input.inventory.flow_logs
	is_string(log.destination)
	startswith(log.destination, "arn:aws:s3:::")
	arn := concat("", ["arn:aws:s3:::", split(trim_prefix(log.destination, "arn:aws:s3:::"), "/")[0]])
	result := {"by": sprintf("flow log %s", [log.id]), "evidence": log.evidence}
}

referred[arn] contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.replication_destinations.state == "observed"
	some arn in bucket.replication_destinations.value
	result := {"by": sprintf("replication of %s", [bucket.name]), "evidence": bucket.evidence}
}

findings contains result if {
	some arn, entries in referred
	not data.cadastre.lib.plane.bucket_by_arn[arn]
	not coverage.gap_anywhere("s3:ListBuckets")
	result := finding.red(
		arn,
		sprintf("no declared account has this bucket, which %s names", [concat(" and ", {entry.by | some entry in entries})]),
		{record | some entry in entries; some record in entry.evidence},
	)
}

findings contains result if {
	some arn, entries in referred
	not data.cadastre.lib.plane.bucket_by_arn[arn]
	coverage.gap_anywhere("s3:ListBuckets")
	result := finding.unproven(
		arn,
		"cannot be located: not every account's list of buckets was read",
		{record | some entry in entries; some record in entry.evidence},
	)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.replication_destinations.state == "unknown"
	result := finding.unproven(bucket.arn, sprintf("where it is replicated to is not known: %s", [bucket.replication_destinations.value]), bucket.evidence)
}

# Declared sinks that are log groups.
findings contains result if {
	some arn, _ in data.cadastre.lib.declared.sinks
	contains(arn, ":log-group:")
	not arn in {group.arn | some group in input.inventory.log_groups}
	not coverage.gap_anywhere("logs:DescribeLogGroups")
	result := finding.red(
		arn,
		"no declared account has this log group, which the declaration names as a sink",
		coverage.records_of("logs:DescribeLogGroups"),
	)
}

# Keys ------------------------------------------------------------------------------------------------------

# Keys that protect data and that no account's list has.
findings contains result if {
	some arn in data.cadastre.lib.plane.used_key_arns
	not declared.account_of(arn) in data.cadastre.lib.declared.aws_accounts
	result := finding.red(
		arn,
		sprintf("protects data and is a key of account %s, which is not declared", [declared.account_of(arn)]),
		key_users(arn),
	)
}

findings contains result if {
	some arn in data.cadastre.lib.plane.used_key_arns
	declared.account_of(arn) in data.cadastre.lib.declared.aws_accounts
	not data.cadastre.lib.plane.key_by_arn[arn]
	result := finding.unproven(arn, "protects data and is in no list of keys that was read", key_users(arn))
}

# A bucket may name a key that is none of the collected ones.
findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.encryption.state == "observed"
	is_string(bucket.encryption.value.key)
	not is_string(bucket.encryption.value.key_arn)
	not declared.account_of(bucket.encryption.value.key) in data.cadastre.lib.declared.aws_accounts
	declared.account_of(bucket.encryption.value.key)
	result := finding.red(
		bucket.encryption.value.key,
		sprintf("protects %s and is a key of account %s, which is not declared", [bucket.arn, declared.account_of(bucket.encryption.value.key)]),
		bucket.evidence,
	)
}

findings contains result if {
	some entry in input.declaration.keys
	count(plane.keys_named(entry.id)) == 0
	result := finding.unproven(entry.id, "is declared, and no key that was read goes by this name", coverage.records_of("kms:ListAliases"))
}

key_users(arn) := {record |
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.encryption.value.key_arn == arn
	some record in bucket.evidence
} | {record |
	some list in [data.cadastre.lib.plane.data_volumes, data.cadastre.lib.plane.data_snapshots]
	some store in list
	store.key_arn == arn
	some record in store.evidence
}

# Brokers ---------------------------------------------------------------------------------------------------

broker_id(cluster, broker) := sprintf("broker:%s/%d", [cluster.name, broker.id])

hosts_of(broker) := {host | some host in data.cadastre.lib.plane.broker_hosts; broker.host in plane.host_names(host)}

subjects contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	hosts := hosts_of(broker)
	count(hosts) > 0
	result := finding.shown(
		broker_id(cluster, broker),
		sprintf("runs on %s in account %s", [concat(", ", {host.id | some host in hosts}), concat(", ", {host.account | some host in hosts})]),
		{record | some list in [broker.evidence, {id | some host in hosts; some id in host.evidence}]; some record in list},
	)
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	count(hosts_of(broker)) == 0
	result := finding.unproven(
		broker_id(cluster, broker),
		sprintf("advertises `%s`, which is no address of an instance in a declared account", [broker.host]),
		broker.evidence,
	)
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state != "observed"
	result := finding.unproven(sprintf("cluster:%s", [cluster.name]), sprintf("its brokers are not known: %s", [object.get(cluster.brokers, "value", "the cluster shows none")]), cluster.evidence)
}

findings contains result if {
	some name, _ in data.cadastre.lib.declared.clusters
	not name in {cluster.name | some cluster in input.inventory.clusters}
	result := finding.unproven(sprintf("cluster:%s", [name]), "is declared and nothing of it was observed", set())
}
