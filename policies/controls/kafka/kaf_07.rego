# METADATA
# scope: package
# title: Quotas bind every client class
# description: |
#   A quota on the default user binds every client that no entry of its own speaks of, for what it writes and for
#   what it reads. An entry that comes before it (for a user, a client id or both) must not lift the limit again.
# custom:
#   id: KAF-07
#   area: kafka
#   pass: a default limits the bytes that every client may write and read, and no entry lifts it
#   red_flag: no quotas, a default that is unlimited, or an entry that is
#   requires:
#     - kafka:DescribeClientQuotas
#   fix: set producer_byte_rate and consumer_byte_rate on the default user, and remove entries without a limit
package cadastre.controls.kaf_07

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.quotas.state == "observed"
	result := finding.examined(kafka.cluster_id(cluster), quota_records(cluster))
}

# Rates in bytes per second, and what each binds.
rates := {"producer_byte_rate": "write", "consumer_byte_rate": "read"}

# Kafka stands for "no limit" with the greatest long; anything near it limits nothing.
unlimited := 4611686018427387904

quotas(cluster) := cluster.quotas.value if cluster.quotas.state == "observed"

# No default at all, or none for that rate.
findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.quotas.state == "observed"
	some rate, verb in rates
	count([quota | some quota in quotas(cluster); is_default(quota); is_number(quota.limits[rate])]) == 0
	result := finding.red(
		kafka.cluster_id(cluster),
		sprintf("no default quota limits what clients %s (%s)", [verb, rate]),
		quota_records(cluster),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some quota in quotas(cluster)
	some rate, _ in rates
	quota.limits[rate] >= unlimited
	result := finding.red(
		kafka.cluster_id(cluster),
		sprintf("%s of %s is unlimited", [rate, entity_told(quota)]),
		quota_records(cluster),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "quotas", cluster.quotas)
}

findings contains result if some result in data.cadastre.lib.kafka.silent

# The default user, with whatever client id. A default client id binds nobody: clients choose their ids, and each
# new one has the whole quota again.
is_default(quota) if quota.entity in [{"user": null}, {"user": null, "client-id": null}]

entity_told(quota) := concat(", ", [told | some kind, name in quota.entity; told := part_told(kind, name)])

part_told(kind, name) := sprintf("%s %s", [kind, name]) if is_string(name)

part_told(kind, name) := sprintf("the default %s", [kind]) if is_null(name)

quota_records(cluster) := kafka.both(cluster.evidence, coverage.records_in_cluster("kafka:DescribeClientQuotas", cluster.name))
