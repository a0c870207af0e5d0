package cadastre.controls.kaf_13_test

import rego.v1

import data.cadastre.controls.kaf_13
import data.cadastre.lib.fixture

# One topic with some settings changed.
with_topic(name, settings) := fixture.kafka({"topics": fixture.observed([topic, fixture.internal_topic])}) if {
	changed := fixture.changed(fixture.topic.configs.value, {setting: fixture.entry(value) | some setting, value in settings})
	topic := fixture.changed(fixture.topic, {"name": name, "configs": fixture.observed(changed)})
}

# The same with classes of its own.
classed(document, classes) := object.union(
	document,
	{"declaration": {"clusters": [fixture.changed(fixture.declared_cluster, {"topics": classes})]}},
)

class(pattern, retention, compacted) := {"pattern": pattern, "class": pattern, "retention": retention, "compacted": compacted}

unlimited(pattern) := {"pattern": pattern, "class": "archive", "compacted": false}

reds(document) := subjects if {
	found := kaf_13.findings with input as document
	subjects := fixture.subjects_of(found, "red-flag")
}

unproven(document) := subjects if {
	found := kaf_13.findings with input as document
	subjects := fixture.subjects_of(found, "unproven")
}

examined(document) := subjects if {
	found := kaf_13.subjects with input as document
	subjects := fixture.examined_subjects(found)
}

passes(document) if {
	found := kaf_13.findings with input as document
	count(found) == 0
}

topic := "topic:payments/payments"

test_pass_retention_within_the_class if {
	passes(fixture.kafka({}))
	examined(fixture.kafka({})) == {topic}
	passes(with_topic("payments", {"retention.ms": "1000", "cleanup.policy": "compact, DELETE"}))
}

test_pass_class_without_a_limit if {
	passes(classed(with_topic("payments", {"retention.ms": "-1", "cleanup.policy": "compact"}), [unlimited("*")]))
}

test_pass_compaction_where_the_class_allows_it if {
	passes(classed(with_topic("payments", {"retention.ms": "-1", "cleanup.policy": "compact"}), [class("*", 3600, true)]))
}

test_pass_cluster_without_topics_of_its_own if {
	document := fixture.kafka({"topics": fixture.observed([fixture.internal_topic])})
	passes(document)
	examined(document) == {"cluster:payments"}
}

test_red_records_kept_too_long if {
	every value in ["604800001", "-1", "-2", "9223372036854775807"] {
		reds(with_topic("payments", {"retention.ms": value})) == {topic}
	}
	deleting := with_topic("payments", {"retention.ms": "-1", "cleanup.policy": "compact,delete"})
	reds(classed(deleting, [class("*", 3600, true)])) == {topic}
}

test_red_nothing_expires if {
	every value in ["compact", "", "none"] {
		reds(with_topic("payments", {"cleanup.policy": value})) == {topic}
	}
	neither := with_topic("payments", {"cleanup.policy": ""})
	reds(classed(neither, [class("*", 604800, true)])) == {topic}
}

test_red_first_class_counts if {
	document := with_topic("payments", {"retention.ms": "7200000"})
	reds(classed(document, [class("pay*", 3600, false), unlimited("*")])) == {topic}
	passes(classed(document, [unlimited("pay*"), class("*", 3600, false)]))
}

test_red_no_class if {
	reds(classed(fixture.kafka({}), [unlimited("invoices-*")])) == {topic}
	reds(classed(fixture.kafka({}), [])) == {topic}
}

test_red_topic_that_only_looks_internal if {
	reds(with_topic("__orders", {"retention.ms": "-1"})) == {"topic:payments/__orders"}
}

test_unproven_settings_that_do_not_show if {
	every name in ["retention.ms", "cleanup.policy"] {
		missing := fixture.changed(fixture.topic, {"configs": fixture.observed(object.remove(fixture.topic.configs.value, [name]))})
		unproven(fixture.kafka({"topics": fixture.observed([missing])})) == {topic}
		hidden := {"value": null, "source": "DEFAULT_CONFIG", "sensitive": true}
		hiding := fixture.changed(fixture.topic, {"configs": fixture.observed(fixture.changed(fixture.topic.configs.value, {name: hidden}))})
		unproven(fixture.kafka({"topics": fixture.observed([hiding])})) == {topic}
	}
	unproven(with_topic("payments", {"retention.ms": "a week"})) == {topic}
}

test_unproven_what_is_not_known if {
	every property in [fixture.unknown, fixture.absent] {
		unproven(fixture.kafka({"topics": property})) == {"cluster:payments"}
		bare := fixture.changed(fixture.topic, {"configs": property})
		unproven(fixture.kafka({"topics": fixture.observed([bare])})) == {topic}
	}
}

test_unproven_scanner_that_may_not_see_every_topic if {
	unproven(fixture.kafka({"acls": fixture.observed([])})) == {"cluster:payments"}

	# Without an authorizer nothing is hidden from anybody.
	passes(fixture.kafka({"acls": fixture.absent}))
}

test_pass_super_user_sees_everything if {
	declared := fixture.changed(fixture.declared_cluster, {"super-users": ["User:scanner"]})
	let_through := fixture.changed(fixture.denial, {"principal": "User:scanner", "refused": fixture.observed(false)})
	document := fixture.kafka({"acls": fixture.observed([]), "denials": [let_through]})
	passes(object.union(document, {"declaration": {"clusters": [declared]}}))
	unproven(document) == {"cluster:payments"}
}

test_unproven_cluster_that_nobody_declared_or_observed if {
	unproven(fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})) == {"cluster:payments"}
	unproven(fixture.with_parts({"inventory": {"clusters": [fixture.cluster]}})) == {"cluster:payments"}
}
