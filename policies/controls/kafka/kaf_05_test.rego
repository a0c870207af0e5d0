package cadastre.controls.kaf_05_test

import rego.v1

import data.cadastre.controls.kaf_05
import data.cadastre.lib.fixture

right(principal, operation, resource_type, name) := fixture.binding(principal, operation, resource_type, name)

prefixed(principal, operation, name) := object.union(right(principal, operation, "TOPIC", name), {"pattern_type": "PREFIXED"})

deny(principal, operation, name, host) := object.union(
	right(principal, operation, "TOPIC", name),
	{"permission": "DENY", "host": host},
)

# The scanner's ACLs and further ones, each at a place of its own.
with_acls(further) := fixture.kafka({"acls": fixture.observed([placed |
	some index, binding in array.concat(fixture.scanner_bindings, further)
	placed := object.union(binding, {"pointer": sprintf("/response/bindings/%d", [index])})
])})

declared_acls := [
	right("User:billing", "READ", "TOPIC", "payments"),
	prefixed("User:billing", "WRITE", "invoices-"),
	prefixed("User:billing", "CREATE", "invoices-eu"),
	right("User:billing", "READ", "GROUP", "billing"),
	right("User:billing", "IDEMPOTENT_WRITE", "CLUSTER", "kafka-cluster"),
	right("User:operator", "ALTER", "CLUSTER", "kafka-cluster"),
	right("User:operator", "ALL", "TOPIC", "*"),
]

topic := "topic:payments/payments"

reds(document) := subjects if {
	found := kaf_05.findings with input as document
	subjects := fixture.subjects_of(found, "red-flag")
}

unproven(document) := subjects if {
	found := kaf_05.findings with input as document
	subjects := fixture.subjects_of(found, "unproven")
}

examined(document) := subjects if {
	found := kaf_05.subjects with input as document
	subjects := fixture.examined_subjects(found)
}

by_edge(edge) := object.union(with_acls([]), {"access": {"edges": [edge]}})

test_pass_declared_rights if {
	document := with_acls(declared_acls)
	count(kaf_05.findings) == 0 with input as document
	examined(document) == {"cluster:payments", topic}
}

test_pass_right_that_a_denial_takes_away_as_a_whole if {
	document := with_acls([
		right("User:intern", "READ", "TOPIC", "payments"),
		deny("User:*", "ALL", "payments", "*"),
	])
	reds(document) == set()
	everywhere := with_acls([prefixed("User:intern", "READ", "pay"), deny("User:intern", "READ", "*", "*")])
	reds(everywhere) == set()
}

test_pass_identity_that_is_declared_by_a_pattern if {
	acls := with_acls([right("User:monitor-1", "DESCRIBE", "TOPIC", "*")])
	declared := {"declaration": {"identities": [{"principal": "User:monitor-*", "job": "scanner"}]}}
	reds(acls) == {"acl:payments/User:monitor-1 DESCRIBE TOPIC:*"}
	reds(object.union(acls, declared)) == set()
}

test_red_right_that_a_denial_takes_away_in_part if {
	elsewhere := with_acls([right("User:intern", "READ", "TOPIC", "payments"), deny("User:*", "ALL", "payments", "10.0.0.1")])
	reds(elsewhere) == {"acl:payments/User:intern READ TOPIC:payments"}
	narrower := with_acls([right("User:intern", "READ", "TOPIC", "*"), deny("User:intern", "READ", "payments", "*")])
	reds(narrower) == {"acl:payments/User:intern READ TOPIC:*"}
	weaker := with_acls([right("User:intern", "ALL", "TOPIC", "payments"), deny("User:intern", "READ", "payments", "*")])
	reds(weaker) == {"acl:payments/User:intern ALL TOPIC:payments"}
}

test_red_everybody if {
	document := with_acls([right("User:*", "READ", "TOPIC", "payments")])
	reds(document) == {"acl:payments/User:* READ TOPIC:payments"}
	examined(document) == set()
	anonymous := with_acls([right("User:ANONYMOUS", "DESCRIBE", "GROUP", "billing")])
	reds(anonymous) == {"acl:payments/User:ANONYMOUS DESCRIBE GROUP:billing"}
}

test_red_everybody_even_where_that_is_declared_an_administrator if {
	declared := fixture.changed(fixture.declared_cluster, {"administrators": ["User:*"]})
	document := object.union(with_acls([right("User:*", "READ", "TOPIC", "payments")]), {"declaration": {"clusters": [declared]}})
	reds(document) == {"acl:payments/User:* READ TOPIC:payments"}
}

test_red_every_topic_even_where_that_is_declared if {
	workload := {"principal": "User:billing", "reads": ["*"], "writes": []}
	declared := fixture.changed(fixture.declared_cluster, {"workloads": [workload]})
	parts := {"declaration": {"clusters": [declared]}}
	literal := object.union(with_acls([right("User:billing", "READ", "TOPIC", "*")]), parts)
	reds(literal) == {"acl:payments/User:billing READ TOPIC:*"}
	empty_prefix := object.union(with_acls([prefixed("User:billing", "READ", "")]), parts)
	reds(empty_prefix) == {"acl:payments/User:billing READ TOPIC: (prefixed)"}
}

test_red_all_operations if {
	document := with_acls([right("User:billing", "ALL", "GROUP", "billing")])
	reds(document) == {"acl:payments/User:billing ALL GROUP:billing"}
	topic in examined(document)
	not "cluster:payments" in examined(document)
}

