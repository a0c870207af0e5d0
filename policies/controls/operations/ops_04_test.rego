package cadastre.controls.ops_04_test

import rego.v1

import data.cadastre.controls.ops_04
import data.cadastre.lib.documents_fixture
import data.cadastre.lib.fixture

owner(trouble) := {"trouble": trouble, "first": "platform on call", "reach": "pager rota"}

owners := [owner(trouble) | some trouble in ["broker-health", "storage-access", "client-connectivity", "key-trouble"]]

judged(changes) := documents_fixture.input_with([documents_fixture.document("incident-ownership", "OPS-04", object.union({"incidents": owners}, changes))], {})

id := "document:incident-ownership.md"

test_pass_each_trouble_is_owned if {
	document := judged({})
	found := ops_04.findings with input as document
	count(found) == 0
	fixture.examined_subjects(ops_04.subjects) == {id, "cluster:payments"} with input as document
}

test_red_nobody_wrote_anything if {
	document := documents_fixture.input_with([], {})
	found := ops_04.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"cluster:payments"}
	count(found) == 4
}

test_red_one_trouble_is_left_out if {
	document := judged({"incidents": array.slice(owners, 0, 3)})
	found := ops_04.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"cluster:payments"}
	some finding in found
	contains(finding.message, "key-trouble")
}

test_red_an_owner_that_cannot_be_reached if {
	blank := fixture.changed(owner("key-trouble"), {"reach": ""})
	document := judged({"incidents": array.concat(array.slice(owners, 0, 3), [blank])})
	fixture.subjects_of(ops_04.findings, "red-flag") == {"cluster:payments"} with input as document
}

test_red_what_the_graph_contradicts if {
	base := judged({"statements": [{"capability": "manage-key", "only": "customer", "target": "arn:aws:kms:*"}]})
	edge := fixture.edge(fixture.vendor_role, "manage-key", fixture.key_arn, "kms:PutKeyPolicy")
	document := object.union(base, {"declaration": {"vendors": [fixture.vendor]}, "access": {"edges": [edge]}})
	fixture.subjects_of(ops_04.findings, "red-flag") == {id} with input as document
}

test_unproven_an_old_page if {
	document := judged({"last-reviewed": "2024-01-01"})
	fixture.subjects_of(ops_04.findings, "unproven") == {id} with input as document
}

test_unproven_where_a_document_is_broken if {
	document := documents_fixture.input_with([], documents_fixture.broken)
	found := ops_04.findings with input as document
	fixture.subjects_of(found, "red-flag") == set()
	fixture.subjects_of(found, "unproven") == {"cluster:payments"}
}
