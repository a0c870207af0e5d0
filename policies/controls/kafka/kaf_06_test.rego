package cadastre.controls.kaf_06_test

import rego.v1

import data.cadastre.controls.kaf_06
import data.cadastre.lib.fixture

right(principal, operation, name) := fixture.binding(principal, operation, "TOPIC", name)

prefixed(principal, operation, name) := object.union(right(principal, operation, name), {"pattern_type": "PREFIXED"})

with_acls(further) := fixture.kafka({"acls": fixture.observed(array.concat(fixture.scanner_bindings, further))})

# The same without a single internal topic.
bare(further) := fixture.kafka({
	"acls": fixture.observed(array.concat(fixture.scanner_bindings, further)),
	"topics": fixture.observed([fixture.topic]),
})

topic := "topic:payments/__consumer_offsets"

reds(document) := subjects if {
	found := kaf_06.findings with input as document
	subjects := fixture.subjects_of(found, "red-flag")
}

unproven(document) := subjects if {
	found := kaf_06.findings with input as document
	subjects := fixture.subjects_of(found, "unproven")
}

examined(document) := subjects if {
	found := kaf_06.subjects with input as document
	subjects := fixture.examined_subjects(found)
}

test_pass_nobody_but_administrators if {
	document := with_acls([right("User:admin", "ALL", "*"), right("User:billing", "READ", "payments")])
	count(kaf_06.findings) == 0 with input as document
	examined(document) == {topic}
}

test_pass_cluster_without_internal_topics if {
	document := bare([prefixed("User:billing", "WRITE", "invoices-")])
	count(kaf_06.findings) == 0 with input as document
	examined(document) == {"cluster:payments"}
}

test_pass_right_that_a_denial_takes_away if {
	denial := object.union(prefixed("User:*", "ALL", "__"), {"permission": "DENY"})
	document := with_acls([prefixed("User:billing", "READ", "__consumer"), denial])
	reds(document) == set()
}

test_red_client_that_may_touch_the_topic if {
	every operation in ["READ", "WRITE", "CREATE", "DELETE", "ALTER", "ALTER_CONFIGS", "ALL"] {
		reds(with_acls([right("User:billing", operation, "__consumer_offsets")])) == {topic}
	}
}

test_red_prefix_and_wildcard if {
	reds(with_acls([right("User:billing", "READ", "*")])) == {topic}
	reds(with_acls([prefixed("User:billing", "READ", "_")])) == {topic}
	reds(with_acls([prefixed("User:billing", "READ", "")])) == {topic}
	reds(with_acls([right("User:*", "WRITE", "__consumer_offsets")])) == {topic}
}

test_red_topic_that_is_internal_by_its_name if {
	audit := fixture.changed(fixture.topic, {"name": "__audit"})
	document := fixture.kafka({
		"topics": fixture.observed([audit]),
		"acls": fixture.observed(array.concat(fixture.scanner_bindings, [right("User:billing", "READ", "__audit")])),
	})
	reds(document) == {"topic:payments/__audit"}
}

test_red_acl_that_waits_for_an_internal_topic if {
	reds(bare([right("User:billing", "READ", "*")])) == {"acl:payments/User:billing READ TOPIC:*"}
	document := bare([right("User:billing", "READ", "__transaction_state")])
	reds(document) == {"acl:payments/User:billing READ TOPIC:__transaction_state"}
	examined(document) == set()
	one := with_acls([right("User:billing", "READ", "__transaction_state")])
	reds(one) == {"acl:payments/User:billing READ TOPIC:__transaction_state"}
}

test_red_prefix_that_waits_for_an_internal_topic if {
	every prefix in ["", "_", "__", "__trans"] {
		reds(bare([prefixed("User:billing", "READ", prefix)])) == {sprintf("acl:payments/User:billing READ TOPIC:%s (prefixed)", [prefix])}
	}
}

test_red_topic_that_the_cluster_calls_internal if {
	own := fixture.changed(fixture.topic, {"name": "positions", "internal": true})
	document := fixture.kafka({
		"topics": fixture.observed([own]),
		"acls": fixture.observed(array.concat(fixture.scanner_bindings, [right("User:billing", "READ", "positions")])),
	})
	reds(document) == {"topic:payments/positions"}
}

test_red_client_that_acts_for_the_cluster if {
	document := with_acls([fixture.binding("User:billing", "CLUSTER_ACTION", "CLUSTER", "kafka-cluster")])
	reds(document) == {"acl:payments/User:billing CLUSTER_ACTION CLUSTER:kafka-cluster"}
	examined(document) == set()
}

test_red_edge_that_no_acl_explains if {
	edge := fixture.edge("User:contractor", "read-records", topic, "kafka:Read")
	reds(object.union(with_acls([]), {"access": {"edges": [edge]}})) == {topic}
}

test_pass_edge_of_a_super_user if {
	edge := fixture.edge("User:admin", "read-records", topic, "kafka:Read")
	reds(object.union(with_acls([]), {"access": {"edges": [edge]}})) == set()
}

test_red_no_authorizer if {
	reds(fixture.kafka({"acls": fixture.absent})) == {"cluster:payments"}
}

test_unproven_edge_that_is_not_settled if {
	edge := fixture.edge_when("User:contractor", "read-records", topic, "kafka:Read", "unknown", "settings")
	unproven(object.union(with_acls([]), {"access": {"edges": [edge]}})) == {topic}
}

test_unproven_what_is_not_known if {
	every change in [{"acls": fixture.unknown}, {"topics": fixture.unknown}, {"topics": fixture.absent}, {"acls": fixture.observed([])}] {
		unproven(fixture.kafka(change)) == {"cluster:payments"}
	}
}

test_unproven_second_plane_of_authorization if {
	document := object.union(with_acls([]), {"access": {"unknown": [["cluster:payments", "the cloud's own access control"]]}})
	unproven(document) == {"cluster:payments"}
	examined(document) == set()
}

test_unproven_cluster_that_was_not_observed if {
	unproven(fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})) == {"cluster:payments"}
}
