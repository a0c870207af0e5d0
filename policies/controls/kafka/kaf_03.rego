# METADATA
# scope: package
# title: Super users are few, declared and not shared with clients
# description: |
#   A super user passes every ACL. Each one that a broker shows must be declared for the cluster, must be one
#   principal, and must be neither a vendor's nor a workload's. Apache Kafka hides the setting, and then only the
#   brokers' own files can show who the super users are.
# custom:
#   id: KAF-03
#   area: kafka
#   pass: every super user is declared, and none is a vendor's or a workload's
#   red_flag: an undeclared super user, a wildcard, a vendor's principal or a workload's
#   requires:
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#   fix: take the principal out of super.users on every broker and give it the ACLs it needs
package cadastre.controls.kaf_03

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	every broker in kafka.brokers(cluster) {
		broker.configs.state == "observed"
		not hidden(broker)
	}
	evidence := {record | some broker in kafka.brokers(cluster); some record in broker.evidence}
	result := finding.examined(kafka.cluster_id(cluster), evidence)
}

# Brokers with the same super user are one finding.
findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some principal in {name | some broker in kafka.brokers(cluster); some name in super_users(broker)}
	reason := misplaced(cluster, principal)
	evidence := {record |
		some broker in kafka.brokers(cluster)
		principal in super_users(broker)
		some record in broker.evidence
	}
	result := finding.red(kafka.cluster_id(cluster), sprintf("the super user %s %s", [principal, reason]), evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some reason in {reason | some broker in kafka.brokers(cluster); reason := hidden(broker)}
	evidence := {record |
		some broker in kafka.brokers(cluster)
		hidden(broker) == reason
		some record in broker.evidence
	}
	result := finding.unproven(kafka.cluster_id(cluster), reason, evidence)
}

findings contains result if some result in data.cadastre.lib.kafka.unknown_brokers

findings contains result if some result in data.cadastre.lib.kafka.silent

super_users(broker) := {name |
	some entry in split(kafka.setting(broker, "super.users"), ";")
	name := trim_space(entry)
	name != ""
}

# What is wrong with a super user; the worst where it is several things.
misplaced(cluster, principal) := "stands for whoever comes along" if {
	is_wildcard(principal)
} else := "is a vendor's" if {
	principal in data.cadastre.lib.declared.vendor_kafka_principals
} else := "is a workload's principal" if {
	some workload in data.cadastre.lib.declared.clusters[cluster.name].workloads
	workload.principal == principal
} else := "is not declared" if {
	not is_declared(cluster, principal)
}

is_wildcard(principal) if principal in data.cadastre.lib.kafka.anybody

is_wildcard(principal) if endswith(principal, ":*")

is_declared(cluster, principal) if principal in data.cadastre.lib.declared.clusters[cluster.name]["super-users"]

# Why a broker's super users do not show. A setting without a value names nobody.
hidden(broker) := "super.users is hidden by its brokers: who the super users are does not show" if {
	kafka.hides(broker, "super.users")
}

hidden(broker) := "super.users is not among the settings of its brokers: who the super users are does not show" if {
	broker.configs.state == "observed"
	not broker.configs.value["super.users"]
}
