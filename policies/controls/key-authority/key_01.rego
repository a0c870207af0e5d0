# METADATA
# scope: package
# title: Durable data is encrypted under a customer-managed key
# description: |
#   Every bucket of records or logs, every disk of a broker and its snapshots, every log group that the
#   declaration names as a sink and every trail is listed with the key that protects it. The key is one that the
#   customer manages, in a declared account, and the very key that the declaration names for the store. For a
#   bucket that is its default encryption; what writers may ask for instead is the matter of KEY-10. The disks of
#   brokers that run on no known instance stay unproven.
# custom:
#   id: KEY-01
#   area: key-authority
#   pass: it is encrypted under a key that the customer manages
#   red_flag: a store has no key, one that the provider manages, or another than the declared one
#   requires:
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - iam:ListInstanceProfiles
#     - iam:GetAccountAuthorizationDetails
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - logs:DescribeLogGroups
#     - cloudtrail:DescribeTrails
#     - kafka:Metadata
#   fix: encrypt the store under the declared customer-managed key, and copy what was written before
package cadastre.controls.key_01

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.finding
import data.cadastre.lib.kafka
import data.cadastre.lib.keys
import data.cadastre.lib.known
import data.cadastre.lib.plane

# Stores ----------------------------------------------------------------------------------------------------

buckets contains bucket if some bucket in data.cadastre.lib.plane.data_buckets

buckets contains bucket if {
	some arn in data.cadastre.lib.plane.log_buckets
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
}

sink_groups contains group if {
	some group in input.inventory.log_groups
	group.arn in object.keys(data.cadastre.lib.declared.sinks)
}

# Stores with the key that each names: where it lies decides what an alias means.
keyed contains result if {
	some bucket in buckets
	bucket.encryption.state == "observed"
	bucket.encryption.value.algorithm in {"aws:kms", "aws:kms:dsse"}
	is_string(bucket.encryption.value.key)
	result := {
		"id": bucket.arn, "names": {bucket.arn}, "key": keys.bucket_key(bucket.encryption.value),
		"account": bucket.account, "region": object.get(bucket.region, "value", ""), "evidence": bucket.evidence,
	}
}

keyed contains result if {
	some volume in data.cadastre.lib.plane.data_volumes
	volume.encrypted
	is_string(volume.key_arn)
	result := {
		"id": volume.id, "names": plane.names_of("volume", volume), "key": volume.key_arn,
		"account": volume.account, "region": volume.region, "evidence": volume.evidence,
	}
}

keyed contains result if {
	some snapshot in data.cadastre.lib.plane.data_snapshots
	snapshot.encrypted
	is_string(snapshot.key_arn)
	result := {
		"id": snapshot.id, "names": plane.names_of("snapshot", snapshot), "key": snapshot.key_arn,
		"account": snapshot.account, "region": snapshot.region, "evidence": snapshot.evidence,
	}
}

keyed contains result if {
	some group in sink_groups
	is_string(group.key_arn)
	result := {
		"id": group.arn, "names": {group.arn}, "key": group.key_arn,
		"account": group.account, "region": group.region, "evidence": group.evidence,
	}
}

keyed contains result if {
	some trail in input.inventory.trails
	is_string(trail.key)
	result := {
		"id": trail.arn, "names": {trail.arn}, "key": trail.key,
		"account": trail.account, "region": trail.home_region, "evidence": trail.evidence,
	}
}

subjects contains result if {
	some store in keyed
	some key in keys.named(store.key, store.account, store.region)
	result := finding.shown(
		store.id,
		sprintf("is encrypted under %s (%s), which the customer manages", [keys.name(key), key.arn]),
		{record | some list in [store.evidence, key.evidence]; some record in list},
	)
}

# No key ----------------------------------------------------------------------------------------------------

findings contains result if {
	some bucket in buckets
	bucket.encryption.state == "absent"
	result := finding.red(bucket.arn, "has no default encryption", bucket.evidence)
}

findings contains result if {
	some bucket in buckets
	bucket.encryption.state == "observed"
	not bucket.encryption.value.algorithm in {"aws:kms", "aws:kms:dsse"}
	result := finding.red(
		bucket.arn,
		sprintf("is encrypted by `%s`, under a key of S3's own", [bucket.encryption.value.algorithm]),
		bucket.evidence,
	)
}

findings contains result if {
	some bucket in buckets
	bucket.encryption.state == "observed"
	bucket.encryption.value.algorithm in {"aws:kms", "aws:kms:dsse"}
	not is_string(bucket.encryption.value.key)
	result := finding.red(bucket.arn, "is encrypted under `aws/s3`, which AWS manages: no key is named", bucket.evidence)
}

findings contains result if {
	some bucket in buckets
	not bucket.encryption.state in {"observed", "absent"}
	result := finding.unproven(bucket.arn, sprintf("how it is encrypted is not known: %s", [known.missing(bucket.encryption)]), bucket.evidence)
}

findings contains result if {
	some list in [data.cadastre.lib.plane.data_volumes, data.cadastre.lib.plane.data_snapshots]
	some store in list
	not store.encrypted
	result := finding.red(store.id, "is not encrypted", store.evidence)
}

findings contains result if {
	some list in [data.cadastre.lib.plane.data_volumes, data.cadastre.lib.plane.data_snapshots]
	some store in list
	store.encrypted
	not is_string(store.key_arn)
	result := finding.unproven(store.id, "is encrypted, and nothing shows under which key", store.evidence)
}

