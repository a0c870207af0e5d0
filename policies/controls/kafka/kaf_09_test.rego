package cadastre.controls.kaf_09_test

import rego.v1

import data.cadastre.controls.kaf_09
import data.cadastre.lib.fixture

# A thing of the fixture with some settings changed.
set(thing, settings) := fixture.changed(thing, {"configs": fixture.observed(fixture.changed(thing.configs.value, settings))})

# The same without a setting.
without(thing, name) := fixture.changed(thing, {"configs": fixture.observed(object.remove(thing.configs.value, [name]))})

hidden := {"value": null, "source": "STATIC_BROKER_CONFIG", "sensitive": true}

override(value) := {"value": value, "source": "DYNAMIC_TOPIC_CONFIG", "sensitive": false}

with_broker(broker) := fixture.kafka({"brokers": fixture.observed([broker])})

with_topic(topic) := fixture.kafka({"topics": fixture.observed([topic, fixture.internal_topic])})

reds(document) := subjects if {
	found := kaf_09.findings with input as document
	subjects := fixture.subjects_of(found, "red-flag")
}

unproven(document) := subjects if {
	found := kaf_09.findings with input as document
	subjects := fixture.subjects_of(found, "unproven")
}

examined(document) := subjects if {
	found := kaf_09.subjects with input as document
	subjects := fixture.examined_subjects(found)
}

test_pass_settings_are_safe if {
	document := fixture.kafka({})
	count(kaf_09.findings) == 0 with input as document
	examined(document) == {"broker:payments/1", "topic:payments/payments"}
}

test_pass_hidden_super_users_that_are_static if {
	document := with_broker(set(fixture.broker, {"super.users": hidden}))
	count(kaf_09.findings) == 0 with input as document
}

test_red_broker_settings if {
	reds(with_broker(set(fixture.broker, {"auto.create.topics.enable": fixture.entry("true")}))) == {"broker:payments/1"}
	reds(with_broker(set(fixture.broker, {"unclean.leader.election.enable": fixture.entry("TRUE")}))) == {"broker:payments/1"}
	reds(with_broker(set(fixture.broker, {"min.insync.replicas": fixture.entry("1")}))) == {"broker:payments/1"}
	unproven(with_broker(set(fixture.broker, {"auto.create.topics.enable": fixture.entry("true")}))) == set()
}

test_red_super_users_set_dynamically if {
	every source in ["DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG"] {
		changed := set(fixture.broker, {"super.users": fixture.changed(hidden, {"source": source})})
		reds(with_broker(changed)) == {"broker:payments/1"}
	}
}

test_red_topic_overrides if {
	reds(with_topic(set(fixture.topic, {"min.insync.replicas": override("1")}))) == {"topic:payments/payments"}
	reds(with_topic(set(fixture.topic, {"unclean.leader.election.enable": override("true")}))) == {"topic:payments/payments"}
}

test_red_bad_value_that_no_broker_has if {
	reds(with_topic(set(fixture.topic, {"min.insync.replicas": fixture.entry("1")}))) == {"topic:payments/payments"}
}

test_red_inherited_value_is_told_with_the_broker if {
	document := fixture.kafka({
		"brokers": fixture.observed([set(fixture.broker, {"min.insync.replicas": fixture.entry("1")})]),
		"topics": fixture.observed([set(fixture.topic, {"min.insync.replicas": fixture.entry("1")})]),
	})
	reds(document) == {"broker:payments/1"}
	examined(document) == {"broker:payments/1"}
}

test_red_topic_that_only_looks_internal if {
	topic := set(fixture.changed(fixture.topic, {"name": "__orders"}), {"min.insync.replicas": override("1")})
	reds(with_topic(topic)) == {"topic:payments/__orders"}
}

test_pass_internal_topic_is_the_brokers_own if {
	internal := set(fixture.internal_topic, {"min.insync.replicas": override("1")})
	reds(fixture.kafka({"topics": fixture.observed([internal])})) == set()
}

test_unproven_setting_that_does_not_show if {
	every name in ["auto.create.topics.enable", "unclean.leader.election.enable", "min.insync.replicas"] {
		unproven(with_broker(without(fixture.broker, name))) == {"broker:payments/1"}
		every value in [hidden, fixture.entry(null), fixture.entry("perhaps")] {
			unproven(with_broker(set(fixture.broker, {name: value}))) == {"broker:payments/1"}
		}
	}
	every name in ["unclean.leader.election.enable", "min.insync.replicas"] {
		unproven(with_topic(without(fixture.topic, name))) == {"topic:payments/payments"}
	}
}

test_unproven_configuration_that_is_not_known if {
	every property in [fixture.unknown, fixture.absent] {
		unproven(with_broker(fixture.changed(fixture.broker, {"configs": property}))) == {"broker:payments/1"}
		unproven(with_topic(fixture.changed(fixture.topic, {"configs": property}))) == {"topic:payments/payments"}
		unproven(fixture.kafka({"brokers": property})) == {"cluster:payments"}
		unproven(fixture.kafka({"topics": property})) == {"cluster:payments"}
	}
	unproven(fixture.kafka({"brokers": fixture.observed([])})) == {"cluster:payments"}
}

test_unproven_scanner_that_may_not_see_every_topic if {
	unproven(fixture.kafka({"acls": fixture.observed([])})) == {"cluster:payments"}
}

test_unproven_cluster_that_nobody_declared_or_observed if {
	unproven(fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})) == {"cluster:payments"}
	undeclared := fixture.with_parts({"inventory": {"clusters": [fixture.cluster]}})
	unproven(undeclared) == {"cluster:payments"}
	examined(undeclared) == set()
}
