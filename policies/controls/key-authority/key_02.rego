# METADATA
# scope: package
# title: Only the customer administers keys
# description: |
#   Whoever may change a data key's policy, disable or delete it, or create and revoke grants on it, also by first
#   changing what another principal may do with it, is one of the
#   administrators that the declaration names for that key, and neither a vendor nor anybody else outside, nor a
#   role that somebody outside can become. Creating a grant is not administration for an operator whose statement
#   lets AWS services alone create it (kms:GrantIsForAWSResource): the service chooses grantee and operations when
#   an encrypted disk is attached ("AWS KMS condition keys", AWS KMS Developer Guide). Anybody else who is let in
#   that way still counts. The root of a declared account is the customer.
# custom:
#   id: KEY-02
#   area: key-authority
#   pass: only the declared administrators may administer it
#   red_flag: a vendor, a wildcard or an undeclared principal can change policy, disable, delete or create grants
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
#   fix: take the principal out of the key's policy and revoke its grants, or declare it as an administrator of the key
package cadastre.controls.key_02

import rego.v1

import data.cadastre.lib.declared
import data.cadastre.lib.document
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.guards
import data.cadastre.lib.keys
import data.cadastre.lib.pattern
import data.cadastre.lib.sides

# Who administers which key, and by what.
administrations contains result if {
	some key in data.cadastre.lib.plane.data_keys
	ways := {edge |
		some capability in {"manage-key", "change-policy"}
		some edge in keys.edges_of(key, capability)
		not for_disks(edge, key)
	}
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
	some one in administrations
	result := finding.shown(
		one.principal,
		sprintf("is declared to administer %s", [keys.name(one.key)]),
		keys.records(one.key, one.ways) | data.cadastre.lib.coverage.identities,
	)
}

# Entitled --------------------------------------------------------------------------------------------------

entitled(one) if keys.is_root(one.principal)

entitled(one) if {
	not objection(one)
}

# Why somebody should not administer a key, the gravest reason there is.
objection(one) := "it stands for anybody" if sides.anybody(one.principal)

objection(one) := "it is outside the boundary" if {
	not sides.anybody(one.principal)
	sides.foreign(one.principal)
}

objection(one) := "somebody outside the boundary can become it" if {
	not sides.anybody(one.principal)
	not sides.foreign(one.principal)
	sides.in_foreign_hands(one.principal)
}

objection(one) := "it is not one of the declared administrators" if {
	not sides.anybody(one.principal)
	not sides.in_foreign_hands(one.principal)
	not keys.is_root(one.principal)
	some entry in keys.entries(one.key)
	not pattern.any_matches(entry.administrators, one.principal)
}

beyond contains result if {
	some one in administrations
	not entitled(one)
	proven := {edge | some edge in one.ways; edges.possible(edge)}
	count(proven) > 0
	result := object.union(one, {"ways": proven})
}

findings contains result if {
	some one in beyond
	result := finding.red(
		one.principal,
		sprintf("may administer %s %s, and %s", [keys.name(one.key), keys.told(one.ways), objection(one)]),
		keys.records(one.key, one.ways),
	)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	others := {one.principal | some one in beyond; one.key.arn == key.arn}
	count(others) > 0
	result := finding.red(
		key.arn,
		sprintf("may be administered by %s", [concat(", ", others)]),
		{record | some one in beyond; one.key.arn == key.arn; some record in keys.records(key, one.ways)},
	)
}

# Disks -----------------------------------------------------------------------------------------------------

# A way to create grants that only serves AWS's own services, given to somebody who is declared to run brokers.
for_disks(edge, key) if {
	edge.action == "kms:CreateGrant"
	declared.has_job(edge.principal, {"operator", "automation", "broker"})
	not sides.in_foreign_hands(edge.principal)
	limited(edge, key)
}

# By the statement of the key's policy that lets it in: all of an edge's statements are needed for it.
limited(edge, key) if {
	key.policy.state == "observed"
	some reference in edge.statements
	reference.record == key.policy.value.record
	some index, statement in document.statements(key.policy)
	reference.pointer in {
		sprintf("%s/Statement/%d", [key.policy.value.pointer, index]),
		sprintf("%s/Statement", [key.policy.value.pointer]),
	}
	serves_resources(statement)
}

# By the principal's own policy: what it says is in the condition that the edge states.
limited(edge, _) if {
	some reference in edge.statements
	some statement in input.access.statements
	statement.principal == edge.principal
	statement.at == reference
	"kms:grantisforawsresource" in statement.condition_keys
	detail := lower(object.get(edge, "detail", ""))
	not contains(detail, " or ")
	"kms:grantisforawsresource is true" in split(detail, " and ")
}

serves_resources(statement) if {
	some condition in document.conditions(statement)
	condition.operator == "bool"
	condition.key == "kms:grantisforawsresource"
	{lower(value) | some value in condition.values} == {"true"}
}

# A deny in the key's policy that decides nothing leaves the key to whoever it seems to keep out.
findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some guard in guards.with_defect(key.arn, data.cadastre.lib.guards.idle)
	result := guards.red(key.arn, guard)
}

# Open ------------------------------------------------------------------------------------------------------

findings contains result if {
	some one in administrations
	not entitled(one)
	every edge in one.ways {
		edges.open(edge)
	}
	some subject in {one.principal, one.key.arn}
	result := finding.unproven(
		subject,
		sprintf("whether %s may administer %s is not settled: %s", [one.principal, keys.name(one.key), keys.told(one.ways)]),
		keys.records(one.key, one.ways),
	)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	not keys.is_declared(key)
	result := finding.unproven(key.arn, "protects data and is not declared, so that nobody is named as its administrator", key.evidence)
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
	result := finding.unproven(key.arn, sprintf("who may administer it is not settled: %s", [reason]), key.evidence)
}

findings contains result if some result in data.cadastre.lib.keys.missing
