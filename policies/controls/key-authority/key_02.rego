# METADATA
# scope: package
# title: Only the customer administers keys
# description: |
#   Changing a key's policy, disabling or deleting it and creating grants on it is for the declared administrators
#   alone. A grant that a service of the provider creates for its own resource is no administration when its
#   condition says so.
# custom:
#   id: KEY-02
#   area: key-authority
#   pass: only declared customer principals administer it
#   red_flag: a vendor or wildcard principal can change policy, disable, delete, or create grants
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - iam:GetAccountAuthorizationDetails
#   fix: take the action out of the key policy, the grant or the role's policy, or declare the administrator
package cadastre.controls.key_02

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.pattern
import data.cadastre.lib.plane
import data.cadastre.lib.sides

administrators(key) := {name |
	some entry in plane.declared_key[key.arn]
	some name in entry.administrators
}

# Managing edges, and those of changing who manages.
managing(key) := {edge |
	some edge in edges.onto({key.arn})
	edge.capability in {"manage-key", "change-policy"}
}

subjects contains result if {
	some key in plane.data_keys
	evidence := {record | some list in [key.evidence, coverage.identities]; some record in list}
	result := finding.examined(key.arn, evidence)
}

findings contains result if {
	some key in plane.data_keys
	some edge in managing(key)
	edges.possible(edge)
	beyond(edge)
	records := {record | some list in [key.evidence, edges.records(edge)]; some record in list}
	result := finding.red(key.arn, sprintf("%s, who is %s, can administer it %s", [edge.principal, standing(edge.principal), edges.told(edge)]), records)
}

beyond(edge) if sides.anybody(edge.principal)

beyond(edge) if sides.in_foreign_hands(edge.principal)

beyond(edge) if {
	sides.side(edge.principal) == "provider"
	edge.decision == "allow"
}

standing(principal) := "anybody" if sides.anybody(principal)

standing(principal) := "a service that acts for anybody" if {
	not sides.anybody(principal)
	sides.side(principal) == "provider"
}

standing(principal) := "a vendor" if {
	not sides.anybody(principal)
	sides.side(principal) == "vendor"
}

standing(principal) := "outside the boundary" if {
	not sides.anybody(principal)
	sides.side(principal) == "outside"
}

standing(principal) := "open to somebody outside" if {
	not sides.anybody(principal)
	sides.side(principal) == "customer"
}

findings contains result if {
	some key in plane.data_keys
	some edge in managing(key)
	edges.possible(edge)
	sides.side(edge.principal) == "customer"
	not beyond(edge)
	not pattern.any_matches(administrators(key), edge.principal)
	not account_itself(edge.principal, key)
	not grants_under_a_condition(edge)
	records := {record | some list in [key.evidence, edges.records(edge)]; some record in list}
	result := finding.red(key.arn, sprintf("%s can administer it %s and is not declared as its administrator", [edge.principal, edges.told(edge)]), records)
}

# The key's own account: its root user can always recover a key.
account_itself(principal, key) if principal in {
	sprintf("account:%s", [key.account]),
	sprintf("arn:aws:iam::%s:root", [key.account]),
}

# `kms:GrantIsForAWSResource` and the like.
grants_under_a_condition(edge) if {
	edge.decision == "conditional"
	lower(edge.action) == "kms:creategrant"
	contains(lower(edge.detail), "grantisforawsresource")
}

findings contains result if {
	some key in plane.data_keys
	some edge in managing(key)
	edges.open(edge)
	not pattern.any_matches(administrators(key), edge.principal)
	result := finding.unproven(key.arn, sprintf("whether %s can administer it is not settled: %s", [edge.principal, edge.detail]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	some property in [key.policy, key.grants]
	property.state != "observed"
	missing := reason(property)
	result := finding.unproven(key.arn, sprintf("who administers it is not known: %s", [missing]), key.evidence)
}

reason(property) := "the service shows neither policy nor grants" if property.state == "absent"

reason(property) := known.missing(property) if property.state != "absent"

findings contains result if {
	some key in plane.data_keys
	some why in edges.undecided_about({key.arn})
	result := finding.unproven(key.arn, sprintf("who administers it is not settled: %s", [why]), key.evidence)
}

findings contains result if {
	some name, reasons in plane.open_questions
	startswith(name, "arn:aws:iam:")
	some why in reasons
	result := finding.unproven(name, sprintf("whether it administers keys is not settled: %s", [why]), coverage.identities)
}

findings contains result if {
	some entry in input.declaration.keys
	count(plane.keys_named(entry.id)) == 0
	result := finding.unproven(entry.id, "is declared, and no key that was read goes by this name", coverage.records_of("kms:ListAliases"))
}
