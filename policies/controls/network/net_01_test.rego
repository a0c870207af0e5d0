package cadastre.controls.net_01_test

import rego.v1

import data.cadastre.controls.net_01
import data.cadastre.lib.fixture

interface := {"id": "eni-1", "instance": "i-1", "private_addresses": ["10.20.1.10"], "public_addresses": [], "evidence": ["interfaces"]}

flow := {
	"direction": "ingress", "interface": "eni-1", "instance": "i-1", "vpc": "vpc-1",
	"peer": "0.0.0.0/0", "peer_name": null, "ports": {"protocol": 6, "from": 9093, "to": 9093},
	"crossing": "internet", "hops": [{"at": "igw-1", "what": "in"}], "evidence": ["routes"],
}

reached_by(flows, unknown) := fixture.with_parts({
	"inventory": {"instances": [fixture.host], "interfaces": [interface]},
	"reachability": {"flows": flows, "unknown": unknown},
})

test_pass_no_flow_from_the_internet if {
	document := reached_by([fixture.changed(flow, {"crossing": "local", "peer": "10.20.32.0/22"})], [])
	count(net_01.findings) == 0 with input as document
	fixture.examined_subjects(net_01.subjects) == {"i-1"} with input as document
}

test_red_flow_from_the_internet if {
	document := reached_by([flow], [])
	found := net_01.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"i-1"}
	some item in found
	item.path == ["igw-1: in"]
}

test_red_anonymous_connection_served if {
	open := fixture.changed(fixture.listener, {"anonymous_access": fixture.observed(true)})
	base := fixture.kafka({"listeners": [open]})
	document := object.union(base, {"inventory": {"instances": [fixture.host], "interfaces": [interface]}})
	fixture.subjects_of(net_01.findings, "red-flag") == {"listener:payments/CLIENT"} with input as document
}

test_unproven_open_question_about_the_interface if {
	document := reached_by([], [{"interface": "eni-1", "missing": "its network ACL"}])
	fixture.subjects_of(net_01.findings, "unproven") == {"i-1"} with input as document
}

beside(other) := object.union(reached_by([], []), {"inventory": {"interfaces": [interface, fixture.changed(interface, other)]}})

test_unproven_beside_what_passes_connections_on if {
	every front in [
		{"id": "eni-2", "instance": null, "kind": "network_load_balancer"},
		{"id": "eni-2", "instance": null, "kind": "global_accelerator_managed"},
		{"id": "eni-2", "instance": null, "kind": "interface", "public_addresses": ["203.0.113.7"]},
	] {
		fixture.subjects_of(net_01.findings, "unproven") == {"i-1"} with input as beside(front)
	}
	every other in [
		{"id": "eni-2", "instance": null, "kind": "vpc_endpoint"},
		{"id": "eni-2", "instance": null, "kind": "nat_gateway", "public_addresses": ["203.0.113.7"]},
		{"id": "eni-2", "instance": null, "kind": "interface"},
	] {
		count(net_01.findings) == 0 with input as beside(other)
	}
}

test_unproven_host_without_interfaces if {
	base := reached_by([], [])
	document := object.union(base, {"inventory": {"interfaces": []}})
	fixture.subjects_of(net_01.findings, "unproven") == {"i-1"} with input as document
}

test_unproven_broker_on_an_unknown_host if {
	document := fixture.kafka({})
	fixture.subjects_of(net_01.findings, "unproven") == {"broker:payments/1"} with input as document
}

test_red_azure_machine_reached if {
	machine := {"id": "/subscriptions/s/vm", "name": "vm", "identities": ["b1"], "interfaces": [], "evidence": ["machines"]}
	document := fixture.with_parts({
		"declaration": {"identities": [{"principal": "entra:b1", "job": "broker"}]},
		"inventory": {"azure": {"machines": [machine], "interfaces": []}},
		"reachability": {"flows": [fixture.changed(flow, {"instance": machine.id})], "unknown": []},
	})
	fixture.subjects_of(net_01.findings, "red-flag") == {machine.id} with input as document
}
