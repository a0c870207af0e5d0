# METADATA
# scope: package
# title: Durable data is encrypted under a customer-managed key
# description: |
#   Buckets that hold records, backups or logs, buckets that brokers write, broker disks and their snapshots,
#   declared log groups and trails: each is encrypted by default under a key that the customer manages in an
#   account of the boundary, and a declared store under exactly its declared key.
# custom:
#   id: KEY-01
#   area: key-authority
#   pass: it is encrypted under a customer-managed key
#   red_flag: a provider-managed key, or none
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - cloudtrail:DescribeTrails
#     - logs:DescribeLogGroups
#   fix: set the customer-managed key as the default, and re-encrypt what was written before
package cadastre.controls.key_01

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.plane

# Stores and the key each names: an ARN, another name for a key, or null.
stores contains result if {
	some bucket in input.inventory.buckets
	bucket.arn in bucket_arns
	bucket.encryption.state == "observed"
	bucket.encryption.value.algorithm in {"aws:kms", "aws:kms:dsse"}
	result := {"id": bucket.arn, "key": key_of_bucket(bucket.encryption.value), "evidence": bucket.evidence}
}

key_of_bucket(encryption) := encryption.key_arn if is_string(encryption.key_arn)

key_of_bucket(encryption) := encryption.key if not is_string(encryption.key_arn)

bucket_arns := {bucket.arn | some bucket in plane.data_buckets} | plane.log_buckets

stores contains result if {
	some list in [plane.data_volumes, plane.data_snapshots]
	some store in list
	store.encrypted
	result := {"id": store.id, "key": store.key_arn, "evidence": store.evidence}
}

log_groups := [group |
	some group in input.inventory.log_groups
	group.arn in object.keys(declared.sinks)
]

stores contains result if {
	some group in log_groups
	is_string(group.key_arn)
	result := {"id": group.arn, "key": group.key_arn, "evidence": group.evidence}
}

stores contains result if {
	some trail in input.inventory.trails
	is_string(trail.key)
	result := {"id": trail.arn, "key": trail.key, "evidence": trail.evidence}
}

subjects contains result if {
	some store in stores
	some key in keys_for(store)
	evidence := {record | some list in [store.evidence, key.evidence]; some record in list}
	result := finding.shown(store.id, sprintf("is encrypted under %s", [key.arn]), evidence)
}

# The collected key that a store's setting names.
keys_for(store) := {key |
	is_string(store.key)
	some key in input.inventory.keys
	names(key, store.key)
}

names(key, name) if key.arn == name

names(key, name) if name in key.aliases

names(key, name) if endswith(key.arn, sprintf(":key/%s", [name]))

names(key, name) if {
	startswith(name, "arn:")
	some alias in key.aliases
	endswith(name, sprintf(":%s:%s:%s", [key.region, key.account, alias]))
}

# No key ----------------------------------------------------------------------------------------------------

findings contains result if {
	some bucket in input.inventory.buckets
	bucket.arn in bucket_arns
	bucket.encryption.state == "observed"
	not bucket.encryption.value.algorithm in {"aws:kms", "aws:kms:dsse"}
	result := finding.red(bucket.arn, sprintf("is encrypted with %s, under a key of the provider", [bucket.encryption.value.algorithm]), bucket.evidence)
}

findings contains result if {
	some bucket in input.inventory.buckets
	bucket.arn in bucket_arns
	bucket.encryption.state == "absent"
	result := finding.red(bucket.arn, "has no default encryption under a key of the customer", bucket.evidence)
}

findings contains result if {
	some bucket in input.inventory.buckets
	bucket.arn in bucket_arns
	bucket.encryption.state == "unknown"
	missing := known.missing(bucket.encryption)
	result := finding.unproven(bucket.arn, sprintf("its encryption is not known: %s", [missing]), bucket.evidence)
}

findings contains result if {
	some list in [plane.data_volumes, plane.data_snapshots]
	some store in list
	not store.encrypted
	result := finding.red(store.id, "is not encrypted", store.evidence)
}

findings contains result if {
	some group in log_groups
	not is_string(group.key_arn)
	result := finding.red(group.arn, "is encrypted under a key of the provider", group.evidence)
}

findings contains result if {
	some trail in input.inventory.trails
	not is_string(trail.key)
	result := finding.red(trail.arn, "writes its files under a key of the provider", trail.evidence)
}

# Whose key -------------------------------------------------------------------------------------------------

findings contains result if {
	some store in stores
	not is_string(store.key)
	result := finding.red(store.id, "is encrypted under a key of the provider", store.evidence)
}

findings contains result if {
	some store in stores
	some key in keys_for(store)
	key.manager == {"state": "observed", "value": "AWS"}
	result := finding.red(store.id, sprintf("is encrypted under %s, which the provider manages", [key.arn]), store.evidence)
}

findings contains result if {
	some store in stores
	some key in keys_for(store)
	key.manager.state != "observed"
	result := finding.unproven(store.id, sprintf("who manages %s is not known", [key.arn]), store.evidence)
}

findings contains result if {
	some store in stores
	is_string(store.key)
	count(keys_for(store)) == 0
	is_string(store.key)
	account := declared.account_of(store.key)
	not account in declared.aws_accounts
	result := finding.red(store.id, sprintf("is encrypted under a key of account %s, which is not declared", [account]), store.evidence)
}

findings contains result if {
	some store in stores
	is_string(store.key)
	startswith(store.key, "alias/aws/")
	count(keys_for(store)) == 0
	result := finding.red(store.id, sprintf("is encrypted under %s, which the provider manages", [store.key]), store.evidence)
}

findings contains result if {
	some store in stores
	is_string(store.key)
	count(keys_for(store)) == 0
	not foreign_key(store.key)
	not startswith(store.key, "alias/aws/")
	result := finding.unproven(store.id, sprintf("its key `%s` is not in the evidence", [store.key]), store.evidence)
}

foreign_key(name) if {
	account := declared.account_of(name)
	not account in declared.aws_accounts
}

# A declared store under another key than declared.
findings contains result if {
	some store in stores
	wanted := plane.declared_stores[store.id].key
	is_string(wanted)
	some key in keys_for(store)
	not plane.key_goes_by(key, wanted)
	result := finding.red(store.id, sprintf("is encrypted under %s, and the declaration says `%s`", [key.arn, wanted]), store.evidence)
}

# What is missing -------------------------------------------------------------------------------------------

findings contains result if {
	some arn in (plane.declared_data_stores | plane.log_buckets)
	startswith(arn, "arn:aws:s3:::")
	not plane.bucket_by_arn[arn]
	result := finding.unproven(arn, "is named as a store and not among the observed buckets", coverage.records_of("s3:ListBuckets"))
}

findings contains result if {
	some arn, _ in declared.sinks
	contains(arn, ":log-group:")
	not arn in {group.arn | some group in input.inventory.log_groups}
	result := finding.unproven(arn, "is declared as a sink and not among the observed log groups", coverage.records_of("logs:DescribeLogGroups"))
}

findings contains result if {
	some host in plane.broker_hosts
	some id in host.volumes
	not id in {volume.id | some volume in input.inventory.volumes}
	result := finding.unproven(id, sprintf("is a disk of %s and not among the observed volumes", [host.id]), host.evidence)
}

findings contains result if {
	input.declaration.architecture in {"shared-storage", "tiered-storage"}
	count(plane.data_buckets) + count(plane.declared_data_stores) == 0
	result := finding.unproven(input.declaration.name, sprintf("the architecture is `%s`, and no bucket with records was found", [input.declaration.architecture]), coverage.records_of("s3:ListBuckets"))
}
