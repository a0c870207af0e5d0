# METADATA
# scope: package
# title: Deletion leaves no residue
# description: |
#   A topic was written and deleted. A signed receipt names its keys and places, and within the declared time none of its objects and log
#   segments was left.
# custom:
#   id: EXT-01
#   area: exit
#   pass: nothing of a deleted topic was left within the declared time, and a signed receipt says so
#   red_flag: an object or log segment with records of a deleted topic was left, or there is no receipt
#   requires:
#     - kafka:DescribeCluster
#     - drill:deletion
#   fix: "find what keeps the residue (the drill's record names it), and exercise it again with `cadastre prove --drill deletion`"
package cadastre.controls.ext_01

import rego.v1

import data.cadastre.lib.drills

needed := {"deletion"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