test_red_powers_over_the_cluster if {
	every operation in ["ALTER", "ALTER_CONFIGS", "CLUSTER_ACTION", "CREATE", "ALL"] {
		document := with_acls([right("User:billing", operation, "CLUSTER", "kafka-cluster")])
		reds(document) == {sprintf("acl:payments/User:billing %s CLUSTER:kafka-cluster", [operation])}
		examined(document) == set()
	}
}

test_red_undeclared_principal if {
	document := with_acls([right("User:intern", "DESCRIBE", "TOPIC", "*")])
	reds(document) == {"acl:payments/User:intern DESCRIBE TOPIC:*"}
}

test_red_more_topics_than_declared if {
	wider := with_acls([prefixed("User:billing", "READ", "pay")])
	reds(wider) == {"acl:payments/User:billing READ TOPIC:pay (prefixed)"}

	# Also where there is no such topic yet.
	other := with_acls([right("User:billing", "WRITE", "TOPIC", "salaries")])
	reds(other) == {"acl:payments/User:billing WRITE TOPIC:salaries"}
	topic in examined(other)
	reversed := with_acls([right("User:billing", "WRITE", "TOPIC", "payments")])
	reds(reversed) == {"acl:payments/User:billing WRITE TOPIC:payments"}
}

test_red_changes_that_no_workload_may_make if {
	every operation in ["DELETE", "ALTER", "ALTER_CONFIGS"] {
		document := with_acls([right("User:billing", operation, "TOPIC", "invoices-1")])
		reds(document) == {sprintf("acl:payments/User:billing %s TOPIC:invoices-1", [operation])}
	}
}

test_red_vendor_that_reads if {
	document := object.union(
		with_acls([right("User:streamco", "READ", "TOPIC", "payments")]),
		{"declaration": {"vendors": [fixture.vendor]}},
	)
	reds(document) == {"acl:payments/User:streamco READ TOPIC:payments"}
}

test_red_no_authorizer if {
	document := fixture.kafka({"acls": fixture.absent})
	reds(document) == {"cluster:payments"}
	examined(document) == set()
}

test_red_edge_that_no_acl_explains if {
	document := by_edge(fixture.edge("User:contractor", "read-records", topic, "kafka:Read"))
	reds(document) == {topic}
	when := by_edge(fixture.edge_when("User:contractor", "write-records", topic, "kafka:Write", "conditional", "at noon"))
	reds(when) == {topic}
}

test_pass_edge_that_is_declared if {
	reads := by_edge(fixture.edge("User:billing", "read-records", topic, "kafka:Read"))
	count(kaf_05.findings) == 0 with input as reads
	administers := by_edge(fixture.edge("User:admin", "write-records", topic, "kafka:Write"))
	count(kaf_05.findings) == 0 with input as administers
}

test_red_edge_that_an_acl_explains_is_told_once if {
	acls := with_acls([right("User:*", "READ", "TOPIC", "*")])
	edge := object.union(
		fixture.edge("User:contractor", "read-records", topic, "kafka:Read"),
		{"statements": [{"policy": "p", "record": "acls", "pointer": "/response/bindings/3"}]},
	)
	reds(object.union(acls, {"access": {"edges": [edge]}})) == {"acl:payments/User:* READ TOPIC:*"}
}

test_unproven_edge_that_is_not_settled if {
	document := by_edge(fixture.edge_when("User:contractor", "read-records", topic, "kafka:Read", "unknown", "settings"))
	unproven(document) == {topic}
}

test_unproven_acls_or_topics_that_are_not_known if {
	acls := fixture.kafka({"acls": fixture.unknown})
	unproven(acls) == {"cluster:payments"}
	examined(acls) == set()
	unproven(fixture.kafka({"topics": fixture.unknown})) == {"cluster:payments"}
	unproven(fixture.kafka({"topics": fixture.absent})) == {"cluster:payments"}
}

test_unproven_binding_that_is_not_understood if {
	every change in [{"operation": "UNKNOWN"}, {"permission": "UNKNOWN"}, {"pattern_type": "MATCH"}, {"resource_type": "UNKNOWN"}] {
		document := with_acls([object.union(right("User:billing", "READ", "TOPIC", "payments"), change)])
		count(unproven(document)) == 1
		examined(document) == set()
	}
}

test_unproven_authorizer_with_rules_of_its_own if {
	strange := object.union(fixture.broker, {"configs": fixture.observed({"authorizer.class.name": fixture.entry("com.example.Mine")})})
	document := fixture.kafka({"brokers": fixture.observed([strange])})
	unproven(document) == {"cluster:payments"}
	examined(document) == set()
	silent := fixture.changed(fixture.broker, {"configs": fixture.observed({})})
	unproven(fixture.kafka({"brokers": fixture.observed([silent])})) == {"cluster:payments"}
}

test_unproven_second_plane_of_authorization if {
	document := object.union(with_acls([]), {"access": {"unknown": [["cluster:payments", "the cloud's own access control"]]}})
	unproven(document) == {"cluster:payments"}
	examined(document) == set()
}

test_unproven_scanner_that_may_not_see_every_topic if {
	nothing := fixture.kafka({"acls": fixture.observed([])})
	unproven(nothing) == {"cluster:payments"}
	kept_out := with_acls([deny("User:scanner", "DESCRIBE", "secrets", "10.0.0.1")])
	unproven(kept_out) == {"cluster:payments"}
}

test_unproven_cluster_that_nobody_declared_or_observed if {
	unseen := fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})
	unproven(unseen) == {"cluster:payments"}
	undeclared := fixture.with_parts({"inventory": {"clusters": [fixture.cluster]}})
	"cluster:payments" in unproven(undeclared)
}
