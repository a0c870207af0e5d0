# METADATA
# scope: package
# title: Internal topics are out of clients' reach
# description: |
#   Topics that belong to Kafka and its tools hold positions, transactions and metadata. Nobody but declared
#   administrators and super users may read, write, change or delete one, whether by its name, by a prefix or by
#   an ACL on every topic. Names that begin with two underscores count, present or not.
# custom:
#   id: KAF-06
#   area: kafka
#   pass: no client can read or change an internal topic
#   red_flag: a client principal can read, write, change or delete an internal topic
#   requires:
#     - kafka:DescribeAcls
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#   fix: narrow the ACL to the topics that the principal works with, or DENY it the internal ones
package cadastre.controls.kaf_06

import rego.v1

import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_judged(cluster)
	count(acting_for(cluster)) == 0
	some topic in internal_topics(cluster)
	result := finding.examined(kafka.topic_id(cluster, topic), kafka.both(topic.evidence, kafka.acl_records(cluster)))
}

# Internal topics are made when they are first used: what would reach them then is judged now.
subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_judged(cluster)
	cluster.topics.state == "observed"
	count(internal_topics(cluster)) == 0
	count(acting_for(cluster)) == 0
	count(reaching_names(cluster)) == 0
	result := finding.examined(kafka.cluster_id(cluster), kafka.both(cluster.evidence, kafka.acl_records(cluster)))
}

internal_topics(cluster) := [topic |
	some topic in kafka.topics(cluster)
	kafka.is_internal(topic)
]

# ACLs ------------------------------------------------------------------------------------------------------

powers := {"ALL", "ALTER", "ALTER_CONFIGS", "CREATE", "DELETE", "READ", "WRITE"}

# What clients may do with topics.
client_bindings(cluster) := [binding |
	some binding in kafka.grants(cluster)
	binding.resource_type == "TOPIC"
	binding.operation in powers
	not kafka.administers(cluster, binding.principal)
]

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some binding in client_bindings(cluster)
	some topic in internal_topics(cluster)
	kafka.covers(binding, "TOPIC", topic.name)
	result := finding.red(
		kafka.topic_id(cluster, topic),
		sprintf("is open to a client by the ACL %s", [kafka.right(binding)]),
		kafka.both(topic.evidence, [binding.record]),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some binding in reaching_names(cluster)
	result := finding.red(kafka.acl_id(cluster, binding), "lets a client at internal topics as soon as there are any", [binding.record])
}

# ACLs of clients that cover names of internal topics and none of the topics there are.
reaching_names(cluster) := [binding |
	some binding in client_bindings(cluster)
	covers_internal_names(binding)
	every topic in internal_topics(cluster) {
		not kafka.covers(binding, "TOPIC", topic.name)
	}
]

covers_internal_names(binding) if {
	binding.pattern_type == "LITERAL"
	startswith(binding.resource_name, "__")
}

covers_internal_names(binding) if kafka.covers_all(binding)

covers_internal_names(binding) if {
	binding.pattern_type == "PREFIXED"
	startswith(binding.resource_name, "__")
}

covers_internal_names(binding) if {
	binding.pattern_type == "PREFIXED"
	startswith("__", binding.resource_name)
}

# Acting for the cluster is to fetch as a follower does, from any topic and without an ACL on it.
acting_for(cluster) := [binding |
	some binding in kafka.grants(cluster)
	binding.resource_type == "CLUSTER"
	binding.operation in {"ALL", "CLUSTER_ACTION"}
	not kafka.administers(cluster, binding.principal)
]

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some binding in acting_for(cluster)
	result := finding.red(kafka.acl_id(cluster, binding), "lets a client fetch every internal topic as a follower", [binding.record])
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "absent"
	result := finding.red(
		kafka.cluster_id(cluster),
		"has no authorizer: everybody may read and change internal topics",
		kafka.both(cluster.evidence, kafka.acl_records(cluster)),
	)
}

# Rights that no ACL gives ----------------------------------------------------------------------------------

findings contains result if {
	some entry in others
	edges.possible(entry.edge)
	result := finding.red(
		entry.subject,
		sprintf("%s may %s %s", [entry.edge.principal, entry.edge.capability, edges.told(entry.edge)]),
		kafka.both(entry.evidence, edges.records(entry.edge)),
	)
}

findings contains result if {
	some entry in others
	edges.open(entry.edge)
	result := finding.unproven(
		entry.subject,
		sprintf("who may read and write it is not settled: %s", [entry.edge.detail]),
		entry.evidence,
	)
}

others contains entry if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "observed"
	some topic in internal_topics(cluster)
	target := kafka.topic_id(cluster, topic)
	some edge in data.cadastre.lib.edges.by_target[target]
	edge.capability in {"read-records", "write-records"}
	not kafka.administers(cluster, edge.principal)
	told := client_bindings(cluster)
	not kafka.explained(edge, told)
	entry := {"subject": target, "edge": edge, "evidence": topic.evidence}
}

# What is not known -----------------------------------------------------------------------------------------

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "topics", cluster.topics)
}

findings contains result if some result in data.cadastre.lib.kafka.unjudged[_]

findings contains result if some result in data.cadastre.lib.kafka.narrow_view

findings contains result if some result in data.cadastre.lib.kafka.silent
