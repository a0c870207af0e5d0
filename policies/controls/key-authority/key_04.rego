# METADATA
# scope: package
# title: Keys rotate within the declared period
# description: |
#   Automatic rotation of every data key is on, at least as often as declared. Imported and external material
#   cannot rotate by itself; a dated record of its rotation has to come from elsewhere.
# custom:
#   id: KEY-04
#   area: key-authority
#   pass: it rotates at least as often as declared
#   red_flag: rotation is off, or rarer than declared
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - kms:GetKeyRotationStatus
#   fix: enable automatic rotation with a period no longer than declared
package cadastre.controls.key_04

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.plane

# AWS rotates yearly unless told otherwise ("Rotating AWS KMS keys", AWS KMS Developer Guide).
default_days := 365

subjects contains result if {
	some key in plane.data_keys
	result := finding.examined(key.arn, key.evidence)
}

period_days(rotation) := rotation.period_days if is_number(rotation.period_days)

period_days(rotation) := default_days if not is_number(rotation.period_days)

rotates_itself(key) if key.origin == {"state": "observed", "value": "AWS_KMS"}

findings contains result if {
	some key in plane.data_keys
	key.rotation.state == "observed"
	rotates_itself(key)
	not key.rotation.value.enabled
	result := finding.red(key.arn, "does not rotate", key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.rotation.state == "absent"
	rotates_itself(key)
	result := finding.red(key.arn, "does not rotate", key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.rotation.state == "observed"
	key.rotation.value.enabled
	some entry in plane.declared_key[key.arn]
	days := period_days(key.rotation.value)
	days * 86400 > entry.rotation
	result := finding.red(key.arn, sprintf("rotates every %d days, and the declaration asks for %d", [days, floor(entry.rotation / 86400)]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.rotation.state == "unknown"
	missing := known.missing(key.rotation)
	result := finding.unproven(key.arn, sprintf("whether it rotates is not known: %s", [missing]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.origin.state == "observed"
	not rotates_itself(key)
	result := finding.unproven(key.arn, sprintf("its material is %s, and no dated record shows when it was rotated", [key.origin.value]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.origin.state != "observed"
	result := finding.unproven(key.arn, "where its material comes from is not known", key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	not plane.declared_key[key.arn]
	result := finding.unproven(key.arn, "is not declared, so that no period is set for it", key.evidence)
}

findings contains result if {
	some entry in input.declaration.keys
	count(plane.keys_named(entry.id)) == 0
	result := finding.unproven(entry.id, "is declared, and no key that was read goes by this name", coverage.records_of("kms:ListAliases"))
}
