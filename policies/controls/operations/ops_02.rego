# METADATA
# scope: package
# title: Broker replacement was exercised
# description: |
#   A broker was killed and drained while real clients wrote. Writes went on within the declared time, and every record that had been
#   acknowledged was read back.
# custom:
#   id: OPS-02
#   area: operations
#   pass: writes went on within the declared time after a broker was lost, and no acknowledged record was
#   red_flag: a record that was acknowledged is gone, or writes did not go on in time
#   requires:
#     - kafka:DescribeCluster
#     - drill:broker-replacement
#   fix: "find out why (the drill's record names the first lost record), and exercise it again with `cadastre prove --drill broker-replacement`"
package cadastre.controls.ops_02

import rego.v1

import data.cadastre.lib.drills

needed := {"broker-replacement"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
