# METADATA
# scope: package
# title: Export in an open format was exercised
# description: |
#   A topic with keys, headers, tombstones and bytes that are no text was exported as JSON lines and as Parquet, and read back.
# custom:
#   id: EXT-03
#   area: exit
#   pass: a topic was exported in open formats, and the files hold what the topic held
#   red_flag: the exported files do not hold what the topic held
#   requires:
#     - kafka:DescribeCluster
#     - drill:export
#   fix: "read the drill's record for what differs"
package cadastre.controls.ext_03

import rego.v1

import data.cadastre.lib.drills

needed := {"export"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
