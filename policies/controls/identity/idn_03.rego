# METADATA
# scope: package
# title: No vendor or automation principal can raise its own privileges
# description: |
#   Whoever can change a policy, pass a role to compute, switch a policy version, create a grant or take a
#   boundary away can have whatever that leads to. Neither a vendor nor a pipeline may hold such a step.
# custom:
#   id: IDN-03
#   area: identity
#   pass: it can neither change policies nor pass roles nor create grants
#   red_flag: an escalation chain ends at data, keys or logs
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - kms:ListKeys
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - s3:ListBuckets
#     - s3:GetBucketPolicy
#   fix: remove the step, or bind the role by a permissions boundary that denies it
package cadastre.controls.idn_03

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.guards
import data.cadastre.lib.known
import data.cadastre.lib.pattern
import data.cadastre.lib.sides

principals := {principal.arn: principal | some principal in input.inventory.principals}

# Vendors' roles, whoever outside can become, and pipelines.
watched := data.cadastre.lib.declared.vendor_roles | {id |
	some id, _ in data.cadastre.lib.sides.view
	sides.in_foreign_hands(id)
	not startswith(id, "User:")
} | {arn |
	some arn, _ in principals
	declared.has_job(arn, {"automation"})
}

escalates(edge) if edge.capability in {"change-policy", "manage-key"}

escalates(edge) if {
	edge.capability == "assume"
	not startswith(lower(edge.action), "sts:assumerole")
}

steps[id] contains edge if {
	some id in watched
	some edge in data.cadastre.lib.edges.by_principal[id]
	escalates(edge)
}

subjects contains result if {
	some id in watched
	result := finding.examined(id, records_of(id))
}

subjects contains result if {
	some account in data.cadastre.lib.declared.aws_accounts
	count(watched) == 0
	records := coverage.records_in("iam:GetAccountAuthorizationDetails", account, null)
	result := finding.shown(sprintf("account:%s", [account]), "no vendor and no pipeline has access to it", records)
}

records_of(id) := {record | some list in [principals[id].evidence, data.cadastre.lib.coverage.identities]; some record in list} if principals[id]

records_of(id) := data.cadastre.lib.coverage.identities if not principals[id]

findings contains result if {
	some id, found in steps
	some edge in found
	edges.possible(edge)
	records := edges.records(edge) | records_of(id)
	result := finding.red(id, sprintf("can %s %s %s", [verb(edge.capability), edge.target, edges.told(edge)]), records)
}

verb("change-policy") := "change what is allowed on"

verb("manage-key") := "administer"

verb("assume") := "become"

findings contains result if {
	some id, found in steps
	some edge in found
	edges.open(edge)
	result := finding.unproven(id, sprintf("whether it can %s %s is not settled: %s", [verb(edge.capability), edge.target, edge.detail]), records_of(id))
}

# A boundary that it can take off, or that others have and it has not.
findings contains result if {
	some id in watched
	some guard in guards.with_defect(id, data.cadastre.lib.guards.loose)
	result := guards.red(id, guard)
}

# Written permissions that no boundary limits: steps to things the evidence may not show.
escalations := {
	"iam:putrolepolicy", "iam:attachrolepolicy", "iam:putuserpolicy", "iam:attachuserpolicy", "iam:putgrouppolicy",
	"iam:attachgrouppolicy", "iam:addusertogroup", "iam:createpolicyversion", "iam:setdefaultpolicyversion",
	"iam:updateassumerolepolicy", "iam:deleterolepermissionsboundary", "iam:deleteuserpermissionsboundary",
	"iam:createaccesskey", "iam:createloginprofile", "iam:updateloginprofile", "iam:passrole", "kms:creategrant",
	"kms:putkeypolicy", "s3:putbucketpolicy", "lambda:updatefunctioncode", "ssm:sendcommand", "ssm:startsession",
}

findings contains result if {
	some statement in input.access.statements
	statement.principal in watched
	lower(statement.effect) == "allow"
	not bounded(statement.principal)
	given := given_by(statement)
	count(given) > 0
	result := finding.red(statement.principal, sprintf("%s grants %s, and no permissions boundary limits it", [statement.at.policy, concat(", ", given)]), {statement.at.record})
}

given_by(statement) := {step |
	some step in escalations
	some action in statement.actions
	pattern.matches(lower(action), step)
} if count(statement.not_actions) == 0

given_by(statement) := {step |
	some step in escalations
	not pattern.any_matches({lower(action) | some action in statement.not_actions}, step)
} if count(statement.not_actions) > 0

bounded(id) if principals[id].boundary.state == "observed"

findings contains result if {
	some id in watched
	principal := principals[id]
	some property in [principal.policies, principal.boundary]
	property.state == "unknown"
	missing := known.missing(property)
	result := finding.unproven(id, sprintf("what it may do is not known: %s", [missing]), principal.evidence)
}

findings contains result if {
	some id in watched
	some reason in data.cadastre.lib.edges.undecided[id]
	result := finding.unproven(id, sprintf("what it may do is not settled: %s", [reason]), records_of(id))
}
