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
#   fix: replace the key by one of the declared origin, or declare the origin it has
package cadastre.controls.key_11

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.plane

subjects contains result if {
	some key in plane.data_keys
	result := finding.examined(key.arn, key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.origin.state == "observed"
	some entry in plane.declared_key[key.arn]
	key.origin.value != entry.origin
	result := finding.red(key.arn, sprintf("its origin is %s, and the declaration says %s", [key.origin.value, entry.origin]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	key.manager == {"state": "observed", "value": "AWS"}
	plane.declared_key[key.arn]
	result := finding.red(key.arn, "is managed by the provider, and the declaration calls it a key of the customer", key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	some property in [key.origin, key.manager]
	property.state != "observed"
	result := finding.unproven(key.arn, sprintf("its origin and custody are not known: %s", [object.get(property, "value", "the service does not say")]), key.evidence)
}

findings contains result if {
	some key in plane.data_keys
	not plane.declared_key[key.arn]
	result := finding.unproven(key.arn, "is not declared, so that no origin is stated for it", key.evidence)
}

findings contains result if {
	some entry in input.declaration.keys
	count(plane.keys_named(entry.id)) == 0
	result := finding.unproven(entry.id, "is declared, and no key that was read goes by this name", coverage.records_of("kms:ListAliases"))
}
