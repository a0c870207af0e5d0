# METADATA
# scope: package
# title: The trail's digest chain validates
# description: |
#   Every digest of the reviewed window is there, signed by CloudTrail and linked to the one before it, and every log file is the
#   one that its digest lists.
# custom:
#   id: AUD-03
#   area: audit
#   pass: every digest and log file of the window is there, signed, linked and unchanged
#   red_flag: a digest or log file is missing, edited, not signed, or speaks of no time that follows
#   requires:
#     - cloudtrail:DescribeTrails
#     - trail:VerifyFiles
#   fix: have the trail write digests; find out who could write to the log bucket, and lock it against everybody
package cadastre.controls.aud_03

import rego.v1

import data.cadastre.lib.finding

subjects contains result if {
	some check in input.inventory.trail_checks
	message := sprintf("its digests are whole from %s to %s", [check.from, check.to])
	result := finding.shown(check.id, message, check.evidence)
}

findings contains result if {
	some check in input.inventory.trail_checks
	check.wrong
	message := sprintf("%d problems in its files", [count(check.problems)])
	result := finding.red_path(check.id, message, array.slice(check.problems, 0, 20), check.evidence, [])
}

findings contains result if {
	some check in input.inventory.trail_checks
	not check.wrong
	some doubt in input.usage.doubts
	doubt.subject == check.id
	result := finding.unproven(check.id, doubt.why, doubt.evidence)
}

# A trail that writes no digests leaves nothing to validate.
findings contains result if {
	some trail in input.inventory.trails
	trail.log_file_validation == false
	result := finding.red(trail.arn, "writes no digests, so that nobody can tell whether its files are all there and unchanged", trail.evidence)
}

# Outside the declared regions there is no doubt on record, and files that were not checked are not valid either.
findings contains result if {
	some check in input.inventory.trail_checks
	not check.wrong
	not check.valid
	result := finding.unproven(check.id, sprintf("its files could not all be checked: %s", [concat("; ", array.slice(check.problems, 0, 3))]), check.evidence)
}
