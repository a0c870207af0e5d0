# METADATA
# scope: package
# title: Storage and key traffic uses private endpoints with narrow policies
# description: |
#   Every network of brokers has an endpoint for S3, where it stores objects, and one for KMS. A gateway endpoint
#   serves all of the brokers' route tables, an interface endpoint takes the service's own name. Each statement of
#   an endpoint's policy that allows anything names principals and resources.
# custom:
#   id: NET-03
#   area: network
#   pass: the endpoint serves the brokers, and its policy limits principals and resources
#   red_flag: there is no endpoint, or its policy allows everybody or everything
#   requires:
#     - ec2:DescribeVpcEndpoints
#     - ec2:DescribeRouteTables
#     - ec2:DescribeSubnets
#     - ec2:DescribeInstances
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#   fix: add the endpoint to the brokers' network and name principals and resources in its policy
package cadastre.controls.net_03

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.document
import data.cadastre.lib.finding
import data.cadastre.lib.plane

# Which services the brokers of a network need: keys always, objects where there is a bucket to hold them.
needed[vpc] contains "kms" if some vpc in data.cadastre.lib.plane.broker_networks

needed[vpc] contains "s3" if {
	some vpc in data.cadastre.lib.plane.broker_networks
	count(data.cadastre.lib.plane.data_buckets) > 0
}

needed[vpc] contains "s3" if {
	some host in data.cadastre.lib.plane.broker_hosts
	vpc := host.vpc
	is_string(vpc)
	some architecture in plane.architectures_of(host)
	architecture in {"shared-storage", "tiered-storage"}
}

serves(endpoint, service) if endswith(endpoint.service, sprintf(".%s", [service]))

endpoints_for(vpc, service) := [endpoint |
	some endpoint in input.inventory.endpoints
	endpoint.vpc == vpc
	serves(endpoint, service)
	lower(endpoint.state) == "available"
]

subjects contains result if {
	some vpc, services in needed
	some service in services
	some endpoint in endpoints_for(vpc, service)
	result := finding.examined(endpoint.id, endpoint.evidence)
}

findings contains result if {
	some vpc, services in needed
	some service in services
	count(endpoints_for(vpc, service)) == 0
	not coverage.gap_anywhere("ec2:DescribeVpcEndpoints")
	result := finding.red(
		vpc,
		sprintf("its brokers have no endpoint for %s", [service]),
		coverage.records_of("ec2:DescribeVpcEndpoints"),
	)
}

# Routes ----------------------------------------------------------------------------------------------------

broker_subnets(vpc) := {host.subnet | some host in data.cadastre.lib.plane.broker_hosts; host.vpc == vpc; is_string(host.subnet)}

route_table_of(vpc, subnet) := table.id if {
	some table in input.inventory.route_tables
	table.vpc == vpc
	subnet in table.subnets
}

route_table_of(vpc, subnet) := table.id if {
	not associated(vpc, subnet)
	some table in input.inventory.route_tables
	table.vpc == vpc
	table.main
}

associated(vpc, subnet) if {
	some table in input.inventory.route_tables
	table.vpc == vpc
	subnet in table.subnets
}

# Whether some endpoint for the service takes the traffic of the subnet.
taken(vpc, service, subnet) if {
	some endpoint in endpoints_for(vpc, service)
	endpoint.kind == "Gateway"
	route_table_of(vpc, subnet) in endpoint.route_tables
}

taken(vpc, service, _) if {
	some endpoint in endpoints_for(vpc, service)
	endpoint.kind == "Interface"
	endpoint.private_dns
	count(endpoint.subnets) > 0
}

findings contains result if {
	some vpc, services in needed
	some service in services
	some subnet in broker_subnets(vpc)
	not taken(vpc, service, subnet)
	some endpoint in endpoints_for(vpc, service)
	result := finding.red(
		endpoint.id,
		sprintf("does not take the traffic of %s to %s: neither its route tables nor its names cover it", [subnet, service]),
		endpoint.evidence,
	)
}

# Policies --------------------------------------------------------------------------------------------------

relevant contains endpoint if {
	some vpc, services in needed
	some service in services
	some endpoint in endpoints_for(vpc, service)
}

findings contains result if {
	some endpoint in relevant
	endpoint.policy.state == "absent"
	result := finding.red(endpoint.id, "has no policy: everybody may use it for everything", endpoint.evidence)
}

findings contains result if {
	some endpoint in relevant
	result := finding.unproven(endpoint.id, sprintf("its policy cannot be judged: %s", [document.unreadable(endpoint.policy)]), endpoint.evidence)
}

findings contains result if {
	some endpoint in relevant
	some statement in document.statements(endpoint.policy)
	not document.denies(statement)
	some what in too_wide(statement)
	result := finding.red(endpoint.id, sprintf("its policy allows %s", [what]), endpoint.evidence)
}

too_wide(statement) := {what | some what in [principals_wide(statement), resources_wide(statement)]; what != ""}

principals_wide(statement) := "every principal" if not names_principals(statement)

principals_wide(statement) := "" if names_principals(statement)

resources_wide(statement) := "every resource" if not names_resources(statement)

resources_wide(statement) := "" if names_resources(statement)

names_principals(statement) if {
	count(document.principals(statement)) > 0
	not document.anybody(statement)
	not statement.NotPrincipal
}

# `*` with a condition that names who it is.
names_principals(statement) if {
	document.anybody(statement)
	some condition in document.conditions(statement)
	condition.operator in {"stringequals", "stringlike", "arnequals", "arnlike"}
	condition.key in {"aws:principalarn", "aws:principalaccount", "aws:principalorgid"}
	count(condition.values) > 0
	every value in condition.values {
		not regex.match(`^[*?]*$`, value)
		not regex.match(`^arn:[^:]*:[^:]*:[^:]*:[*?]*:`, value)
	}
}

names_resources(statement) if {
	not statement.NotResource
	resources := document.texts(statement, "Resource")
	count(resources) > 0
	every resource in resources {
		named(resource)
	}
}

# A bucket by its name, or a key of one account.
named(resource) if {
	startswith(resource, "arn:")
	parts := split(resource, ":")
	parts[2] == "s3"
	name := split(concat(":", array.slice(parts, 5, count(parts))), "/")[0]
	name != ""
	not regex.match(`[*?]`, name)
}

named(resource) if {
	startswith(resource, "arn:")
	parts := split(resource, ":")
	parts[2] == "kms"
	regex.match(`^[0-9]{12}$`, parts[4])
}
