# METADATA
# scope: package
# title: Exactly the declared principals can decrypt
# description: |
#   Everybody whom the key's policy, a grant on it or an identity policy lets decrypt, under whatever condition,
#   is one of those that the declaration names for that key: principals by ARN, AWS's own services as
#   `service:NAME`. A condition such as kms:ViaService narrows how somebody decrypts and not who, so that it
#   excuses nobody. Re-encrypting from a key counts as decrypting with it.
# custom:
#   id: KEY-03
#   area: key-authority
#   pass: only the declared principals can decrypt with it
#   red_flag: a principal that is not declared for the key can decrypt with it
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#   fix: remove the statement or grant that lets the principal decrypt, or declare it for the key
package cadastre.controls.key_03

import rego.v1

import data.cadastre.lib.document
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.keys
import data.cadastre.lib.pattern
import data.cadastre.lib.sides

# Who decrypts with which key, and by what.
uses contains result if {
	some key in data.cadastre.lib.plane.data_keys
	ways := keys.edges_of(key, "decrypt")
	some principal in {edge.principal | some edge in ways}
	own := {edge | some edge in ways; edge.principal == principal}
	result := {"key": key, "principal": principal, "ways": own}
}

subjects contains result if {
	some key in data.cadastre.lib.plane.data_keys
	evidence := {record | some list in [key.evidence, data.cadastre.lib.coverage.identities]; some record in list}
	result := finding.examined(key.arn, evidence)
}

subjects contains result if {
	some use in uses
	result := finding.shown(
		use.principal,
		sprintf("is declared to decrypt with %s", [keys.name(use.key)]),
		keys.records(use.key, use.ways) | data.cadastre.lib.coverage.identities,
	)
}

# A pattern of the declaration may name anybody at all by mistake: then nobody is named.
entitled(use) if {
	keys.is_declared(use.key)
	not sides.anybody(use.principal)
	every entry in keys.entries(use.key) {
		pattern.any_matches(entry.decrypt, use.principal)
	}
}

beyond contains result if {
	some use in uses
	not entitled(use)
	keys.is_declared(use.key)
	proven := {edge | some edge in use.ways; edges.possible(edge)}
	count(proven) > 0
	result := object.union(use, {"ways": proven})
}

# Where nobody is declared, those beyond the boundary are still red.
beyond contains result if {
	some use in uses
	not keys.is_declared(use.key)
	strange(use.principal)
	proven := {edge | some edge in use.ways; edges.possible(edge)}
	count(proven) > 0
	result := object.union(use, {"ways": proven})
}

strange(principal) if sides.foreign(principal)

strange(principal) if sides.anybody(principal)

findings contains result if {
	some use in beyond
	result := finding.red(
		use.principal,
		sprintf("may decrypt with %s %s, and is not declared for it", [keys.name(use.key), keys.told(use.ways)]),
		keys.records(use.key, use.ways),
	)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	others := {use.principal | some use in beyond; use.key.arn == key.arn}
	count(others) > 0
	result := finding.red(
		key.arn,
		sprintf("lets %s decrypt beyond those declared", [concat(", ", others)]),
		{record | some use in beyond; use.key.arn == key.arn; some record in keys.records(key, use.ways)},
	)
}

# Exactly: who is declared and cannot decrypt makes the declared set another one. A service may be let in by a
# condition that no edge shows.
findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some entry in keys.entries(key)
	some pattern_of_one in entry.decrypt
	not startswith(pattern_of_one, "service:")
	count({use.principal | some use in uses; use.key.arn == key.arn; pattern.matches(pattern_of_one, use.principal)}) == 0
	result := finding.unproven(key.arn, sprintf("`%s` is declared to decrypt, and nothing observed lets it", [pattern_of_one]), key.evidence)
}

# Open ------------------------------------------------------------------------------------------------------

findings contains result if {
	some use in uses
	not entitled(use)
	every edge in use.ways {
		edges.open(edge)
	}
	some subject in {use.principal, use.key.arn}
	result := finding.unproven(
		subject,
		sprintf("whether %s may decrypt with %s is not settled: %s", [use.principal, keys.name(use.key), keys.told(use.ways)]),
		keys.records(use.key, use.ways),
	)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	not keys.is_declared(key)
	result := finding.unproven(key.arn, "protects data and is not declared, so that nobody is named who may decrypt", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some source in [key.policy, key.grants]
	source.state != "observed"
	result := finding.unproven(
		key.arn,
		sprintf("who its policy and grants let in is not known: %s", [object.get(source, "value", "there is none")]),
		key.evidence,
	)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.policy.state == "observed"
	result := finding.unproven(key.arn, sprintf("its policy cannot be judged: %s", [document.unreadable(key.policy)]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some reason in keys.open_questions(key)
	result := finding.unproven(key.arn, sprintf("who may decrypt with it is not settled: %s", [reason]), key.evidence)
}

findings contains result if some result in data.cadastre.lib.keys.missing
