# METADATA
# scope: package
# title: Kafka administration and denials are on an audit log
# description: |
#   What the drills administered and what was refused them was looked for in the broker's own audit log: each action is there, with
#   principal, client address, resource, operation and the rule that decided, and nothing about their topics that no drill did.
# custom:
#   id: AUD-04
#   area: audit
#   pass: every action and refusal of the drills is on the audit log, with who, from where, what and by which rule
#   red_flag: an action or a refusal is missing from the audit log, or a line lacks who, from where, what or by which rule
#   requires:
#     - kafka:DescribeCluster
#     - drill:audit-trail
#   fix: "switch the broker's audit log on for administration and denials, and exercise it again with `cadastre prove`"
package cadastre.controls.aud_04

import rego.v1

import data.cadastre.lib.drills

needed := {"audit-trail"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
