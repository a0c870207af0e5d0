# METADATA
# scope: package
# title: The customer accepts private connections
# description: |
#   An endpoint service that accepts by itself, or that lets anybody ask, gives the decision who connects away. So
#   does a vendor role that may accept connections. Where an account offers no endpoint service there is nothing
#   to accept, and its complete list proves that.
# custom:
#   id: NET-07
#   area: network
#   pass: connections wait for the customer's acceptance
#   red_flag: connections are accepted from any principal without the customer, or by a vendor role
#   requires:
#     - ec2:DescribeVpcEndpointServiceConfigurations
#     - ec2:DescribeVpcEndpointServicePermissions
#     - iam:GetAccountAuthorizationDetails
#     - Microsoft.Network/privateLinkServices/read
#     - Microsoft.Authorization/roleAssignments/read
#     - Microsoft.Authorization/roleDefinitions/read
#   fix: require acceptance, list the principals that may connect, and keep acceptance out of vendor roles
package cadastre.controls.net_07

import rego.v1

import data.cadastre.lib.azure
import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.pattern
import data.cadastre.lib.sides

subjects contains result if {
	some service in input.inventory.endpoint_services
	result := finding.examined(service.id, service.evidence)
}

subjects contains result if {
	some account in data.cadastre.lib.declared.aws_accounts
	some region in data.cadastre.lib.declared.regions
	not offers(account, region)
	result := finding.shown(
		sprintf("%s/%s", [account, region]),
		"offers no endpoint service",
		coverage.records_in("ec2:DescribeVpcEndpointServiceConfigurations", account, region),
	)
}

offers(account, region) if {
	some service in input.inventory.endpoint_services
	service.account == account
	service.region == region
}

findings contains result if {
	some service in input.inventory.endpoint_services
	not service.acceptance_required
	result := finding.red(service.id, "accepts every connection by itself", service.evidence)
}

findings contains result if {
	some service in input.inventory.endpoint_services
	service.allowed_principals.state == "observed"
	some principal in service.allowed_principals.value
	regex.match(`[*]`, principal)
	result := finding.red(service.id, "lets any principal ask for a connection", service.evidence)
}

findings contains result if {
	some service in input.inventory.endpoint_services
	service.allowed_principals.state == "unknown"
	result := finding.unproven(service.id, sprintf("who may connect to it is not known: %s", [known.missing(service.allowed_principals)]), service.evidence)
}

# Vendor roles that may accept ------------------------------------------------------------------------------

accepting := {
	"ec2:acceptvpcendpointconnections", "ec2:modifyvpcendpointserviceconfiguration",
	"ec2:modifyvpcendpointservicepermissions", "ec2:acceptvpcpeeringconnection",
	"ec2:accepttransitgatewayvpcattachment",
}

vendor_principals := data.cadastre.lib.declared.vendor_roles | {principal.arn |
	some principal in input.inventory.principals
	sides.in_foreign_hands(principal.arn)
}

findings contains result if {
	some statement in input.access.statements
	statement.principal in vendor_principals
	statement.effect == "Allow"
	some action in statement.actions
	some accept in accepting
	pattern.matches(lower(action), accept)
	result := finding.red(
		statement.principal,
		sprintf("is used by a vendor and may accept connections: `%s` in %s", [action, statement.at.policy]),
		{statement.at.record},
	)
}

findings contains result if {
	some statement in input.access.statements
	statement.principal in vendor_principals
	statement.effect == "Allow"
	count(statement.not_actions) > 0
	not pattern.any_matches({lower(action) | some action in statement.not_actions}, "ec2:acceptvpcendpointconnections")
	result := finding.red(
		statement.principal,
		sprintf("is used by a vendor and may do everything but a list in %s, accepting connections included", [statement.at.policy]),
		{statement.at.record},
	)
}

findings contains result if {
	some principal in input.inventory.principals
	principal.arn in vendor_principals
	principal.policies.state == "unknown"
	result := finding.unproven(principal.arn, sprintf("what this vendor role may do is not known: %s", [known.missing(principal.policies)]), principal.evidence)
}

# Azure -----------------------------------------------------------------------------------------------------

subjects contains result if {
	some service in azure.shown("private_link_services")
	result := finding.examined(service.id, service.evidence)
}

subjects contains result if {
	some subscription in data.cadastre.lib.azure.subscriptions
	count([service | some service in azure.shown("private_link_services"); service.subscription == subscription]) == 0
	result := finding.shown(
		subscription,
		"offers no private link service",
		coverage.records_in("Microsoft.Network/privateLinkServices/read", subscription, null),
	)
}

findings contains result if {
	some service in azure.shown("private_link_services")
	some approved in service.auto_approval
	not lower(approved) in data.cadastre.lib.azure.subscriptions
	result := finding.red(service.id, sprintf("accepts every connection of subscription `%s` by itself", [approved]), service.evidence)
}

findings contains result if {
	some service in azure.shown("private_link_services")
	"*" in service.visibility
	result := finding.red(service.id, "lets any subscription ask for a connection", service.evidence)
}

# Actions that accept a connection, or make whoever may do them able to.
accepting_in_azure := {
	"microsoft.network/privatelinkservices/write", "microsoft.network/privatelinkservices/privateendpointconnections/write",
	"microsoft.network/virtualnetworks/virtualnetworkpeerings/write",
	"microsoft.storage/storageaccounts/privateendpointconnections/write",
	"microsoft.storage/storageaccounts/privateendpointconnectionsapproval/action",
	"microsoft.keyvault/vaults/privateendpointconnections/write",
	"microsoft.keyvault/vaults/privateendpointconnectionsapproval/action",
	"microsoft.authorization/roleassignments/write",
}

accepts(assignment) if {
	some action in accepting_in_azure
	azure.role_allows(data.cadastre.lib.azure.definition_by_id[assignment.definition], action)
}

holder(assignment) := sprintf("entra:%s", [assignment.principal])

findings contains result if {
	some assignment in azure.shown("role_assignments")
	sides.in_foreign_hands(holder(assignment))
	accepts(assignment)
	definition := data.cadastre.lib.azure.definition_by_id[assignment.definition]
	result := finding.red(
		holder(assignment),
		sprintf("is used by a vendor and may accept connections as %s on %s", [definition.name, assignment.scope]),
		{assignment.record, definition.record},
	)
}

findings contains result if {
	some assignment in azure.shown("role_assignments")
	not data.cadastre.lib.azure.definition_by_id[assignment.definition]
	result := finding.unproven(holder(assignment), "what its role allows is not in the evidence", {assignment.record})
}

findings contains result if {
	some assignment in azure.shown("role_assignments")
	contains(assignment.principal_kind, "Group")
	accepts(assignment)
	not sides.in_foreign_hands(holder(assignment))
	count({identity | some identity in input.declaration.identities; identity.principal == holder(assignment)}) == 0
	result := finding.unproven(holder(assignment), "may accept connections, and who is in this group is neither declared nor in the evidence", {assignment.record})
}

# Azure Lighthouse gives another tenant roles, and Privileged Identity Management gives roles for a while; neither is in a
# list of role assignments.
findings contains result if {
	some subscription in data.cadastre.lib.azure.subscriptions
	result := finding.unproven(
		subscription,
		"what Azure Lighthouse delegates and what may be activated by Privileged Identity Management is not read",
		coverage.records_in("Microsoft.Authorization/roleAssignments/read", subscription, null),
	)
}
