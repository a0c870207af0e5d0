# METADATA
# scope: package
# title: No later stage of the lifecycle outlives retention
# description: |
#   What a topic let go of is kept by nothing behind it for longer than the topic itself kept it: older versions of objects end by a rule for the
#   whole bucket within the shortest retention of a topic, no lock holds them longer, nothing is replicated to where no rule was seen, and no
#   snapshot holds a broker's disk.
# custom:
#   id: EXT-02
#   area: exit
#   pass: it keeps what topics deleted no longer than the shortest retention of a topic
#   red_flag: versions are kept for ever, or longer than a topic keeps its records
#   requires:
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - kafka:DescribeAcls
#     - s3:ListBuckets
#     - s3:GetBucketVersioning
#     - s3:GetBucketLifecycleConfiguration
#     - s3:GetBucketReplication
#     - s3:GetObjectLockConfiguration
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#   fix: give the data bucket a lifecycle rule without a filter that ends noncurrent versions within the shortest retention of a topic
package cadastre.controls.ext_02

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.kafka
import data.cadastre.lib.known

# The first stage ---------------------------------------------------------------------------------------------

# Topics whose records end, with how long they are kept in seconds. What is compacted or kept for ever is outlived by nothing.
ending contains entry if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in kafka.topics(cluster)
	not topic.internal
	not is_compacted(topic)
	milliseconds := kafka.number(topic, "retention.ms")
	milliseconds >= 0
	entry := {"topic": kafka.topic_id(cluster, topic), "seconds": ceil(milliseconds / 1000), "evidence": topic.evidence}
}

# Compaction alone: retention.ms has no effect then.
is_compacted(topic) if lower(trim_space(kafka.setting(topic, "cleanup.policy"))) == "compact"

shortest := min({entry.seconds | some entry in ending}) if count(ending) > 0

shortest_topics := {entry | some entry in ending; entry.seconds == shortest}

named_topics := concat(", ", sort([entry.topic | some entry in shortest_topics]))

topic_records := {record | some entry in shortest_topics; some record in entry.evidence}

days(seconds) := floor(seconds / 86400)

# The stages behind it ----------------------------------------------------------------------------------------

subjects contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	records := {record | some list in [bucket.evidence, topic_records]; some record in list}
	result := finding.examined(bucket.arn, records)
}

# Suspended versions are kept like others.
keeps_versions(bucket) if known.value_of(bucket.versioning) in {"Enabled", "Suspended"}

rules(bucket) := bucket.lifecycle.value if bucket.lifecycle.state == "observed"

rules(bucket) := [] if bucket.lifecycle.state != "observed"

# Rules for every object. Those for a part of them leave the rest, and nobody can tell which part holds records.
ends_versions(rule) if {
	rule.Status == "Enabled"
	is_number(rule.NoncurrentVersionExpiration.NoncurrentDays)
	not rule.NoncurrentVersionExpiration.NewerNoncurrentVersions
}

is_for_all(rule) if {
	object.get(rule, "Prefix", "") == ""
	object.get(rule, "Filter", {}) in [{}, {"Prefix": ""}]
}

ends(bucket) := {seconds |
	some rule in rules(bucket)
	ends_versions(rule)
	is_for_all(rule)
	seconds := rule.NoncurrentVersionExpiration.NoncurrentDays * 86400
}

has_end(bucket) if count(ends(bucket)) > 0

kept(bucket) := min(ends(bucket)) if count(ends(bucket)) > 0

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	keeps_versions(bucket)
	bucket.lifecycle.state in {"absent", "observed"}
	not has_end(bucket)
	count([rule | some rule in rules(bucket); ends_versions(rule)]) == 0
	result := finding.red(bucket.arn, "keeps older versions of objects for ever", bucket.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	keeps_versions(bucket)
	not has_end(bucket)
	count([rule | some rule in rules(bucket); ends_versions(rule)]) > 0
	result := finding.unproven(bucket.arn, "only some of its older versions end by a rule, and which ones hold records is not known", bucket.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	keeps_versions(bucket)
	kept(bucket) > shortest
	records := {record | some list in [bucket.evidence, topic_records]; some record in list}
	message := sprintf("keeps older versions of objects for %d days, and %s keeps its records for %d", [days(kept(bucket)), named_topics, days(shortest)])
	result := finding.red(bucket.arn, message, records)
}

# A lifecycle rule ends no version that a lock holds (Amazon S3 User Guide, "Object Lock considerations").
locked(bucket) := bucket.object_lock.value if bucket.object_lock.state == "observed"

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	lock := locked(bucket)
	is_number(lock.days)
	lock.days * 86400 > shortest
	records := {record | some list in [bucket.evidence, topic_records]; some record in list}
	message := sprintf("locks each version for %d days, and %s keeps its records for %d", [lock.days, named_topics, days(shortest)])
	result := finding.red(bucket.arn, message, records)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	lock := locked(bucket)
	not is_number(lock.days)
	result := finding.unproven(bucket.arn, "allows locks on single objects, and how long those hold versions is not known", bucket.evidence)
}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	some what in ["versioning", "lifecycle", "object_lock", "replication_destinations"]
	property := bucket[what]
	property.state == "unknown"
	result := finding.unproven(bucket.arn, sprintf("how long it keeps what was deleted is not known: %s", [property.value]), bucket.evidence)
}

data_arns := {bucket.arn | some bucket in data.cadastre.lib.plane.data_buckets}

findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	some destination in known.value_of(bucket.replication_destinations)
	not destination in data_arns
	result := finding.unproven(bucket.arn, sprintf("is copied to %s, and how long that keeps what was deleted here is not known", [destination]), bucket.evidence)
}

findings contains result if {
	some snapshot in input.inventory.snapshots
	snapshot.volume in data.cadastre.lib.plane.data_volume_ids
	result := finding.unproven(snapshot.id, sprintf("holds the broker's disk %s as it was, and nothing says when it ends", [snapshot.volume]), snapshot.evidence)
}

# What the first stage does not tell --------------------------------------------------------------------------

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in kafka.topics(cluster)
	result := kafka.unknown_topic(cluster, topic)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "topics", cluster.topics)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in kafka.topics(cluster)
	not topic.internal
	topic.configs.state == "observed"
	not is_compacted(topic)
	not kafka.shows_number(topic, "retention.ms")
	result := finding.unproven(kafka.topic_id(cluster, topic), kafka.not_shown(topic, "retention.ms"), topic.evidence)
}

# A scanner that may not describe every topic does not know the shortest retention.
findings contains result if some result in data.cadastre.lib.kafka.narrow_view

findings contains result if {
	count(ending) == 0
	some bucket in data.cadastre.lib.plane.data_buckets
	keeps_versions(bucket)
	has_end(bucket)
	result := finding.unproven(bucket.arn, "no topic is known whose records end, so that there is nothing to compare with", bucket.evidence)
}

findings contains result if some result in data.cadastre.lib.kafka.silent
