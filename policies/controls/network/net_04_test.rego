package cadastre.controls.net_04_test

import rego.v1

import data.cadastre.controls.net_04
import data.cadastre.lib.fixture

interface := {"id": "eni-1", "instance": "i-1", "kind": "interface", "private_addresses": ["10.20.1.10"], "security_groups": ["sg-broker"], "evidence": ["interfaces"]}

group := {"id": "sg-broker", "egress": [], "ingress": [], "evidence": ["groups"]}

flow := {
	"direction": "egress", "interface": "eni-1", "instance": "i-1", "vpc": "vpc-1",
	"peer": "10.20.0.0/16", "peer_name": null, "ports": {"protocol": 6, "from": 9093, "to": 9094},
	"crossing": "local", "hops": [], "evidence": ["routes"],
}

declaration := {
	"networks": [{"name": "brokers", "cidrs": ["10.20.0.0/16"], "purpose": "brokers"}, {"name": "endpoints", "cidrs": ["10.20.255.0/26"], "purpose": "endpoints"}],
	"flows": [
		{"name": "replication", "purpose": "replication", "from": "brokers", "to": "brokers", "ports": [9093, 9094]},
		{"name": "storage", "purpose": "storage", "from": "brokers", "to": "service:s3", "ports": [443]},
		{"name": "keys", "purpose": "keys", "from": "brokers", "to": "endpoints", "ports": [443]},
	],
}

sending(flows, changes) := fixture.with_parts({
	"declaration": declaration,
	"inventory": object.union({"instances": [fixture.host], "interfaces": [interface], "security_groups": [group]}, changes),
	"reachability": {"flows": flows},
})

named(peer, port) := fixture.changed(flow, {"peer": null, "peer_name": peer, "ports": {"protocol": 6, "from": port, "to": port}})

test_pass_declared_flows if {
	endpoint := {"id": "vpce-1", "service": "com.amazonaws.eu-central-1.kms", "security_groups": ["sg-endpoints"], "subnets": ["subnet-9"]}
	document := sending([flow, named("pl-1", 443), named("sg-endpoints", 443)], {
		"prefix_lists": [{"id": "pl-1", "name": "com.amazonaws.eu-central-1.s3"}],
		"endpoints": [endpoint],
		"subnets": [{"id": "subnet-9", "cidrs": ["10.20.255.0/26"]}],
	})
	count(net_04.findings) == 0 with input as document
	fixture.examined_subjects(net_04.subjects) == {"i-1"} with input as document
}

test_red_open_egress_rule if {
	document := sending([flow], {"security_groups": [fixture.changed(group, {"egress": [{"protocol": null, "from_port": null, "to_port": null, "peer": {"cidr": "0.0.0.0/0"}, "pointer": "/x"}]})]})
	fixture.subjects_of(net_04.findings, "red-flag") == {"sg-broker"} with input as document
}

is_red(changed) if {
	document := sending([fixture.changed(flow, changed)], {})
	found := net_04.findings with input as document
	fixture.subjects_of(found, "red-flag") == {"i-1"}
}

test_red_undeclared_destination if is_red({"peer": "10.0.0.0/8"})

test_red_undeclared_port if is_red({"ports": {"protocol": 6, "from": 9092, "to": 9094}})

test_red_all_protocols if is_red({"ports": {"protocol": null, "from": 0, "to": 65535}})

test_red_unknown_service if is_red({"peer": null, "peer_name": "com.amazonaws.eu-central-1.sqs", "ports": {"protocol": 6, "from": 443, "to": 443}})

test_red_internet if is_red({"peer": "203.0.113.0/24", "crossing": "nat"})

test_unproven_group_that_was_not_read if {
	document := sending([flow], {"security_groups": []})
	fixture.subjects_of(net_04.findings, "unproven") == {"sg-broker"} with input as document
}

test_unproven_open_question if {
	base := sending([flow], {})
	document := object.union(base, {"reachability": {"unknown": [{"interface": "eni-1", "missing": "entries of pl-1"}]}})
	fixture.subjects_of(net_04.findings, "unproven") == {"i-1"} with input as document
}
