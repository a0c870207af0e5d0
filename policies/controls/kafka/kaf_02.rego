# METADATA
# scope: package
# title: An authorizer is active and denies by default
# description: |
#   A cluster without an authorizer, or with allow.everyone.if.no.acl.found, lets everybody do what no ACL speaks
#   of. Apache Kafka hides that setting, so it is also tried: an operation on a resource that no ACL covers must be
#   refused.
# custom:
#   id: KAF-02
#   area: kafka
#   pass: an authorizer is active, and what no ACL allows is refused
#   red_flag: no authorizer, or allow.everyone.if.no.acl.found=true, or an operation that must be refused was not
#   requires:
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - kafka:DescribeAcls
#     - probe:DeniedOperation
#   fix: set authorizer.class.name to the stock authorizer and allow.everyone.if.no.acl.found=false
package cadastre.controls.kaf_02

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "observed"
	every broker in kafka.brokers(cluster) {
		denies_by_default(cluster, broker)
	}
	result := finding.examined(kafka.cluster_id(cluster), kafka.both(cluster.evidence, kafka.acl_records(cluster)))
}

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	evidence := {record |
		some list in [broker.evidence, kafka.acl_records(cluster), refusals(cluster)]
		some record in list
	}
	result := finding.examined(kafka.broker_id(cluster, broker), evidence)
}

refusals(cluster) := {record | some denial in cluster.denials; some record in denial.evidence}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "absent"
	result := finding.red(
		kafka.cluster_id(cluster),
		"has no authorizer: everybody may do everything",
		kafka.both(cluster.evidence, kafka.acl_records(cluster)),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	has_no_authorizer(broker)
	result := finding.red(
		kafka.broker_id(cluster, broker),
		"authorizer.class.name is empty: everybody may do everything",
		broker.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	kafka.shows_true(broker, "allow.everyone.if.no.acl.found")
	result := finding.red(
		kafka.broker_id(cluster, broker),
		"allow.everyone.if.no.acl.found=true: what no ACL covers is open to everybody",
		broker.evidence,
	)
}

has_no_authorizer(broker) if kafka.setting(broker, "authorizer.class.name") == ""

denies_by_default(_, broker) if kafka.shows_false(broker, "allow.everyone.if.no.acl.found")

denies_by_default(cluster, broker) if {
	not kafka.shows_true(broker, "allow.everyone.if.no.acl.found")
	default_deny_shown(cluster)
}

# Several endpoints tried by one principal are one finding.
findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some denial in let_through(cluster)
	not kafka.administers(cluster, denial.principal)
	result := finding.red(
		kafka.cluster_id(cluster),
		sprintf("%s was let do %s, which must be refused", [denial.principal, denial.operation]),
		denial.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	broker.configs.state == "observed"
	reason := kafka.strange_authorizer(broker)
	result := finding.unproven(kafka.broker_id(cluster, broker), reason, broker.evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	not kafka.shows_true(broker, "allow.everyone.if.no.acl.found")
	not denies_by_default(cluster, broker)
	result := finding.unproven(
		kafka.broker_id(cluster, broker),
		"whether it denies by default is hidden, and no refusal on a resource without ACLs shows it",
		kafka.both(broker.evidence, refusals(cluster)),
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some denial in let_through(cluster)
	kafka.administers(cluster, denial.principal)
	result := finding.unproven(
		kafka.cluster_id(cluster),
		sprintf("%s is a super user or administrator: that it was let do %s shows nothing", [denial.principal, denial.operation]),
		denial.evidence,
	)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.acls.state == "unknown"
	result := kafka.unsettled(cluster, "ACLs", cluster.acls)
}

findings contains result if some result in data.cadastre.lib.kafka.unknown_brokers

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	count([denial | some denial in cluster.denials; denial.refused.state == "observed"]) == 0
	result := finding.unproven(
		kafka.cluster_id(cluster),
		"no operation that must be refused was tried",
		kafka.both(cluster.evidence, refusals(cluster)),
	)
}

findings contains result if some result in data.cadastre.lib.kafka.silent

# Who was let do what, with every record that shows it. The resource has a name drawn for the scan, and is left out.
let_through(cluster) := {entry |
	some denial in cluster.denials
	denial.refused == {"state": "observed", "value": false}
	entry := {
		"principal": denial.principal,
		"operation": denial.operation,
		"evidence": {record |
			some other in cluster.denials
			other.refused == denial.refused
			other.principal == denial.principal
			other.operation == denial.operation
			some record in other.evidence
		},
	}
}

# A refusal on a resource that no ACL covers: only the default can have refused it.
default_deny_shown(cluster) if {
	cluster.acls.state == "observed"
	some denial in cluster.denials
	denial.refused == {"state": "observed", "value": true}
	denial.operation == "DescribeTransactions"
	denial.principal != "ANONYMOUS"
	startswith(denial.resource, "transactional-id:")
	name := trim_prefix(denial.resource, "transactional-id:")
	every binding in kafka.bindings(cluster) {
		not kafka.covers(binding, "TRANSACTIONAL_ID", name)
	}
}
