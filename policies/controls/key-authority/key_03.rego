# METADATA
# scope: package
# title: Exactly the declared principals can decrypt
# description: |
#   Everybody who can decrypt with a data key, by key policy, identity policy or grant, through a service or
#   directly, is compared with the declared set. Services of the provider are declared as `service:…`.
# custom:
#   id: KEY-03
#   area: key-authority
#   pass: exactly the declared principals can decrypt with it
#   red_flag: a further principal can decrypt
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - iam:GetAccountAuthorizationDetails
#   fix: take decryption away from the principal, or declare it
package cadastre.controls.key_03

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.pattern
import data.cadastre.lib.plane

declared_for(key) := {name |
	some entry in plane.declared_key[key.arn]
	some name in entry.decrypt
}

decrypting(key) := {edge |
	some edge in edges.onto({key.arn})
	edge.capability == "decrypt"
}

subjects contains result if {
	some key in plane.data_keys
	evidence := {record | some list in [key.evidence, coverage.identities]; some record in list}
	result := finding.examined(key.arn, evidence)
}

findings contains result if {
	some key in plane.data_keys
	some edge in decrypting(key)
	edges.possible(edge)
	not pattern.any_matches(declared_for(key), edge.principal)
	records := {record | some list in [key.evidence, edges.records(edge)]; some record in list}
	result := finding.red(key.arn, sprintf("%s can decrypt %s and is not declared", [edge.principal, edges.told(edge)]), records)
}

findings contains result if {
	some key in plane.data_keys
	some edge in decrypting(key)
	edges.open(edge)
	not pattern.any_matches(declared_for(key), edge.principal)
	result := finding.unproven(key.arn, sprintf("whether %s can decrypt is not settled: %s", [edge.principal, edge.detail]), key.evidence)
}

# Exactly: who is declared and cannot decrypt makes the declared set another one.
findings contains result if {
	some key in plane.data_keys
	some name in declared_for(key)
	not startswith(name, "service:")
	count([edge | some edge in decrypting(key); pattern.matches(name, edge.principal)]) == 0
	result := finding.unproven(key.arn, sprintf("`%s` is declared to decrypt, and nothing observed lets it", [name]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	some property in [key.policy, key.grants]
	property.state != "observed"
	missing := reason(property)
	result := finding.unproven(key.arn, sprintf("who can decrypt is not known: %s", [missing]), key.evidence)
}

reason(property) := "the service shows neither policy nor grants" if property.state == "absent"

reason(property) := known.missing(property) if property.state != "absent"

findings contains result if {
	some key in plane.data_keys
	some why in edges.undecided_about({key.arn})
	result := finding.unproven(key.arn, sprintf("who can decrypt is not settled: %s", [why]), key.evidence)
}

findings contains result if {
	some name, reasons in plane.open_questions
	startswith(name, "arn:aws:iam:")
	some why in reasons
	result := finding.unproven(name, sprintf("whether it can decrypt is not settled: %s", [why]), coverage.identities)
}

findings contains result if {
	some entry in input.declaration.keys
	count(plane.keys_named(entry.id)) == 0
	result := finding.unproven(entry.id, "is declared, and no key that was read goes by this name", coverage.records_of("kms:ListAliases"))
}
