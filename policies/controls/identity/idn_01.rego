# METADATA
# scope: package
# title: Vendor roles are declared and narrowly scoped
# description: |
#   Every role that somebody outside can take is declared with the function it serves and the actions it needs.
#   What its policies grant is compared action by action; wildcards on services that hold or move data are
#   refused even where the declaration would cover them.
# custom:
#   id: IDN-01
#   area: identity
#   pass: what it grants is declared, action by action
#   red_flag: wildcard actions or resources on data-bearing services, or an undeclared vendor trust
#   requires:
#     - iam:GetAccountAuthorizationDetails
#   fix: declare the role with its function and actions, and cut its policies down to them
package cadastre.controls.idn_01

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.guards
import data.cadastre.lib.known
import data.cadastre.lib.pattern
import data.cadastre.lib.sides

principals := {principal.arn: principal | some principal in input.inventory.principals}

declared_roles := {role.arn: role | some vendor in input.declaration.vendors; some role in vendor.roles}

# Who outside may take which role, by the roles' trust policies and by everything that leads there.
outsiders[trust.role] contains result if {
	some trust in input.access.trusts
	trust.principal != "*"
	not startswith(trust.principal, "service:")
	not startswith(trust.principal, "federated:")
	sides.foreign(trust.principal)
	result := trust.principal
}

outsiders[view.id] contains other if {
	some view in input.graph.principals
	some other in view.assumable_by
	sides.foreign(other)
	not startswith(other, "federated:")
	other != "*"
}

vendor_roles := object.keys(declared_roles) | {role | some role, _ in outsiders}

subjects contains result if {
	some role in vendor_roles
	principal := principals[role]
	result := finding.examined(role, principal.evidence)
}

# Without any vendor role there is still the statement that nobody outside is let in.
subjects contains result if {
	some account in data.cadastre.lib.declared.aws_accounts
	count(vendor_roles) == 0
	records := coverage.records_in("iam:GetAccountAuthorizationDetails", account, null)
	result := finding.shown(sprintf("account:%s", [account]), "no role lets in anybody outside", records)
}

findings contains result if {
	some role, found in outsiders
	not declared_roles[role]
	result := finding.red(role, sprintf("lets in %s and is not declared as a vendor's role", [concat(", ", found)]), records_of(role))
}

records_of(role) := {record | some record in principals[role].evidence} if principals[role]

records_of(role) := data.cadastre.lib.coverage.identities if not principals[role]

findings contains result if {
	some arn, role in declared_roles
	principals[arn]
	trim_space(role["function"]) == ""
	result := finding.red(arn, "is declared without the function it serves", records_of(arn))
}

findings contains result if {
	some arn, _ in declared_roles
	not principals[arn]
	result := finding.unproven(arn, "is declared and not among the observed roles", data.cadastre.lib.coverage.identities)
}

# A deny that decides nothing makes a role look narrower than it is.
findings contains result if {
	some role in vendor_roles
	some guard in guards.with_defect(role, data.cadastre.lib.guards.idle)
	result := guards.red(role, guard)
}

# What is granted -------------------------------------------------------------------------------------------

granted[statement.principal] contains statement if {
	some statement in input.access.statements
	statement.principal in vendor_roles
	lower(statement.effect) == "allow"
}

findings contains result if {
	some role, statements in granted
	some statement in statements
	count(statement.not_actions) > 0
	result := finding.red(role, sprintf("%s grants everything but %s", [statement.at.policy, concat(", ", statement.not_actions)]), {statement.at.record})
}

findings contains result if {
	some role, statements in granted
	some statement in statements
	some action in statement.actions
	contains(action, "*")
	service_of(action) in data_services
	result := finding.red(role, sprintf("%s grants `%s`, a wildcard on a data-bearing service", [statement.at.policy, action]), {statement.at.record})
}

findings contains result if {
	some role, statements in granted
	some statement in statements
	some action in statement.actions
	service_of(action) in data_services
	not without_resource(action)
	some resource in wide_resources(statement)
	result := finding.red(role, sprintf("%s grants `%s` on `%s`, a wildcard on a data-bearing service", [statement.at.policy, action, resource]), {statement.at.record})
}

findings contains result if {
	some role, statements in granted
	declaration := declared_roles[role]
	some statement in statements
	some action in statement.actions
	not pattern.any_covers({lower(needed) | some needed in declaration.actions}, lower(action))
	result := finding.red(role, sprintf("%s grants `%s`, which is not declared as needed", [statement.at.policy, action]), {statement.at.record})
}

data_services := {
	"*", "s3", "kms", "ec2", "ebs", "ssm", "ec2-instance-connect", "kafka", "kafka-cluster", "dynamodb", "rds",
	"secretsmanager", "logs", "cloudtrail", "iam", "sts", "backup", "s3express", "glacier", "elasticfilesystem", "fsx",
}

# `*` alone, and `s*:…` or `?3:…`, stand for every service.
service_of(action) := "*" if not contains(action, ":")

service_of(action) := "*" if {
	contains(action, ":")
	regex.match(`[*?]`, split(action, ":")[0])
}

service_of(action) := lower(split(action, ":")[0]) if {
	contains(action, ":")
	not regex.match(`[*?]`, split(action, ":")[0])
}

# Calls that list or describe and take no resource ("Actions, resources, and condition keys", AWS).
without_resource(action) if regex.match(`^ec2:describe[a-z]+$`, lower(action))

without_resource(action) if lower(action) in {
	"kms:listkeys", "kms:listaliases", "s3:listallmybuckets", "logs:describeloggroups", "cloudtrail:describetrails",
	"cloudtrail:listtrails", "ssm:describeinstanceinformation", "iam:listroles", "iam:listusers", "iam:getaccountsummary",
	"sts:getcalleridentity", "kafka:listclusters", "kafka:listclustersv2",
}

wide_resources(statement) := {"everything but a list"} if count(statement.not_resources) > 0

wide_resources(statement) := {resource |
	some resource in statement.resources
	wide(resource)
} if count(statement.not_resources) == 0

wide(resource) if not startswith(resource, "arn:")

# The part of an ARN that names the thing is nothing but wildcards, or all of its kind.
wide(resource) if {
	startswith(resource, "arn:")
	parts := split(resource, ":")
	name := concat(":", array.slice(parts, 5, count(parts)))
	regex.match(`^([a-z-]+[/:])?[*?]+(/[*?]+)?$`, name)
}

# What cannot be judged -------------------------------------------------------------------------------------

findings contains result if {
	some role in vendor_roles
	principal := principals[role]
	principal.policies.state == "unknown"
	missing := known.missing(principal.policies)
	result := finding.unproven(role, sprintf("what it grants is not known: %s", [missing]), principal.evidence)
}

findings contains result if {
	some role in vendor_roles
	some reason in data.cadastre.lib.edges.undecided[role]
	result := finding.unproven(role, sprintf("what it grants is not settled: %s", [reason]), records_of(role))
}

findings contains result if {
	some principal in input.inventory.principals
	principal.trust.state == "unknown"
	principal.kind == "role"
	missing := known.missing(principal.trust)
	result := finding.unproven(principal.arn, sprintf("whom it lets in is not known: %s", [missing]), principal.evidence)
}
