# METADATA
# scope: package
# title: Two authorization planes are judged together
# description: |
#   On a managed cluster the cloud's own access control and Kafka's ACLs decide side by side, each for the clients
#   that authenticate its way, and neither asks the other. Both are evaluated, and a rule of one that a reader would
#   take for a protection against clients of the other is told, as is an ACL that no client is ever held against.
# custom:
#   id: KAF-12
#   area: kafka
#   pass: every plane that decides on it was evaluated, and each of its rules binds somebody
#   red_flag: a rule that a reader would think protects, and that does not
#   requires:
#     - kafka:DescribeAcls
#     - kafka:DescribeConfigs
#   fix: remove the rule, and say the same where it is asked
package cadastre.controls.kaf_12

import rego.v1

import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.guards
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := finding.shown(kafka.cluster_id(cluster), told(cluster), kafka.both(cluster.evidence, kafka.acl_records(cluster)))
}

managed(cluster) if data.cadastre.lib.declared.clusters[cluster.name].kind == "msk"

told(cluster) := "what IAM allows and what ACLs allow were evaluated, and each rule binds somebody" if managed(cluster)

told(cluster) := "its ACLs alone decide, and each binds somebody" if {
	not managed(cluster)
	cluster.acls.state != "absent"
}

told(cluster) := "it has no rule that somebody could take for a protection" if {
	not managed(cluster)
	cluster.acls.state == "absent"
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	id := kafka.cluster_id(cluster)
	some guard in guards.with_defect(id, data.cadastre.lib.guards.idle)
	result := guards.red(id, guard)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	managed(cluster)
	id := kafka.cluster_id(cluster)
	some reason in edges.undecided_about({id})
	result := finding.unproven(id, sprintf("which plane decides for whom is not settled: %s", [reason]), cluster.evidence)
}

# Brokers of Amazon MSK carry its names whatever the declaration says ("Get the bootstrap brokers for an Amazon MSK
# cluster", Amazon MSK Developer Guide), and IAM may decide there as well.
findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	not managed(cluster)
	some broker in kafka.brokers(cluster)
	regex.match(`\.kafka(-serverless)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$`, broker.host)
	result := finding.unproven(
		kafka.cluster_id(cluster),
		sprintf("%s is a name of Amazon MSK, and the cluster is not declared as `msk`", [broker.host]),
		cluster.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "unknown"
	result := kafka.unsettled(cluster, "ACLs", cluster.acls)
}

findings contains result if some result in data.cadastre.lib.kafka.narrow_view

findings contains result if some result in data.cadastre.lib.kafka.silent
