# METADATA
# scope: package
# title: Retention matches each topic's declared class
# description: |
#   Each topic belongs to the first declared class whose pattern fits its name. Records of a class with a retention
#   are deleted within it; compaction alone may keep them only where the class says so.
# custom:
#   id: KAF-13
#   area: kafka
#   pass: records are kept no longer than the topic's class allows
#   red_flag: longer or unlimited retention, or compaction without deletion, on data that must expire; or no class
#   requires:
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - kafka:DescribeAcls
#   fix: set retention.ms and cleanup.policy of the topic to what its class declares, or declare its class
package cadastre.controls.kaf_13

import rego.v1

import data.cadastre.lib.finding
import data.cadastre.lib.kafka
import data.cadastre.lib.pattern

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in own_topics(cluster)
	result := finding.examined(kafka.topic_id(cluster, topic), topic.evidence)
}

subjects contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	cluster.topics.state == "observed"
	count(own_topics(cluster)) == 0
	result := finding.shown(kafka.cluster_id(cluster), "has no topics but Kafka's own", cluster.evidence)
}

# Topics that Kafka itself calls internal are its own to clean up; a name that looks internal exempts nothing.
own_topics(cluster) := [topic |
	some topic in kafka.topics(cluster)
	not topic.internal
]

# The first class that fits.
class_of(cluster, topic) := class if {
	fitting := [entry |
		some entry in data.cadastre.lib.declared.clusters[cluster.name].topics
		pattern.matches(entry.pattern, topic.name)
	]
	class := fitting[0]
}

has_class(cluster, topic) if is_object(class_of(cluster, topic))

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	kafka.is_declared(cluster)
	some topic in own_topics(cluster)
	not has_class(cluster, topic)
	result := finding.red(kafka.topic_id(cluster, topic), "belongs to no declared class", topic.evidence)
}

# Topics whose records must expire, with their class.
expiring contains entry if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in own_topics(cluster)
	topic.configs.state == "observed"
	class := class_of(cluster, topic)
	is_number(class.retention)
	entry := {"subject": kafka.topic_id(cluster, topic), "topic": topic, "class": class}
}

findings contains result if {
	some entry in expiring
	not is_compacted(entry.topic, entry.class)
	milliseconds := kafka.number(entry.topic, "retention.ms")
	is_longer(milliseconds, entry.class.retention)
	result := finding.red(
		entry.subject,
		sprintf("keeps records %s, and its class %s allows %d seconds", [
			told(milliseconds),
			entry.class.class,
			entry.class.retention,
		]),
		entry.topic.evidence,
	)
}

is_longer(milliseconds, retention) if milliseconds > retention * 1000

is_longer(milliseconds, _) if milliseconds < 0

told(milliseconds) := "without limit" if milliseconds < 0

told(milliseconds) := sprintf("for %d ms", [milliseconds]) if milliseconds >= 0

findings contains result if {
	some entry in expiring
	kafka.shows(entry.topic, "cleanup.policy")
	not "delete" in cleanup(entry.topic)
	not is_compacted(entry.topic, entry.class)
	result := finding.red(
		entry.subject,
		sprintf("has cleanup.policy=%s, so that nothing expires, and its class %s does not allow that", [
			kafka.setting(entry.topic, "cleanup.policy"),
			entry.class.class,
		]),
		entry.topic.evidence,
	)
}

cleanup(topic) := {policy |
	some entry in split(kafka.setting(topic, "cleanup.policy"), ",")
	policy := lower(trim_space(entry))
}

# Compaction alone, where the class allows it: then retention.ms has no effect.
is_compacted(topic, class) if {
	class.compacted
	cleanup(topic) == {"compact"}
}

# What is not known -----------------------------------------------------------------------------------------

findings contains result if {
	some entry in expiring
	not kafka.shows(entry.topic, "cleanup.policy")
	result := finding.unproven(entry.subject, kafka.not_shown(entry.topic, "cleanup.policy"), entry.topic.evidence)
}

findings contains result if {
	some entry in expiring
	not is_compacted(entry.topic, entry.class)
	not kafka.shows_number(entry.topic, "retention.ms")
	result := finding.unproven(entry.subject, kafka.not_shown(entry.topic, "retention.ms"), entry.topic.evidence)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	some topic in own_topics(cluster)
	result := kafka.unknown_topic(cluster, topic)
}

findings contains result if {
	some cluster in data.cadastre.lib.kafka.clusters
	result := kafka.unsettled(cluster, "topics", cluster.topics)
}

findings contains result if some result in data.cadastre.lib.kafka.narrow_view

findings contains result if some result in data.cadastre.lib.kafka.silent
