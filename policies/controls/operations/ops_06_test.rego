package cadastre.controls.ops_06_test

import rego.v1

import data.cadastre.controls.ops_06
import data.cadastre.lib.documents_fixture
import data.cadastre.lib.fixture

operator := "arn:aws:iam::111122223333:role/operator"

host_arn := "arn:aws:ec2:eu-central-1:111122223333:instance/i-1"

operations := ["restart-brokers", "rotate-certificates", "read-logs", "upgrade", "recover"]

said(party) := [{"operation": operation, "by": party} | some operation in operations]

by_customer := [
	fixture.edge(operator, "operate-host", host_arn, "ssm:StartSession"),
	fixture.edge(operator, "read-logs", fixture.log_bucket_arn, "s3:GetObject"),
]

by_vendor := [
	fixture.edge(fixture.vendor_role, "operate-host", host_arn, "ssm:StartSession"),
	fixture.edge(fixture.vendor_role, "read-logs", fixture.log_bucket_arn, "s3:GetObject"),
]

parts(edges) := {
	"declaration": {"vendors": [fixture.vendor], "log-sinks": [fixture.declared_sink]},
	"inventory": {"instances": [fixture.host]},
	"access": {"edges": edges},
	"graph": {"principals": [fixture.view(fixture.vendor_role, "vendor"), fixture.view(operator, "customer")]},
	"coverage": fixture.account_answer("iam:GetAccountAuthorizationDetails", "identities"),
}

page(changes) := documents_fixture.document("vendor-access", "OPS-06", changes)

judged(changes, edges) := documents_fixture.input_with([page(changes)], parts(edges))

every_operation := {sprintf("operation:%s", [operation]) | some operation in operations}

test_pass_the_customer_does_all_of_it if {
	document := judged({"operations": said("customer"), "statements": [{"capability": "operate-host", "only": "customer"}]}, by_customer)
	found := ops_06.findings with input as document
	count(found) == 0
	fixture.examined_subjects(ops_06.subjects) == every_operation | {"document:vendor-access.md"} with input as document
}

test_pass_the_vendor_does_all_of_it if {
	document := judged({"operations": said("vendor")}, array.concat(by_customer, by_vendor))
	found := ops_06.findings with input as document
	count(found) == 0
}

test_red_a_vendor_can_do_what_the_customer_should if {
	document := judged({"operations": said("customer")}, array.concat(by_customer, by_vendor))
	fixture.subjects_of(ops_06.findings, "red-flag") == every_operation with input as document
}

test_red_the_vendor_cannot_do_what_it_should if {
	document := judged({"operations": said("vendor")}, by_customer)
	fixture.subjects_of(ops_06.findings, "red-flag") == every_operation with input as document
}

test_red_nobody_of_the_customer_can if {
	document := judged({"operations": said("customer")}, [])
	fixture.subjects_of(ops_06.findings, "red-flag") == every_operation with input as document
}

test_red_a_stranger_can_what_the_vendor_should if {
	stranger := fixture.edge("arn:aws:iam::777788889999:role/x", "operate-host", host_arn, "ssm:StartSession")
	edges := array.concat([stranger], array.concat(by_customer, by_vendor))
	document := judged({"operations": said("both")}, edges)
	fixture.subjects_of(ops_06.findings, "red-flag") == every_operation - {"operation:read-logs"} with input as document
}

test_red_a_statement_that_is_not_so if {
	edge := fixture.edge(fixture.vendor_role, "operate-host", host_arn, "ssm:StartSession")
	statement := {"capability": "operate-host", "only": "customer"}
	base := judged({"operations": said("vendor"), "statements": [statement]}, array.concat(by_vendor, [edge]))
	found := ops_06.findings with input as base
	"document:vendor-access.md" in fixture.subjects_of(found, "red-flag")
}

test_red_two_documents_that_disagree if {
	other := object.union(page({"operations": said("vendor")}), {"id": "document:other.md"})
	document := documents_fixture.input_with([page({"operations": said("customer")}), other], parts(array.concat(by_customer, by_vendor)))
	fixture.subjects_of(ops_06.findings, "red-flag") == every_operation with input as document
}

test_unproven_nobody_says if {
	document := judged({"operations": [{"operation": "upgrade", "by": null}]}, by_customer)
	fixture.subjects_of(ops_06.findings, "unproven") == every_operation with input as document
}

test_unproven_no_page if {
	document := documents_fixture.input_with([], parts(by_customer))
	fixture.subjects_of(ops_06.findings, "unproven") == every_operation with input as document
}

test_unproven_nothing_to_operate_is_seen if {
	base := object.union(parts(by_customer), {"inventory": {"instances": []}})
	document := documents_fixture.input_with([page({"operations": said("customer")})], base)
	fixture.subjects_of(ops_06.findings, "unproven") == every_operation - {"operation:read-logs"} with input as document
}

test_unproven_an_edge_that_is_not_settled if {
	edge := fixture.edge_when(fixture.vendor_role, "operate-host", host_arn, "ssm:StartSession", "unknown", "its boundary")
	document := judged({"operations": said("customer")}, array.concat(by_customer, [edge]))
	fixture.subjects_of(ops_06.findings, "unproven") == every_operation - {"operation:read-logs"} with input as document
}

# Two clusters, one of which a vendor operates: each page speaks for its own.
two_clusters(docs, edges) := object.union(documents_fixture.input_with(docs, parts(edges)), {"declaration": {"clusters": [
	documents_fixture.cluster,
	object.union(documents_fixture.cluster, {"name": "telemetry"}),
]}})

page_of(name, party) := object.union(
	page({"clusters": [name], "operations": said(party)}),
	{"id": sprintf("document:%s.md", [name])},
)

test_pass_each_cluster_as_its_own_page_says if {
	document := two_clusters([page_of("payments", "vendor"), page_of("telemetry", "both")], array.concat(by_customer, by_vendor))
	count(ops_06.findings) == 0 with input as document
	"operation:telemetry/upgrade" in fixture.examined_subjects(ops_06.subjects) with input as document
}

test_red_only_of_the_cluster_whose_page_is_wrong if {
	document := two_clusters([page_of("payments", "vendor"), page_of("telemetry", "customer")], array.concat(by_customer, by_vendor))
	expected := {sprintf("operation:telemetry/%s", [operation]) | some operation in operations}
	fixture.subjects_of(ops_06.findings, "red-flag") == expected with input as document
}

test_unproven_a_cluster_of_which_no_page_speaks if {
	document := two_clusters([page_of("payments", "customer")], by_customer)
	expected := {sprintf("operation:telemetry/%s", [operation]) | some operation in operations}
	fixture.subjects_of(ops_06.findings, "unproven") == expected with input as document
}
