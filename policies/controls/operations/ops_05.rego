# METADATA
# scope: package
# title: Scaling opens no new path
# description: |
#   A broker was added and removed while real clients wrote. It used the stores, keys and endpoints of the others and no further one.
# custom:
#   id: OPS-05
#   area: operations
#   pass: an added broker reached what the others reach and nothing else, and nothing was lost
#   red_flag: an added broker reached another store, key or endpoint, or a record was lost
#   requires:
#     - kafka:DescribeCluster
#     - drill:scale-out
#   fix: "take the further path away or approve it in the declaration, and exercise it again with `cadastre prove --drill scale-out`"
package cadastre.controls.ops_05

import rego.v1

import data.cadastre.lib.drills

needed := {"scale-out"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
