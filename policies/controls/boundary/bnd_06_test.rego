package cadastre.controls.bnd_06_test

import rego.v1

import data.cadastre.controls.bnd_06
import data.cadastre.lib.fixture

writes := fixture.edge(fixture.broker_role, "write-objects", fixture.bucket_arn, "s3:PutObject")

in_account(edges, changes) := fixture.with_parts({
	"declaration": {"stores": [fixture.declared_store], "keys": [fixture.declared_key]},
	"inventory": object.union({"buckets": [fixture.bucket], "keys": [fixture.key], "instances": [fixture.host], "volumes": [fixture.volume]}, changes),
	"access": {"edges": edges},
	"graph": {"principals": [fixture.view(fixture.broker_role, "customer"), fixture.view("arn:aws:iam::111122223333:role/stranger", "customer")]},
})

peering := {
	"id": "pcx-1", "status": "active",
	"requester_account": "111122223333", "requester_vpc": "vpc-1", "requester_cidrs": ["10.20.0.0/16"],
	"accepter_account": "111122223333", "accepter_vpc": "vpc-2", "accepter_cidrs": ["10.30.0.0/16"],
	"evidence": ["peerings"],
}

test_pass_everything_is_declared if {
	document := in_account([writes], {})
	count(bnd_06.findings) == 0 with input as document
	fixture.examined_subjects(bnd_06.subjects) == {fixture.bucket_arn, fixture.key_arn, fixture.broker_role} with input as document
}

test_pass_listener_is_declared_by_name_and_port if {
	document := fixture.kafka({})
	count(bnd_06.findings) == 0 with input as document
}

test_red_undeclared_bucket if {
	extra := object.union(fixture.bucket, {"arn": "arn:aws:s3:::extra", "name": "extra"})
	document := in_account([writes, fixture.edge(fixture.broker_role, "write-objects", "arn:aws:s3:::extra", "s3:PutObject")], {"buckets": [fixture.bucket, extra]})
	fixture.subjects_of(bnd_06.findings, "red-flag") == {"arn:aws:s3:::extra"} with input as document
}

test_red_undeclared_key if {
	other := "arn:aws:kms:eu-central-1:111122223333:key/other"
	document := in_account([writes], {"volumes": [object.union(fixture.volume, {"key_arn": other})]})
	fixture.subjects_of(bnd_06.findings, "red-flag") == {other} with input as document
}

test_red_undeclared_listener if {
	document := fixture.kafka({"listeners": [object.union(fixture.listener, {"name": "DEBUG", "port": 9999})]})
	fixture.subjects_of(bnd_06.findings, "red-flag") == {"listener:payments/DEBUG"} with input as document
}

test_red_peering_with_an_undeclared_network if {
	document := in_account([writes], {"peerings": [peering]})
	fixture.subjects_of(bnd_06.findings, "red-flag") == {"pcx-1"} with input as document
}

test_pass_peering_with_a_declared_network if {
	base := in_account([writes], {"peerings": [peering]})
	document := object.union(base, {"declaration": {"networks": [{"name": "clients", "cidrs": ["10.30.0.0/15"], "purpose": "clients"}]}})
	count(bnd_06.findings) == 0 with input as document
}

test_red_undeclared_principal if {
	stranger := "arn:aws:iam::111122223333:role/stranger"
	document := in_account([writes, fixture.edge(stranger, "decrypt", fixture.key_arn, "kms:Decrypt")], {})
	fixture.subjects_of(bnd_06.findings, "red-flag") == {stranger} with input as document
}

test_unproven_open_edge_of_an_undeclared_principal if {
	stranger := "arn:aws:iam::111122223333:role/stranger"
	edge := fixture.edge_when(stranger, "decrypt", fixture.key_arn, "kms:Decrypt", "unknown", "its boundary")
	document := in_account([writes, edge], {})
	fixture.subjects_of(bnd_06.findings, "unproven") == {stranger} with input as document
}

test_unproven_transit_gateway if {
	document := in_account([writes], {"gateways": [{"id": "tgw-attach-1", "kind": "transit-attachment", "vpc": "vpc-1", "evidence": ["gateways"]}]})
	fixture.subjects_of(bnd_06.findings, "unproven") == {"tgw-attach-1"} with input as document
}
