package cadastre.controls.kaf_12_test

import rego.v1

import data.cadastre.controls.kaf_12
import data.cadastre.lib.fixture

dead := {
	"subject": "cluster:payments",
	"defect": "not-consulted",
	"told": "the ACL DENY User:* READ on TOPIC:orders binds no client that uses IAM",
	"statements": [{"policy": "DENY User:* READ", "record": "acls", "pointer": "/response/bindings/0"}],
}

on(kind, access) := object.union(fixture.kafka({}), {
	"declaration": {"clusters": [fixture.changed(fixture.declared_cluster, {"kind": kind})]},
	"access": access,
})

test_pass_one_plane if {
	document := on("apache-kafka", {})
	count(kaf_12.findings) == 0 with input as document
	fixture.examined_subjects(kaf_12.subjects) == {"cluster:payments"} with input as document
}

test_pass_both_planes_without_a_dead_rule if {
	document := on("msk", {"guards": [object.union(dead, {"subject": "arn:aws:s3:::records"})]})
	count(kaf_12.findings) == 0 with input as document
}

test_red_rule_that_nothing_asks if {
	document := on("msk", {"guards": [dead]})
	fixture.subjects_of(kaf_12.findings, "red-flag") == {"cluster:payments"} with input as document
}

test_red_super_user_denied_on_a_cluster_of_ones_own if {
	document := on("apache-kafka", {"guards": [dead]})
	fixture.subjects_of(kaf_12.findings, "red-flag") == {"cluster:payments"} with input as document
}

test_unproven_plane_that_was_not_asked_about if {
	document := on("msk", {"unknown": [["cluster:payments", "kafka:ListClustersV2 was not asked"]]})
	fixture.subjects_of(kaf_12.findings, "unproven") == {"cluster:payments"} with input as document
}

test_unproven_managed_cluster_declared_as_another_kind if {
	base := on("apache-kafka", {})
	broker := object.union(fixture.broker, {"host": "b-1.payments.abc123.c2.kafka.eu-central-1.amazonaws.com"})
	cluster := fixture.changed(fixture.cluster, {"brokers": fixture.observed([broker])})
	document := object.union(base, {"inventory": {"clusters": [cluster]}})
	fixture.subjects_of(kaf_12.findings, "unproven") == {"cluster:payments"} with input as document
}

test_unproven_acls_that_were_not_read if {
	base := on("msk", {})
	document := object.union(base, {"inventory": {"clusters": [fixture.changed(fixture.cluster, {"acls": fixture.unknown})]}})
	fixture.subjects_of(kaf_12.findings, "unproven") == {"cluster:payments"} with input as document
}
