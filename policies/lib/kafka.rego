# Kafka clusters: names of subjects, settings of brokers, and what an ACL binding covers.
package cadastre.lib.kafka

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.finding

clusters := input.inventory.clusters

cluster_id(cluster) := sprintf("cluster:%s", [cluster.name])

topic_id(cluster, topic) := sprintf("topic:%s/%s", [cluster.name, topic.name])

listener_id(cluster, listener) := sprintf("listener:%s/%s", [cluster.name, listener.name])

broker_id(cluster, broker) := sprintf("broker:%s/%d", [cluster.name, broker.id])

acl_id(cluster, binding) := sprintf("acl:%s/%s %s %s:%s", [
	cluster.name, binding.principal, binding.operation, binding.resource_type, shown_name(binding),
])

shown_name(binding) := binding.resource_name if binding.pattern_type != "PREFIXED"

shown_name(binding) := sprintf("%s (prefixed)", [binding.resource_name]) if binding.pattern_type == "PREFIXED"

# A declared cluster of which nothing was observed is unproven in every control.
silent contains result if {
	some name, _ in declared.clusters
	not name in {cluster.name | some cluster in clusters}
	result := finding.unproven(sprintf("cluster:%s", [name]), "is declared and nothing of it was observed", set())
}

# A part of a cluster that no record settles, as a finding.
unsettled(cluster, what, property) := finding.unproven(
	cluster_id(cluster),
	sprintf("its %s are not known: %s", [what, property.value]),
	cluster.evidence,
) if property.state == "unknown"

unsettled(cluster, what, property) := finding.unproven(
	cluster_id(cluster),
	sprintf("its %s are not known: the cluster shows none", [what]),
	cluster.evidence,
) if property.state == "absent"

# Brokers and settings ------------------------------------------------------------------------------------

brokers(cluster) := cluster.brokers.value if cluster.brokers.state == "observed"

brokers(cluster) := [] if cluster.brokers.state != "observed"

# The value of a broker's or topic's setting; undefined where it is hidden, missing or null.
setting(thing, name) := thing.configs.value[name].value if {
	thing.configs.state == "observed"
	not thing.configs.value[name].sensitive
	is_string(thing.configs.value[name].value)
}

is_true(text) if lower(text) == "true"

# ACLs ----------------------------------------------------------------------------------------------------

bindings(cluster) := cluster.acls.value if cluster.acls.state == "observed"

bindings(cluster) := [] if cluster.acls.state != "observed"

allows(cluster) := {binding | some binding in bindings(cluster); binding.permission == "ALLOW"}

# Whether a binding speaks of a resource of that type and name.
covers(binding, resource_type, name) if {
	binding.resource_type == resource_type
	binding.pattern_type == "LITERAL"
	binding.resource_name in {name, "*"}
}

covers(binding, resource_type, name) if {
	binding.resource_type == resource_type
	binding.pattern_type == "PREFIXED"
	startswith(name, binding.resource_name)
}

# Whether a binding speaks of every resource of its type.
covers_all(binding) if {
	binding.pattern_type == "LITERAL"
	binding.resource_name == "*"
}

covers_all(binding) if {
	binding.pattern_type == "PREFIXED"
	binding.resource_name == ""
}

administrators(cluster) := declared.kafka_administrators(cluster.name)

administers(cluster, principal) if principal in administrators(cluster)

acl_records(cluster) := coverage.records_in_cluster("kafka:DescribeAcls", cluster.name)
