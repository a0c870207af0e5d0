# METADATA
# scope: package
# title: Automation uses the permissions it has
# description: |
#   What roles that no person works as may do on the data plane, against what they did in the window. Unused follows only from
#   a trail that would have shown a use: whole, over the whole window, with such events recorded. Taking roles and Kafka's own
#   requests are left out, since CloudTrail cannot show that they did not happen.
# custom:
#   id: IDN-05
#   area: identity
#   pass: everything it may do was used in the window, or is declared as needed
#   red_flag: a permission was never used in the window and is not declared, or one was used that nothing grants
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - kms:ListKeys
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - s3:ListBuckets
#     - s3:GetBucketPolicy
#     - cloudtrail:DescribeTrails
#     - cloudtrail:GetEventSelectors
#     - cloudtrail:GetTrailStatus
#     - trail:VerifyFiles
#     - trail:ListActivity
#   fix: take the permission away, or declare what needs it
package cadastre.controls.idn_05

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.finding
import data.cadastre.lib.pattern
import data.cadastre.lib.sides

# Jobs of people, who may rightly hold what they seldom use.
human_jobs := {"operator", "break-glass", "key-administrator", "log-administrator", "account-administrator"}

# What no trail shows the absence of.
left_out := {"assume", "reach", "read-records", "write-records"}

is_automation(principal) if declared.has_job(principal, {"automation", "broker", "reader", "scanner"})

is_automation(principal) if principal in data.cadastre.lib.declared.vendor_roles

is_automation(principal) if {
	startswith(principal, "arn:")
	contains(principal, ":role/")
	sides.side(principal) in {"customer", "vendor"}
	not declared.has_job(principal, human_jobs)
}

automation := {principal | some row in input.usage.rows; principal := row.principal; is_automation(principal)}

rows_of[principal] contains row if {
	some row in input.usage.rows
	not row.capability in left_out
	row.principal in automation
	concerns(row)
	principal := row.principal
}

# Of vendors' roles and of declared automation everything counts, of other roles what bears on the data plane.
concerns(row) if sides.side(row.principal) == "vendor"

concerns(row) if declared.has_job(row.principal, {"automation", "broker", "reader", "scanner"})

concerns(row) if row.capability in {"change-policy", "alter-logs", "read-logs"}

concerns(row) if row.target in data_plane

data_plane := {arn | some arn, _ in data.cadastre.lib.declared.sinks} | {name |
	some asset in data.cadastre.lib.plane.assets
	some name in asset.names
}

# Declared as needed --------------------------------------------------------------------------------------

needed(row) if {
	some vendor in input.declaration.vendors
	some role in vendor.roles
	role.arn == row.principal
	every action in actions(row) {
		pattern.any_matches(role.actions, action)
	}
}

needed(row) if {
	row.capability == "decrypt"
	some entry in data.cadastre.lib.plane.declared_key[row.target]
	pattern.any_matches(entry.decrypt, row.principal)
}

needed(row) if {
	row.capability == "manage-key"
	some entry in data.cadastre.lib.plane.declared_key[row.target]
	pattern.any_matches(entry.administrators, row.principal)
}

needed(row) if {
	row.capability in {"read-objects", "write-objects"}
	declared.has_job(row.principal, {"broker"})
	row.target in data.cadastre.lib.plane.declared_data_stores
}

needed(row) if {
	sink := data.cadastre.lib.declared.sinks[row.target]
	pattern.any_matches(sink.administrators, row.principal)
}

actions(row) := {action |
	some granted in row.granted
	some action in split(granted, " and ")
}

# Findings, one for each principal ------------------------------------------------------------------------

unused[principal] contains row if {
	some principal, rows in rows_of
	some row in rows
	row.state == "unused"
	not needed(row)
}

beyond[principal] contains row if {
	some principal, rows in rows_of
	some row in rows
	row.state == "not-granted"
}

unseen[principal] contains row if {
	some principal, rows in rows_of
	some row in rows
	row.state == "unobserved"
	not needed(row)
}

trail_records := coverage.records_of("trail:VerifyFiles")

records(rows) := {record | some row in rows; some record in row.evidence} | trail_records

listed(rows) := sort({told | some row in rows; told := sprintf("%s %s (%s): %s", [row.capability, row.target, concat(", ", actions(row)), used(row)])})

used(row) := "never used" if row.state == "unused"

used(row) := sprintf("last used %s, by %s", [row.last, concat(", ", {action | some action, _ in row.used})]) if row.state == "not-granted"

used(row) := row.blind if row.state == "unobserved"

subjects contains result if {
	some principal, rows in rows_of
	result := finding.examined(principal, records(rows))
}

findings contains result if {
	some principal, rows in unused
	message := sprintf("%d of the %d permissions it has were never used since %s, and nothing declares that it needs them", [count(rows), count(rows_of[principal]), input.usage.since])
	result := finding.red_path(principal, message, listed(rows), records(rows), [])
}

findings contains result if {
	some principal, rows in beyond
	not coverage.gap_anywhere("iam:GetAccountAuthorizationDetails")
	message := sprintf("used %d permissions since %s that nothing grants now", [count(rows), input.usage.since])
	result := finding.red_path(principal, message, listed(rows), records(rows), ["find out what granted them, and whether it was meant to be taken away"])
}

findings contains result if {
	some principal, rows in beyond
	coverage.gap_anywhere("iam:GetAccountAuthorizationDetails")
	message := sprintf("used %d permissions since %s that nothing in the evidence grants; what it may do was not read in full", [count(rows), input.usage.since])
	result := finding.unproven(principal, message, records(rows))
}

findings contains result if {
	some principal, rows in unseen
	reasons := sort({row.blind | some row in rows})
	message := sprintf("whether %d of its permissions were used is not known: %s", [count(rows), concat("; ", array.slice(reasons, 0, 3))])
	result := finding.unproven(principal, message, records(rows))
}

default applicable := true

applicable := false if {
	count(rows_of) == 0
	count(trail_records) > 0
}
