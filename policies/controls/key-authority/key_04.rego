# METADATA
# scope: package
# title: Keys rotate within the declared period
# description: |
#   Automatic rotation of every data key is on, at least as often as declared. Imported and external material
#   cannot rotate by itself, and neither can asymmetric keys; a dated record of their rotation has to come from
#   elsewhere. A key that is disabled or waits to be deleted does not rotate, whatever its setting.
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
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - Microsoft.KeyVault/vaults/read
#     - Microsoft.KeyVault/vaults/keys/read
#     - Microsoft.Storage/storageAccounts/read
#   fix: enable automatic rotation with a period no longer than declared
package cadastre.controls.key_04

import rego.v1

import data.cadastre.lib.azure
import data.cadastre.lib.finding
import data.cadastre.lib.known

# AWS rotates yearly unless told otherwise ("Rotating AWS KMS keys", AWS KMS Developer Guide).
default_days := 365

subjects contains result if {
	some key in data.cadastre.lib.plane.data_keys
	result := finding.examined(key.arn, key.evidence)
}

period_days(rotation) := rotation.period_days if is_number(rotation.period_days)

period_days(rotation) := default_days if not is_number(rotation.period_days)

rotates_itself(key) if {
	key.origin == {"state": "observed", "value": "AWS_KMS"}
	key.spec == {"state": "observed", "value": "SYMMETRIC_DEFAULT"}
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.rotation.state == "observed"
	rotates_itself(key)
	not key.rotation.value.enabled
	result := finding.red(key.arn, "does not rotate", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.rotation.state == "absent"
	rotates_itself(key)
	result := finding.red(key.arn, "does not rotate", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.rotation.state == "observed"
	key.rotation.value.enabled
	some entry in data.cadastre.lib.plane.declared_key[key.arn]
	days := period_days(key.rotation.value)
	days * 86400 > entry.rotation
	result := finding.red(key.arn, sprintf("rotates every %d days, and the declaration asks for %d", [days, floor(entry.rotation / 86400)]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.rotation.state == "unknown"
	missing := known.missing(key.rotation)
	result := finding.unproven(key.arn, sprintf("whether it rotates is not known: %s", [missing]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.origin.state == "observed"
	key.spec.state == "observed"
	not rotates_itself(key)
	result := finding.unproven(
		key.arn,
		sprintf("its material is %s of %s, and no dated record shows when it was rotated", [key.spec.value, key.origin.value]),
		key.evidence,
	)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.spec.state != "observed"
	result := finding.unproven(key.arn, "what kind of key it is is not known", key.evidence)
}

# "Rotating AWS KMS keys", AWS KMS Developer Guide: keys that are not enabled are not rotated.
findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	rotates_itself(key)
	key.state.state == "observed"
	key.state.value in {"Disabled", "PendingDeletion", "PendingReplicaDeletion"}
	result := finding.red(key.arn, sprintf("does not rotate while it is %s", [key.state.value]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.state.state != "observed"
	result := finding.unproven(key.arn, "whether it is enabled, and so rotates, is not known", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.origin.state != "observed"
	result := finding.unproven(key.arn, "where its material comes from is not known", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	not data.cadastre.lib.plane.declared_key[key.arn]
	result := finding.unproven(key.arn, "is not declared, so that no period is set for it", key.evidence)
}

findings contains result if {
	some result in data.cadastre.lib.keys.missing
	not result.subject in data.cadastre.lib.azure.key_ids
}

# Azure -----------------------------------------------------------------------------------------------------

subjects contains result if {
	some key in data.cadastre.lib.azure.data_keys
	result := finding.examined(key.id, key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.azure.data_keys
	key.rotation_days.state == "absent"
	result := finding.red(key.id, "does not rotate", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.azure.data_keys
	key.rotation_days.state == "observed"
	some entry in input.declaration.keys
	entry.id == key.id
	key.rotation_days.value * 86400 > entry.rotation
	result := finding.red(key.id, sprintf("rotates every %d days, and the declaration asks for %d", [key.rotation_days.value, floor(entry.rotation / 86400)]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.azure.data_keys
	key.rotation_days.state == "unknown"
	result := finding.unproven(key.id, sprintf("whether it rotates is not known: %s", [known.missing(key.rotation_days)]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.azure.data_keys
	key.enabled != {"state": "observed", "value": true}
	result := finding.unproven(key.id, "is not known to be enabled, and so to rotate", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.azure.data_keys
	count({entry.id | some entry in input.declaration.keys; entry.id == key.id}) == 0
	result := finding.unproven(key.id, "is not declared, so that no period is set for it", key.evidence)
}

findings contains result if {
	some use in data.cadastre.lib.azure.key_uses
	count({key.id | some key in data.cadastre.lib.azure.data_keys; azure.key_address(key) == use.address}) == 0
	result := finding.unproven(use.address, sprintf("protects %s and is in no list of keys that was read", [use.account]), use.evidence)
}

findings contains result if {
	some use in data.cadastre.lib.azure.key_uses
	is_string(use.version)
	result := finding.red(use.account, sprintf("stays with version %s of %s, so that no rotation reaches it", [use.version, use.address]), use.evidence)
}
