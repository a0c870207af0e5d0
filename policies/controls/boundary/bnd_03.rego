# METADATA
# scope: package
# title: No control-plane component reaches record bytes
# description: |
#   Control-plane identities are the roles of declared vendors, pipelines, scanners, the administrators of keys
#   and logs, and every principal of an account that is declared for the control plane. None of them may be the
#   start of a path to plaintext records. People who operate broker hosts are judged elsewhere.
# custom:
#   id: BND-03
#   area: boundary
#   pass: no path leads from it to plaintext records
#   red_flag: a control-plane identity or host has a path to plaintext records
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - s3:ListBuckets
#     - s3:GetBucketPolicy
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - ec2:DescribeSnapshotAttribute
#     - kafka:DescribeAcls
#     - kafka:DescribeConfigs
#     - kafka:Metadata
#   fix: remove a step of the path, or move the function that needs it out of the control plane
package cadastre.controls.bnd_03

import rego.v1

import data.cadastre.lib.declared
import data.cadastre.lib.finding
import data.cadastre.lib.paths
import data.cadastre.lib.plane
import data.cadastre.lib.sides

control_jobs := {"automation", "scanner", "key-administrator", "log-administrator"}

control_accounts := {account.id |
	some account in input.declaration.accounts
	account.purpose == "control-plane"
}

# Every principal the evidence speaks of.
known_principals := {principal.arn | some principal in input.inventory.principals} | object.keys(data.cadastre.lib.sides.view)

control_plane contains id if {
	some id in known_principals
	declared.has_job(id, control_jobs)
}

control_plane contains id if {
	some id in known_principals
	declared.account_of(id) in control_accounts
}

control_plane contains id if {
	some id in known_principals
	sides.side(id) == "vendor"
}

control_plane contains id if some id in data.cadastre.lib.declared.vendor_roles

reaches[path.principal] contains path if {
	some path in input.graph.paths
	path.principal in control_plane
}

subjects contains result if {
	some id in control_plane
	not reaches[id]
	count(questions) == 0
	result := finding.shown(id, "no path leads from it to plaintext records", data.cadastre.lib.coverage.identities)
}

# Without a control plane there is still the statement that nothing of the kind reaches records.
subjects contains result if {
	count(control_plane) == 0
	result := finding.shown(input.declaration.name, "the declaration names no control-plane identity, and none was observed", data.cadastre.lib.coverage.identities)
}

findings contains result if {
	some id, found in reaches
	proven := {path | some path in found; paths.proven(path)}
	some one in paths.grouped(proven)
	group := paths.of_group(proven, one)
	result := finding.red_path(
		id,
		sprintf("is of the control plane and reaches the records in %s%s", [paths.targets(group), paths.condition(one)]),
		paths.steps_of(group),
		paths.records_of(group),
		paths.cuts_of(group),
	)
}

findings contains result if {
	some id, found in reaches
	open := {path | some path in found; path.decision == "unknown"}
	some one in paths.grouped(open)
	group := paths.of_group(open, one)
	result := finding.unproven(
		id,
		sprintf("is of the control plane, and whether it reaches the records in %s is not settled: %s", [paths.targets(group), one.detail]),
		paths.records_of(group),
	)
}

# Questions that the access engine leaves open about the data plane or about a control-plane identity.
questions contains result if {
	some name, reasons in data.cadastre.lib.plane.open_questions
	some reason in reasons
	result := {"about": name, "reason": reason}
}

findings contains result if {
	some question in questions
	count(control_plane) > 0
	result := finding.unproven(question.about, sprintf("who reaches records is not settled: %s", [question.reason]), data.cadastre.lib.coverage.identities)
}
