# METADATA
# scope: package
# title: Vendor actions are explained
# description: |
#   What vendors did in the window, by their declared roles, from their accounts and networks, and by roles that only they can
#   become. An action is explained when the declaration gives the role's function just that action; so is taking such a role.
# custom:
#   id: AUD-05
#   area: audit
#   pass: everything it did in the window serves a declared function
#   red_flag: a vendor did, or tried, what no declared function explains
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - trail:VerifyFiles
#     - trail:ListActivity
#   fix: ask the vendor what the action was for, and declare the function or take the permission away
package cadastre.controls.aud_05

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding

vendors := {vendor.name | some vendor in input.declaration.vendors} | {act.vendor | some act in input.usage.vendors}

trail_records := coverage.records_of("trail:VerifyFiles") | coverage.records_of("trail:ListActivity")

acts_of[vendor] contains act if {
	some act in input.usage.vendors
	vendor := act.vendor
}

subjects contains result if {
	some vendor in vendors
	acts := object.get(acts_of, vendor, set())
	message := sprintf("%d kinds of action since %s, each of which serves a declared function", [count(acts), input.usage.since])
	result := finding.shown(vendor, message, trail_records)
}

unexplained[principal] contains act if {
	some act in input.usage.vendors
	not is_string(act["function"])
	principal := act.principal
}

verb(act) := "did" if not is_string(act.error)

verb(act) := sprintf("tried, and was refused (%s),", [act.error]) if is_string(act.error)

told(act) := sprintf("%s %s %d times on %s, last %s", [verb(act), act.action, act["count"], concat(", ", act.targets), act.last])

findings contains result if {
	some principal, acts in unexplained
	records := {record | some act in acts; some record in act.evidence}
	message := sprintf("%d kinds of action of %s that no declared function explains", [count(acts), concat(", ", {act.vendor | some act in acts})])
	result := finding.red_path(principal, message, sort({line | some act in acts; line := told(act)}), records, [])
}

findings contains result if {
	some vendor in vendors
	some doubt in input.usage.doubts
	result := finding.unproven(vendor, sprintf("what it did in %s is not proven: %s", [doubt.subject, doubt.why]), doubt.evidence)
}

default applicable := true

applicable := false if {
	count(vendors) == 0
	count(trail_records) > 0
}
