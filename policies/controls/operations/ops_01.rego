# METADATA
# scope: package
# title: Upgrade and rollback were exercised
# description: |
#   There is a runbook for upgrades and for going back, somebody answers for it, it is filled in and reviewed, its steps are the
#   customer's to take, and the drill that it names passed on each cluster and measured the way back.
# custom:
#   id: OPS-01
#   area: operations
#   pass: the runbook is owned, filled in and reviewed, and its drill passed and measured the way back
#   red_flag: there is no runbook for upgrade and rollback, or steps of it are the vendor's alone
#   requires:
#     - documents:ListDocuments
#     - documents:ReadDocument
#   fix: write the runbook (`cadastre init --documents`), and exercise it with `cadastre prove --drill upgrade-rollback`
package cadastre.controls.ops_01

import rego.v1

import data.cadastre.lib.documents
import data.cadastre.lib.finding
import data.cadastre.lib.runbooks

drill := "upgrade-rollback"

subjects contains result if some result in runbooks.examined("OPS-01", drill)

findings contains result if {
	some result in runbooks.doubts("OPS-01", drill, "how it is upgraded and how to go back", {"upgrade", "recover"})
}

findings contains result if {
	some doc in runbooks.of("OPS-01")
	some place, subject in data.cadastre.lib.documents.places
	documents.concerns(doc, place)
	some exercised in documents.drill_of(drill, place)
	count({name | some name, _ in exercised.measurements; contains(name, "rollback")}) == 0
	records := {record | some list in [doc.evidence, exercised.evidence]; some record in list}
	result := finding.unproven(doc.id, sprintf("the drill `%s` on %s did not measure the way back", [drill, subject]), records)
}
