# METADATA
# scope: package
# title: Dangerous settings are off
# description: |
#   Brokers do not create topics by themselves, do not elect leaders that miss acknowledged records, and hold
#   writes back until the declared number of replicas has them; no topic has it otherwise. super.users stands in the
#   brokers' own files, where whoever may alter configs cannot add to it.
# custom:
#   id: KAF-09
#   area: kafka
#   pass: topics are made on purpose, acknowledged records survive elections, and super.users is static
#   red_flag: |
#     automatic topic creation, unclean leader election, min.insync.replicas below the declared number, or super.users
#     set dynamically
#   requires:
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - kafka:DescribeAcls
#   fix: |
#     set auto.create.topics.enable=false, unclean.leader.election.enable=false and min.insync.replicas to the declared
#     number on every broker, and remove overrides from topics
package cadastre.controls.kaf_09

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.kafka

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_declared(cluster)
	some broker in kafka.brokers(cluster)
	result := finding.examined(kafka.broker_id(cluster, broker), broker.evidence)
}

# A topic that has a bad value from its brokers is told of with them.
subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_declared(cluster)
	some topic in kafka.topics(cluster)
	not topic.internal
	count(dangers(cluster, topic, topic_settings)) == 0
	result := finding.examined(kafka.topic_id(cluster, topic), topic.evidence)
}

topic_settings := {"unclean.leader.election.enable", "min.insync.replicas"}

broker_settings := topic_settings | {"auto.create.topics.enable"}

# What is wrong with a broker's or topic's settings: setting to message.
dangers(cluster, thing, names) := {name: danger |
	some name in names
	danger := danger_of(cluster, thing, name)
}

danger_of(_, thing, "auto.create.topics.enable") := "auto.create.topics.enable=true: clients create topics by naming them" if {
	kafka.shows_true(thing, "auto.create.topics.enable")
}

danger_of(_, thing, "unclean.leader.election.enable") := "unclean.leader.election.enable=true: an election may lose acknowledged records" if {
	kafka.shows_true(thing, "unclean.leader.election.enable")
}

danger_of(cluster, thing, "min.insync.replicas") := message if {
	replicas := kafka.number(thing, "min.insync.replicas")
	least := data.cadastre.lib.declared.clusters[cluster.name]["min-insync-replicas"]
	replicas < least
	message := sprintf("min.insync.replicas=%d, and at least %d are declared", [replicas, least])
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	some danger in dangers(cluster, broker, broker_settings)
	result := finding.red(kafka.broker_id(cluster, broker), danger, broker.evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in kafka.topics(cluster)
	not topic.internal
	some name, danger in dangers(cluster, topic, topic_settings)
	not inherited(cluster, topic, name)
	result := finding.red(kafka.topic_id(cluster, topic), danger, topic.evidence)
}

# Whether a topic has a bad value from its brokers, one of which has it as well.
inherited(cluster, topic, name) if {
	topic.configs.value[name].source != "DYNAMIC_TOPIC_CONFIG"
	some broker in kafka.brokers(cluster)
	is_string(danger_of(cluster, broker, name))
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	broker.configs.state == "observed"
	source := broker.configs.value["super.users"].source
	startswith(source, "DYNAMIC_")
	result := finding.red(
		kafka.broker_id(cluster, broker),
		"super.users is set dynamically: whoever may alter configs can add to it",
		broker.evidence,
	)
}

# What is not known -----------------------------------------------------------------------------------------

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some broker in kafka.brokers(cluster)
	broker.configs.state == "observed"
	some name in broker_settings
	not is_understood(broker, name)
	result := finding.unproven(kafka.broker_id(cluster, broker), kafka.not_shown(broker, name), broker.evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in kafka.topics(cluster)
	not topic.internal
	topic.configs.state == "observed"
	some name in topic_settings
	not is_understood(topic, name)
	result := finding.unproven(kafka.topic_id(cluster, topic), kafka.not_shown(topic, name), topic.evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in kafka.topics(cluster)
	not topic.internal
	result := kafka.unknown_topic(cluster, topic)
}

is_understood(thing, name) if {
	name in {"auto.create.topics.enable", "unclean.leader.election.enable"}
	kafka.shows_true(thing, name)
}

is_understood(thing, name) if {
	name in {"auto.create.topics.enable", "unclean.leader.election.enable"}
	kafka.shows_false(thing, name)
}

is_understood(thing, "min.insync.replicas") if kafka.shows_number(thing, "min.insync.replicas")

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "topics", cluster.topics)
}

findings contains result if some result in data.cadastre.lib.kafka.unknown_brokers

findings contains result if some result in data.cadastre.lib.kafka.narrow_view

findings contains result if some result in data.cadastre.lib.kafka.silent