findings contains result if {
	some group in sink_groups
	not is_string(group.key_arn)
	result := finding.red(group.arn, "is encrypted under a key of CloudWatch Logs' own: it names none", group.evidence)
}

findings contains result if {
	some trail in input.inventory.trails
	not is_string(trail.key)
	result := finding.red(trail.arn, "has its files encrypted under a key of S3's own: it names none", trail.evidence)
}

# Whose key -------------------------------------------------------------------------------------------------

findings contains result if {
	some store in keyed
	some key in keys.named(store.key, store.account, store.region)
	key.manager == {"state": "observed", "value": "AWS"}
	result := finding.red(
		store.id,
		sprintf("is encrypted under %s, which AWS manages", [keys.name(key)]),
		{record | some list in [store.evidence, key.evidence]; some record in list},
	)
}

findings contains result if {
	some store in keyed
	some key in keys.named(store.key, store.account, store.region)
	not key.manager in [{"state": "observed", "value": "AWS"}, {"state": "observed", "value": "CUSTOMER"}]
	result := finding.unproven(
		store.id,
		sprintf("is encrypted under %s, and who manages it is not known: %s", [keys.name(key), object.get(key.manager, "value", "nothing says it")]),
		{record | some list in [store.evidence, key.evidence]; some record in list},
	)
}

# The account of the key, as its ARN says it, whether it was read or not.
findings contains result if {
	some store in keyed
	account := declared.account_of(store.key)
	not account in data.cadastre.lib.declared.aws_accounts
	result := finding.red(
		store.id,
		sprintf("is encrypted under %s, a key of account %s, which is not declared", [store.key, account]),
		store.evidence,
	)
}

findings contains result if {
	some store in keyed
	count(keys.named(store.key, store.account, store.region)) == 0
	reserved(store.key)
	result := finding.red(store.id, sprintf("is encrypted under %s, which AWS manages", [store.key]), store.evidence)
}

findings contains result if {
	some store in keyed
	count(keys.named(store.key, store.account, store.region)) == 0
	not reserved(store.key)
	not in_undeclared_account(store.key)
	result := finding.unproven(
		store.id,
		sprintf("is encrypted under %s, which is in no list of keys that was read", [store.key]),
		store.evidence,
	)
}

# Aliases that begin with `aws/` are AWS's own ("Aliases in AWS KMS", AWS KMS Developer Guide).
reserved(text) if regex.match(`(^|:)alias/aws/[^/]+$`, text)

in_undeclared_account(text) if {
	account := declared.account_of(text)
	not account in data.cadastre.lib.declared.aws_accounts
}

# The declared key ------------------------------------------------------------------------------------------

declared_for(store) := {entry.key |
	some entry in input.declaration.stores
	entry.arn in store.names
	is_string(entry.key)
}

findings contains result if {
	some store in keyed
	some wanted in declared_for(store)
	named := plane.keys_named(wanted)
	count(named) > 0
	actual := keys.named(store.key, store.account, store.region)
	count(actual) > 0
	count(actual & named) == 0
	result := finding.red(
		store.id,
		sprintf("is encrypted under %s, and the declaration names %s", [concat(", ", {keys.name(key) | some key in actual}), wanted]),
		{record | some list in [store.evidence, {id | some key in actual; some id in key.evidence}]; some record in list},
	)
}

findings contains result if {
	some store in keyed
	some wanted in declared_for(store)
	count(plane.keys_named(wanted)) == 0
	result := finding.unproven(
		store.id,
		sprintf("the declaration names %s for it, and no key that was read goes by this name", [wanted]),
		store.evidence,
	)
}

# Stores that were not seen ---------------------------------------------------------------------------------

seen := ({bucket.arn | some bucket in buckets} | {group.arn | some group in sink_groups}) | {name |
	some kind, list in {"volume": data.cadastre.lib.plane.data_volumes, "snapshot": data.cadastre.lib.plane.data_snapshots}
	some store in list
	some name in plane.names_of(kind, store)
}

expected contains arn if {
	some arn, store in data.cadastre.lib.plane.declared_stores
	store.holds in {"records", "backups", "logs"}
}

expected contains arn if some arn in data.cadastre.lib.plane.log_buckets

expected contains arn if some arn, _ in data.cadastre.lib.declared.sinks

findings contains result if {
	some arn in expected
	not arn in seen
	result := finding.unproven(
		arn,
		"is named as a store and was not found, so that how it is encrypted is not known",
		coverage.records_of("s3:ListBuckets"),
	)
}

findings contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	some id in host.volumes
	not id in data.cadastre.lib.plane.data_volume_ids
	result := finding.unproven(id, sprintf("is attached to %s and in no list of volumes that was read", [host.id]), host.evidence)
}

# Disks of brokers that no instance is known to run.
findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	count({host.id | some host in data.cadastre.lib.plane.broker_hosts; broker.host in plane.host_names(host)}) == 0
	result := finding.unproven(
		kafka.broker_id(cluster, broker),
		sprintf("which disks it writes is not known: `%s` is no address of an instance in a declared account", [broker.host]),
		broker.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "brokers", cluster.brokers)
}

findings contains result if some result in data.cadastre.lib.kafka.silent

findings contains result if {
	some architecture in data.cadastre.lib.declared.architectures
	architecture in {"shared-storage", "tiered-storage"}
	count(data.cadastre.lib.plane.data_buckets) + count(data.cadastre.lib.plane.declared_data_stores) == 0
	result := finding.unproven(
		input.declaration.name,
		sprintf("the architecture is `%s`, and no bucket with records was found", [architecture]),
		coverage.records_of("s3:ListBuckets"),
	)
}
