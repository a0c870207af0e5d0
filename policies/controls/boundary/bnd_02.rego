# METADATA
# scope: package
# title: Data, replicas, backups and keys stay in declared regions
# description: |
#   Every component that holds data, and every copy that its configuration makes elsewhere, lies in a region
#   the boundary declares. Disks and snapshots are sought in the declared regions; buckets, replication rules
#   and key replicas are seen wherever they are.
# custom:
#   id: BND-02
#   area: boundary
#   pass: it and its copies lie in declared regions
#   red_flag: data, a replica, a backup or a key replica lies in an undeclared region
#   requires:
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketLocation
#     - s3:GetBucketReplication
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - cloudtrail:DescribeTrails
#     - logs:DescribeLogGroups
#   fix: move the data into a declared region and remove the copy, or declare the region
package cadastre.controls.bnd_02

import rego.v1

import data.cadastre.lib.finding

placed contains result if {
	some list in [data.cadastre.lib.plane.broker_hosts, data.cadastre.lib.plane.data_volumes, data.cadastre.lib.plane.data_snapshots]
	some item in list
	result := {"id": item.id, "region": item.region, "evidence": item.evidence}
}

placed contains result if {
	some key in data.cadastre.lib.plane.data_keys
	result := {"id": key.arn, "region": key.region, "evidence": key.evidence}
}

placed contains result if {
	some group in input.inventory.log_groups
	group.arn in object.keys(data.cadastre.lib.declared.sinks)
	result := {"id": group.arn, "region": group.region, "evidence": group.evidence}
}

placed contains result if {
	some bucket in buckets
	bucket.region.state == "observed"
	result := {"id": bucket.arn, "region": bucket.region.value, "evidence": bucket.evidence}
}

buckets contains bucket if some bucket in data.cadastre.lib.plane.data_buckets

buckets contains bucket if {
	some arn in data.cadastre.lib.plane.log_buckets
	bucket := data.cadastre.lib.plane.bucket_by_arn[arn]
}

subjects contains result if {
	some item in placed
	result := finding.examined(item.id, item.evidence)
}

findings contains result if {
	some item in placed
	not item.region in data.cadastre.lib.declared.regions
	result := finding.red(item.id, sprintf("lies in %s, which is not a declared region", [item.region]), item.evidence)
}

findings contains result if {
	some bucket in buckets
	bucket.region.state != "observed"
	result := finding.unproven(bucket.arn, sprintf("its region is not known: %s", [object.get(bucket.region, "value", "the service named none")]), bucket.evidence)
}

# Replication of buckets.
findings contains result if {
	some bucket in buckets
	bucket.replication_destinations.state == "unknown"
	result := finding.unproven(bucket.arn, sprintf("whether it is replicated is not known: %s", [bucket.replication_destinations.value]), bucket.evidence)
}

copies[bucket.arn] contains destination if {
	some bucket in buckets
	bucket.replication_destinations.state == "observed"
	some destination in bucket.replication_destinations.value
}

findings contains result if {
	some arn, destinations in copies
	some destination in destinations
	copy := data.cadastre.lib.plane.bucket_by_arn[destination]
	copy.region.state == "observed"
	not copy.region.value in data.cadastre.lib.declared.regions
	result := finding.red(
		arn,
		sprintf("is replicated to %s in %s, which is not a declared region", [destination, copy.region.value]),
		array.concat(data.cadastre.lib.plane.bucket_by_arn[arn].evidence, copy.evidence),
	)
}

findings contains result if {
	some arn, destinations in copies
	some destination in destinations
	not region_known(destination)
	result := finding.unproven(
		arn,
		sprintf("is replicated to %s, whose region is not in the evidence", [destination]),
		data.cadastre.lib.plane.bucket_by_arn[arn].evidence,
	)
}

region_known(arn) if data.cadastre.lib.plane.bucket_by_arn[arn].region.state == "observed"

# Replicas of keys.
findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	elsewhere := {region | some region in key.replica_regions} - data.cadastre.lib.declared.regions
	count(elsewhere) > 0
	result := finding.red(
		key.arn,
		sprintf("has replicas in %s, which the declaration does not name", [concat(", ", elsewhere)]),
		key.evidence,
	)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.multi_region.state == "unknown"
	result := finding.unproven(key.arn, sprintf("whether it has replicas is not known: %s", [key.multi_region.value]), key.evidence)
}
