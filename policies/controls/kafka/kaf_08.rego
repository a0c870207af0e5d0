# METADATA
# scope: package
# title: Admin operations are limited to declared administrators
# description: |
#   Altering the cluster is altering ACLs, SCRAM credentials and quotas; altering configs of topics and groups
#   undoes what other controls rest on; tokens made for another user are that user. ACLs for such operations are
#   for declared administrators and super users only, and two of the operations are tried besides.
# custom:
#   id: KAF-08
#   area: kafka
#   pass: only declared administrators may alter configs, ACLs, credentials and tokens
#   red_flag: a further principal can alter configs, ACLs, SCRAM credentials or delegation tokens
#   requires:
#     - kafka:DescribeAcls
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - probe:DeniedOperation
#   fix: remove the ACL, or declare the principal as an administrator of the cluster
package cadastre.controls.kaf_08

import rego.v1

import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_judged(cluster)
	count(misplaced(cluster)) == 0
	evidence := kafka.both(cluster.evidence, kafka.acl_records(cluster))
	result := finding.examined(kafka.cluster_id(cluster), evidence)
}

# Operations by which one administers, by type of resource.
administration := {
	"CLUSTER": {"ALL", "ALTER", "ALTER_CONFIGS", "CLUSTER_ACTION"},
	"TOPIC": {"ALL", "ALTER", "ALTER_CONFIGS"},
	"GROUP": {"ALL", "ALTER_CONFIGS"},
	"USER": {"ALL", "CREATE_TOKENS"},
}

misplaced(cluster) := [binding |
	some binding in kafka.grants(cluster)
	binding.operation in administration[binding.resource_type]
	not kafka.administers(cluster, binding.principal)
]

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some binding in misplaced(cluster)
	result := finding.red(
		kafka.acl_id(cluster, binding),
		"lets a principal administer that is no declared administrator",
		[binding.record],
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "absent"
	result := finding.red(
		kafka.cluster_id(cluster),
		"has no authorizer: everybody administers it",
		kafka.both(cluster.evidence, kafka.acl_records(cluster)),
	)
}

# Rights that no ACL gives ----------------------------------------------------------------------------------

findings contains result if {
	some entry in others
	edges.possible(entry.edge)
	result := finding.red(
		entry.subject,
		sprintf("%s may administer it %s", [entry.edge.principal, edges.told(entry.edge)]),
		kafka.both(entry.evidence, edges.records(entry.edge)),
	)
}

findings contains result if {
	some entry in others
	edges.open(entry.edge)
	result := finding.unproven(
		entry.subject,
		sprintf("who administers it is not settled: %s", [entry.edge.detail]),
		entry.evidence,
	)
}

others contains entry if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "observed"
	target := kafka.cluster_id(cluster)
	some edge in data.cadastre.lib.edges.by_target[target]
	edge.capability == "change-policy"
	not kafka.administers(cluster, edge.principal)
	told := misplaced(cluster)
	not kafka.explained(edge, told)
	entry := {"subject": target, "edge": edge, "evidence": cluster.evidence}
}

# Trying ----------------------------------------------------------------------------------------------------

tried_operations := {"AlterConfigs", "CreateTopics"}

# Tries by principals that must be refused. That an administrator is let through shows nothing.
tries(cluster) := [denial |
	some denial in cluster.denials
	denial.operation in tried_operations
	not kafka.administers(cluster, denial.principal)
]

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some denial in tries(cluster)
	denial.refused == {"state": "observed", "value": false}
	evidence := {record |
		some other in tries(cluster)
		other.principal == denial.principal
		other.operation == denial.operation
		other.refused == denial.refused
		some record in other.evidence
	}
	result := finding.red(
		kafka.cluster_id(cluster),
		sprintf("%s was let do %s and is no declared administrator", [denial.principal, denial.operation]),
		evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some operation in tried_operations
	count([denial |
		some denial in tries(cluster)
		denial.operation == operation
		denial.refused.state == "observed"
	]) == 0
	result := finding.unproven(
		kafka.cluster_id(cluster),
		sprintf("it was not settled by trying whether %s is refused", [operation]),
		cluster.evidence,
	)
}

# What is not known -----------------------------------------------------------------------------------------

findings contains result if some result in data.cadastre.lib.kafka.unjudged[_]

findings contains result if some result in data.cadastre.lib.kafka.silent
