# METADATA
# scope: package
# title: Operators are known as people or machines, and access keys are fresh
# description: |
#   Whoever can operate a broker's host is declared with a job that says whether it is a person or a machine, and
#   never both. Access keys of users that come near the data plane, also by taking a role, are young enough.
# custom:
#   id: IDN-06
#   area: identity
#   pass: it is told apart, and has no access key older than declared
#   red_flag: a user's access key is older than the declared limit and reaches the data plane
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - iam:ListAccessKeys
#     - ec2:DescribeInstances
#   fix: rotate or remove the key, and declare the operator's job
package cadastre.controls.idn_06

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.plane
import data.cadastre.lib.sides

people := {"operator", "break-glass", "account-administrator", "key-administrator", "log-administrator"}

machines := {"broker", "automation", "scanner", "reader"}

principals := {principal.arn: principal | some principal in input.inventory.principals}

# Operators -------------------------------------------------------------------------------------------------

operators[edge.principal] contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	some edge in edges.onto(plane.names_of("host", host))
	edge.capability == "operate-host"
	sides.side(edge.principal) != "provider"
	result := host.id
}

subjects contains result if {
	some id, _ in operators
	result := finding.examined(id, records_of(id))
}

records_of(id) := {record | some record in principals[id].evidence} if principals[id]

records_of(id) := data.cadastre.lib.coverage.identities if not principals[id]

findings contains result if {
	some id, hosts in operators
	not declared.has_job(id, people)
	not declared.has_job(id, machines)
	not id in data.cadastre.lib.declared.vendor_roles
	result := finding.unproven(id, sprintf("can operate %s, and is declared neither as a person nor as a machine", [concat(", ", hosts)]), records_of(id))
}

findings contains result if {
	some id, hosts in operators
	declared.has_job(id, people)
	declared.has_job(id, machines)
	result := finding.red(id, sprintf("can operate %s, and is declared as a person and as a machine", [concat(", ", hosts)]), records_of(id))
}

# Access keys -----------------------------------------------------------------------------------------------

# Principals that hold something on the data plane themselves, or start a path to records.
near := {id | some id, _ in data.cadastre.lib.plane.holders} | {path.principal | some path in input.graph.paths}

# Whom somebody can become.
becomes[edge.principal] contains result if {
	some edge in input.access.edges
	edge.capability == "assume"
	result := edge.target
}

reaches_data(arn) if arn in near

reaches_data(arn) if {
	some next in becomes[arn]
	next in near
}

reaches_data(arn) if {
	some next in becomes[arn]
	some after in becomes[next]
	after in near
}

users := [principal |
	some principal in input.inventory.principals
	principal.kind == "user"
	reaches_data(principal.arn)
]

subjects contains result if {
	some user in users
	result := finding.examined(user.arn, user.evidence)
}

findings contains result if {
	some user in users
	user.access_keys.state == "observed"
	some key in user.access_keys.value
	key.status != "Inactive"
	age := input.as_of_seconds - round(time.parse_rfc3339_ns(key.created) / 1000000000)
	age > input.declaration.limits["access-key-age"]
	result := finding.red(user.arn, sprintf("access key ****%s is %d days old and reaches the data plane", [key.id_suffix, floor(age / 86400)]), user.evidence)
}

findings contains result if {
	some user in users
	user.access_keys.state == "unknown"
	missing := known.missing(user.access_keys)
	result := finding.unproven(user.arn, sprintf("its access keys are not known: %s", [missing]), user.evidence)
}

# Accounts without such users and operators: their complete lists say so.
subjects contains result if {
	count(operators_found) + count(users) == 0
	some account in data.cadastre.lib.declared.aws_accounts
	records := coverage.records_in("iam:GetAccountAuthorizationDetails", account, null)
	result := finding.shown(sprintf("account:%s", [account]), "no user comes near the data plane, and nobody operates a broker's host", records)
}

operators_found := {id | some id, _ in operators}

findings contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	host.role.state == "unknown"
	result := finding.unproven(host.id, "which role it runs as is not known", host.evidence)
}

findings contains result if {
	some name, reasons in data.cadastre.lib.plane.open_questions
	principals[name]
	some reason in reasons
	result := finding.unproven(name, sprintf("whether it can operate or reach data is not settled: %s", [reason]), records_of(name))
}
