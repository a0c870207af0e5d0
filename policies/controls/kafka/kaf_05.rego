# METADATA
# scope: package
# title: ACLs grant the least privilege
# description: |
#   Every ACL that gives something is held against the declaration: who may read, write, create, alter and delete
#   which topics. A DENY that takes everything an ACL gives makes it harmless. Rights that no ACL gives, through
#   super users or without an authorizer, are held against it as well, topic by topic.
# custom:
#   id: KAF-05
#   area: kafka
#   pass: ACLs give declared principals what is declared, and nothing more
#   red_flag: |
#     an ACL for `User:*`, on every topic, of ALL operations, or to alter or act for the cluster; or a principal that
#     can read or write a topic for which it is not declared
#   requires:
#     - kafka:DescribeAcls
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#   fix: replace the ACL with one that names a declared principal, one operation, and the topics declared for it
package cadastre.controls.kaf_05

import rego.v1

import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.kafka

# Subjects --------------------------------------------------------------------------------------------------

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_judged(cluster)
	count(excessive_in(cluster)) == 0
	result := finding.examined(kafka.cluster_id(cluster), kafka.both(cluster.evidence, kafka.acl_records(cluster)))
}

# A topic under an ACL that gives too much is told of with that ACL.
subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_judged(cluster)
	some topic in kafka.topics(cluster)
	not kafka.is_internal(topic)
	every binding in excessive_in(cluster) {
		not reaches(binding, topic)
	}
	result := finding.examined(kafka.topic_id(cluster, topic), kafka.both(topic.evidence, kafka.acl_records(cluster)))
}

reaches(binding, topic) if kafka.covers(binding, "TOPIC", topic.name)

reaches(binding, _) if binding.resource_type == "CLUSTER"

# ACLs ------------------------------------------------------------------------------------------------------

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some binding in excessive_in(cluster)
	result := finding.red(kafka.acl_id(cluster, binding), excess(cluster, binding), [binding.record])
}

excessive_in(cluster) := {binding | some binding in excessive[cluster.name]}

excessive[name] contains binding if {
	some cluster in data.cadastre.lib.kafka.clusters
	name := cluster.name
	some binding in kafka.grants(cluster)
	is_string(excess(cluster, binding))
}

# Powers over a cluster that only its administrators have.
cluster_powers := {"ALL", "ALTER", "ALTER_CONFIGS", "CLUSTER_ACTION", "CREATE"}

# Operations on topics that change nothing and give no record.
harmless := {"DESCRIBE", "DESCRIBE_CONFIGS"}

# What an ACL gives too much; undefined where it gives what is declared.
excess(cluster, binding) := reason if {
	not kafka.administers(cluster, binding.principal)
	reason := excess_of_others(cluster, binding)
}

excess_of_others(cluster, binding) := "is for whoever comes along" if {
	binding.principal in data.cadastre.lib.kafka.anybody
} else := "allows every operation to a principal that is no administrator" if {
	binding.operation == "ALL"
} else := "gives a power over the cluster to a principal that is no administrator" if {
	binding.resource_type == "CLUSTER"
	binding.operation in cluster_powers
} else := "is for a principal that nobody declared" if {
	binding.resource_type == "TOPIC"
	not kafka.is_known(cluster, binding.principal)
} else := "covers every topic" if {
	binding.resource_type == "TOPIC"
	not binding.operation in harmless
	kafka.covers_all(binding)
} else := "is for topics that are not declared for its principal" if {
	binding.resource_type == "TOPIC"
	declaration := declared_as[binding.operation]
	names := kafka.pattern_of(binding)
	not kafka.may(cluster, binding.principal, declaration, names)
} else := "lets a principal that is no administrator change or delete topics" if {
	binding.resource_type == "TOPIC"
	not binding.operation in harmless
	not declared_as[binding.operation]
}

# As what the declaration speaks of an operation: who writes topics may make them. It speaks of no other change.
declared_as := {"READ": "READ", "WRITE": "WRITE", "CREATE": "WRITE"}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "absent"
	result := finding.red(
		kafka.cluster_id(cluster),
		"has no authorizer: everybody may read, write and delete every topic",
		kafka.both(cluster.evidence, kafka.acl_records(cluster)),
	)
}

# Rights that no ACL gives ----------------------------------------------------------------------------------

findings contains result if {
	some entry in undeclared
	edges.possible(entry.edge)
	result := finding.red(
		entry.subject,
		sprintf("%s may %s it %s, and that is not declared", [
			entry.edge.principal,
			lower(entry.operation),
			edges.told(entry.edge),
		]),
		kafka.both(entry.evidence, edges.records(entry.edge)),
	)
}

findings contains result if {
	some entry in undeclared
	edges.open(entry.edge)
	result := finding.unproven(
		entry.subject,
		sprintf("who may read and write it is not settled: %s", [entry.edge.detail]),
		entry.evidence,
	)
}

operation_of := {"read-records": "READ", "write-records": "WRITE"}

# Edges onto topics that the declaration does not have and no ACL told of above explains.
undeclared contains entry if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "observed"
	some topic in kafka.topics(cluster)
	not kafka.is_internal(topic)
	target := kafka.topic_id(cluster, topic)
	some edge in data.cadastre.lib.edges.by_target[target]
	operation := operation_of[edge.capability]
	not kafka.may(cluster, edge.principal, operation, topic.name)
	told := excessive_in(cluster)
	not kafka.explained(edge, told)
	entry := {"subject": target, "edge": edge, "operation": operation, "evidence": topic.evidence}
}

# What is not known -----------------------------------------------------------------------------------------

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "topics", cluster.topics)
}

findings contains result if some result in data.cadastre.lib.kafka.unjudged[_]

findings contains result if some result in data.cadastre.lib.kafka.narrow_view

findings contains result if some result in data.cadastre.lib.kafka.silent
