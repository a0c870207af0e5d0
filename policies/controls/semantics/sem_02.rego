# METADATA
# scope: package
# title: Real clients are admitted and denied as declared
# description: |
#   Declared identities tried what they must not be able to do, with real clients, and were refused; who may work could.
# custom:
#   id: SEM-02
#   area: semantics
#   pass: everything that must be refused was refused, and who may work could
#   red_flag: something that must be refused was allowed
#   requires:
#     - kafka:DescribeCluster
#     - drill:clients
#     - drill:denials
#   fix: "take the ACL or the super user away that allowed it, and exercise it again with `cadastre prove --drill denials`"
package cadastre.controls.sem_02

import rego.v1

import data.cadastre.lib.drills

needed := {"clients", "denials"}

subjects contains result if some result in drills.examined(needed)

findings contains result if some result in drills.doubts(needed)
