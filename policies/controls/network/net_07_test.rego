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

# Azure -----------------------------------------------------------------------------------------------------

subscription := "3f2a1b0c-0000-4000-8000-000000000001"

link := {
	"id": "/subscriptions/3f2a1b0c-0000-4000-8000-000000000001/pls", "subscription": subscription, "region": "westeurope",
	"auto_approval": [], "visibility": [subscription], "connections": [], "evidence": ["links"],
}

role := {
	"id": "r1", "name": "Network Contributor", "kind": "BuiltInRole", "record": "roles", "pointer": "/0", "evidence": ["roles"],
	"permissions": [{
		"actions": ["Microsoft.Network/*"], "not_actions": [], "data_actions": [], "not_data_actions": [],
		"condition": null,
	}],
}

assignment := {
	"id": "a1", "scope": "/subscriptions/3f2a1b0c-0000-4000-8000-000000000001", "principal": "c1", "principal_kind": "ServicePrincipal",
	"definition": "r1", "listed_in": subscription, "condition": null, "record": "assignments", "pointer": "/0",
	"evidence": ["assignments"],
}

linked(link_changes, role_changes, assignment_changes, vendors) := fixture.with_parts({
	"declaration": {
		"accounts": [{"id": subscription, "provider": "azure", "purpose": "data-plane"}],
		"vendors": [{"name": "v", "accounts": [], "roles": [{"arn": role_id, "function": "f", "actions": []} | some role_id in vendors], "kafka-principals": [], "networks": []}],
	},
	"inventory": {"azure": {
		"private_link_services": [fixture.changed(link, link_changes)],
		"role_definitions": [fixture.changed(role, role_changes)],
		"role_assignments": [fixture.changed(assignment, assignment_changes)],
	}},
})

test_unproven_azure_delegations if {
	document := linked({}, {}, {}, [])
	{result.subject | some result in net_07.findings} == {subscription} with input as document
	fixture.subjects_of(net_07.findings, "unproven") == {subscription} with input as document
	fixture.examined_subjects(net_07.subjects) == {link.id} with input as document
}

test_red_azure_approves_strangers if {
	document := linked({"auto_approval": ["99990000-0000-4000-8000-000000000009"]}, {}, {}, [])
	fixture.subjects_of(net_07.findings, "red-flag") == {link.id} with input as document
}

test_red_azure_anybody_asks if {
	document := linked({"visibility": ["*"]}, {}, {}, [])
	fixture.subjects_of(net_07.findings, "red-flag") == {link.id} with input as document
}

test_red_azure_vendor_accepts if {
	document := linked({}, {}, {}, ["entra:c1"])
	fixture.subjects_of(net_07.findings, "red-flag") == {"entra:c1"} with input as document
}

test_azure_vendor_reads if {
	reads := [{"actions": ["*/read"], "not_actions": [], "data_actions": [], "not_data_actions": [], "condition": null}]
	document := linked({}, {"permissions": reads}, {}, ["entra:c1"])
	{result.subject | some result in net_07.findings} == {subscription} with input as document
}

test_unproven_azure_group if {
	document := linked({}, {}, {"principal_kind": "Group"}, [])
	fixture.subjects_of(net_07.findings, "unproven") == {"entra:c1", subscription} with input as document
}

test_unproven_azure_role_not_read if {
	document := linked({}, {}, {"definition": "r9"}, [])
	fixture.subjects_of(net_07.findings, "unproven") == {"entra:c1", subscription} with input as document
}
