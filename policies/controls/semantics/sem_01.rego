# METADATA
# scope: package
# title: Real clients pass on this cluster
# description: |
#   Real clients wrote with every acknowledgement and codec, read in groups, resumed at their offsets, used transactions and
#   administered topics.
# custom:
#   id: SEM-01
#   area: semantics
#   pass: real clients could do everything that Kafka promises them
#   red_flag: something that Kafka promises its clients did not come out
#   requires:
#     - kafka:DescribeCluster
#     - drill:clients
#   fix: "read the drill's record for the client, its version and what was seen"
package cadastre.controls.sem_01

import rego.v1

import data.cadastre.lib.drills

needed := {"clients"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
