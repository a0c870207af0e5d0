# METADATA
# scope: package
# title: Key origin and custody match the declaration
# description: |
#   Where a key's material comes from and who keeps it, in the provider's words: made by the cloud, imported, in an
#   HSM cluster, in an external store.
# custom:
#   id: KEY-11
#   area: key-authority
#   pass: its material comes from where the declaration says
#   red_flag: origin or custody differ from the declaration
#   requires:
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:DescribeKey
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - s3:ListBuckets
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#   fix: replace the key by one of the declared origin, or declare the origin it has
package cadastre.controls.key_11

import rego.v1

import data.cadastre.lib.finding

subjects contains result if {
	some key in data.cadastre.lib.plane.data_keys
	result := finding.examined(key.arn, key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.origin.state == "observed"
	some entry in data.cadastre.lib.plane.declared_key[key.arn]
	key.origin.value != entry.origin
	result := finding.red(key.arn, sprintf("its origin is %s, and the declaration says %s", [key.origin.value, entry.origin]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	key.manager == {"state": "observed", "value": "AWS"}
	data.cadastre.lib.plane.declared_key[key.arn]
	result := finding.red(key.arn, "is managed by the provider, and the declaration calls it a key of the customer", key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	some property in [key.origin, key.manager]
	property.state != "observed"
	result := finding.unproven(key.arn, sprintf("its origin and custody are not known: %s", [object.get(property, "value", "the service does not say")]), key.evidence)
}

findings contains result if {
	some key in data.cadastre.lib.plane.data_keys
	not data.cadastre.lib.plane.declared_key[key.arn]
	result := finding.unproven(key.arn, "is not declared, so that no origin is stated for it", key.evidence)
}

findings contains result if some result in data.cadastre.lib.keys.missing
