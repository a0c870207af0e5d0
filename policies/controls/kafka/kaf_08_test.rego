package cadastre.controls.kaf_08_test

import rego.v1

import data.cadastre.controls.kaf_08
import data.cadastre.lib.fixture

denial(principal, operation, refused) := {
	"principal": principal,
	"operation": operation,
	"resource": "topic:cadastre-probe-1",
	"refused": refused,
	"evidence": [sprintf("try-%s", [operation])],
}

refusals := [
	denial("User:scanner", "AlterConfigs", fixture.observed(true)),
	denial("User:scanner", "CreateTopics", fixture.observed(true)),
]

with_parts(changes) := fixture.kafka(fixture.changed({"denials": refusals}, changes))

with_acls(further) := with_parts({"acls": fixture.observed(array.concat(fixture.scanner_bindings, further))})

reds(document) := subjects if {
	found := kaf_08.findings with input as document
	subjects := fixture.subjects_of(found, "red-flag")
}

unproven(document) := subjects if {
	found := kaf_08.findings with input as document
	subjects := fixture.subjects_of(found, "unproven")
}

examined(document) := subjects if {
	found := kaf_08.subjects with input as document
	subjects := fixture.examined_subjects(found)
}

test_pass_administrators_administer if {
	document := with_acls([
		fixture.binding("User:operator", "ALTER", "CLUSTER", "kafka-cluster"),
		fixture.binding("User:admin", "ALL", "TOPIC", "*"),
		fixture.binding("User:billing", "READ", "TOPIC", "payments"),
		fixture.binding("User:billing", "DESCRIBE_CONFIGS", "CLUSTER", "kafka-cluster"),
	])
	count(kaf_08.findings) == 0 with input as document
	examined(document) == {"cluster:payments"}
}

test_red_others_administer if {
	every operation, types in {
		"ALTER": {"CLUSTER", "TOPIC"},
		"ALTER_CONFIGS": {"CLUSTER", "TOPIC", "GROUP"},
		"ALL": {"CLUSTER", "TOPIC", "GROUP", "USER"},
		"CLUSTER_ACTION": {"CLUSTER"},
		"CREATE_TOKENS": {"USER"},
	} {
		every resource_type in types {
			document := with_acls([fixture.binding("User:billing", operation, resource_type, "x")])
			reds(document) == {sprintf("acl:payments/User:billing %s %s:x", [operation, resource_type])}
			examined(document) == set()
		}
	}
}

test_red_everybody_administers_even_where_that_is_declared if {
	declared := fixture.changed(fixture.declared_cluster, {"administrators": ["User:*"]})
	acls := with_acls([fixture.binding("User:*", "ALTER", "CLUSTER", "kafka-cluster")])
	document := object.union(acls, {"declaration": {"clusters": [declared]}})
	reds(document) == {"acl:payments/User:* ALTER CLUSTER:kafka-cluster"}
}

test_red_operation_was_not_refused if {
	every operation in ["AlterConfigs", "CreateTopics"] {
		document := with_parts({"denials": array.concat(refusals, [denial("ANONYMOUS", operation, fixture.observed(false))])})
		reds(document) == {"cluster:payments"}
		found := kaf_08.findings with input as document
		every entry in found {
			not contains(entry.message, "cadastre-probe")
		}
	}
}

test_red_no_authorizer if {
	reds(with_parts({"acls": fixture.absent})) == {"cluster:payments"}
}

test_red_edge_that_no_acl_explains if {
	edge := fixture.edge("User:contractor", "change-policy", "cluster:payments", "kafka:Alter")
	reds(object.union(with_acls([]), {"access": {"edges": [edge]}})) == {"cluster:payments"}
	administrator := fixture.edge("User:operator", "change-policy", "cluster:payments", "kafka:Alter")
	reds(object.union(with_acls([]), {"access": {"edges": [administrator]}})) == set()
}

test_red_edge_that_an_acl_explains_is_told_once if {
	edge := object.union(
		fixture.edge("User:billing", "change-policy", "cluster:payments", "kafka:Alter"),
		{"statements": [{"policy": "p", "record": "acls", "pointer": "/response/bindings/0"}]},
	)
	acls := with_acls([fixture.binding("User:billing", "ALTER", "CLUSTER", "kafka-cluster")])
	reds(object.union(acls, {"access": {"edges": [edge]}})) == {"acl:payments/User:billing ALTER CLUSTER:kafka-cluster"}
}

test_unproven_edge_that_is_not_settled if {
	edge := fixture.edge_when("User:contractor", "change-policy", "cluster:payments", "kafka:Alter", "unknown", "settings")
	unproven(object.union(with_acls([]), {"access": {"edges": [edge]}})) == {"cluster:payments"}
}

test_unproven_acls_that_are_not_known if {
	document := with_parts({"acls": fixture.unknown})
	unproven(document) == {"cluster:payments"}
	examined(document) == set()
}

test_unproven_brokers_whose_authorizer_is_not_known if {
	every property in [fixture.unknown, fixture.absent, fixture.observed([])] {
		document := with_parts({"brokers": property})
		unproven(document) == {"cluster:payments"}
		examined(document) == set()
	}
	denied := with_parts({"brokers": fixture.observed([fixture.changed(fixture.broker, {"configs": fixture.unknown})])})
	unproven(denied) == {"broker:payments/1"}
	examined(denied) == set()
}

test_unproven_operation_that_was_not_tried if {
	unproven(with_parts({"denials": []})) == {"cluster:payments"}
	unproven(with_parts({"denials": [refusals[0]]})) == {"cluster:payments"}
	unsettled := [refusals[0], denial("User:scanner", "CreateTopics", fixture.unknown)]
	unproven(with_parts({"denials": unsettled})) == {"cluster:payments"}
}

test_unproven_operation_that_only_an_administrator_tried if {
	tries := [refusals[0], denial("User:admin", "CreateTopics", fixture.observed(false))]
	document := with_parts({"denials": tries})
	unproven(document) == {"cluster:payments"}
	reds(document) == set()
}

test_unproven_second_plane_of_authorization if {
	document := object.union(with_acls([]), {"access": {"unknown": [["cluster:payments", "the cloud's own access control"]]}})
	unproven(document) == {"cluster:payments"}
}

test_unproven_cluster_that_was_not_observed if {
	unproven(fixture.with_parts({"declaration": {"clusters": [fixture.declared_cluster]}})) == {"cluster:payments"}
}
