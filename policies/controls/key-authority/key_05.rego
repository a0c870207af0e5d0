# METADATA
# scope: package
# title: Revoking the key stops service within the declared time
# description: |
#   The key was disabled while real clients wrote and read, and enabled again. Reads and writes ended within the declared time and
#   returned, and nothing that was acknowledged was lost.
# custom:
#   id: KEY-05
#   area: key-authority
#   pass: reads and writes ended within the declared time after the key was disabled, and returned with it
#   red_flag: reads or writes went on after the declared time, or something was lost
#   requires:
#     - kafka:DescribeCluster
#     - drill:key-revocation
#   fix: "shorten how long brokers keep data keys (cadastre.key.cache.ttl.ms), and exercise it again with `cadastre prove --drill key-revocation`"
package cadastre.controls.key_05

import rego.v1

import data.cadastre.lib.drills

needed := {"key-revocation"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
