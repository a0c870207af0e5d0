package cadastre.controls.net_07_test

import rego.v1

import data.cadastre.controls.net_07
import data.cadastre.lib.fixture

service := {
	"id": "vpce-svc-1", "account": fixture.account, "region": fixture.region, "acceptance_required": true,
	"allowed_principals": fixture.observed(["arn:aws:iam::444455556666:root"]), "evidence": ["services"],
}

offering(changes) := fixture.with_parts({
	"declaration": {"vendors": [fixture.vendor]},
	"inventory": {"endpoint_services": [fixture.changed(service, changes)]},
})

statement(actions) := {
	"principal": fixture.vendor_role, "effect": "Allow", "actions": actions, "not_actions": [],
	"resources": ["*"], "not_resources": [], "condition_keys": [], "at": {"policy": "p", "record": "r", "pointer": "/0"},
}

test_pass_connections_wait if {
	document := offering({})
	count(net_07.findings) == 0 with input as document
	fixture.examined_subjects(net_07.subjects) == {"vpce-svc-1"} with input as document
}

test_pass_no_service_at_all if {
	document := fixture.with_parts({"coverage": fixture.answer("ec2:DescribeVpcEndpointServiceConfigurations", "services")})
	subjects := net_07.subjects with input as document
	subjects == {{"subject": "111122223333/eu-central-1", "message": "offers no endpoint service", "evidence": {"services"}}}
}

test_red_accepts_by_itself if {
	document := offering({"acceptance_required": false})
	fixture.subjects_of(net_07.findings, "red-flag") == {"vpce-svc-1"} with input as document
}

test_red_any_principal if {
	document := offering({"allowed_principals": fixture.observed(["*"])})
	fixture.subjects_of(net_07.findings, "red-flag") == {"vpce-svc-1"} with input as document
}

test_red_vendor_role_accepts if {
	base := offering({})
	document := object.union(base, {"access": {"statements": [statement(["ec2:Accept*"])]}})
	fixture.subjects_of(net_07.findings, "red-flag") == {fixture.vendor_role} with input as document
}

test_unproven_unknown_principals if {
	document := offering({"allowed_principals": fixture.unknown})
	fixture.subjects_of(net_07.findings, "unproven") == {"vpce-svc-1"} with input as document
}
