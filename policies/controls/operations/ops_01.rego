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

drill := "upgrade-rollback"

runbooks := documents.answering("runbook", "OPS-01")

subjects contains result if {
	some doc in runbooks
	records := {record | some list in [doc.evidence, drill_evidence(doc)]; some record in list}
	result := finding.examined(doc.id, records)
}

drill_evidence(doc) := {record |
	some place, _ in data.cadastre.lib.documents.places
	documents.concerns(doc, place)
	some exercised in documents.drill_of(drill, place)
	some record in exercised.evidence
}

findings contains result if {
	data.cadastre.lib.documents.listed
	some place, subject in data.cadastre.lib.documents.places
	count({doc | some doc in runbooks; documents.concerns(doc, place)}) == 0
	not data.cadastre.lib.documents.some_unreadable
	result := finding.red(subject, "no runbook says how it is upgraded and how to go back", data.cadastre.lib.documents.list_records)
}

findings contains result if {
	some place, subject in data.cadastre.lib.documents.places
	count({doc | some doc in runbooks; documents.concerns(doc, place)}) == 0
	data.cadastre.lib.documents.some_unreadable
	message := sprintf("no runbook could be read that says how it is upgraded: %s", [data.cadastre.lib.documents.unreadable])
	result := finding.unproven(subject, message, data.cadastre.lib.documents.broken_records)
}

findings contains result if {
	some doc in runbooks
	some operation in doc.front.operations
	operation.operation in {"upgrade", "recover"}
	operation.by == "vendor"
	result := finding.red(doc.id, sprintf("leaves `%s` to the vendor alone", [operation.operation]), doc.evidence)
}

findings contains result if {
	some doc in runbooks
	some contradiction in data.cadastre.lib.documents.contradictions[doc.id]
	records := {record | some list in [doc.evidence, contradiction.evidence]; some record in list}
	result := finding.red(doc.id, contradiction.message, records)
}

findings contains result if {
	some doc in runbooks
	some reason in data.cadastre.lib.documents.reasons[doc.id]
	result := finding.unproven(doc.id, reason, doc.evidence)
}

findings contains result if {
	some doc in runbooks
	some wanted in ["upgrade", "recover"]
	count({operation | some operation in doc.front.operations; operation.operation == wanted; is_string(operation.by)}) == 0
	result := finding.unproven(doc.id, sprintf("does not say who may `%s`", [wanted]), doc.evidence)
}

findings contains result if {
	some doc in runbooks
	not drill in doc.front.drills
	result := finding.unproven(doc.id, sprintf("names no drill `%s`, so that nobody knows whether it was exercised", [drill]), doc.evidence)
}

findings contains result if {
	some doc in runbooks
	some place, subject in data.cadastre.lib.documents.places
	documents.concerns(doc, place)
	some exercised in documents.drill_of(drill, place)
	count({name | some name, _ in exercised.measurements; contains(name, "rollback")}) == 0
	records := {record | some list in [doc.evidence, exercised.evidence]; some record in list}
	result := finding.unproven(doc.id, sprintf("the drill `%s` on %s did not measure the way back", [drill, subject]), records)
}

findings contains result if {
	some exercised in documents.undocumented(drill, "runbook", "OPS-01")
	count(runbooks) > 0
	result := finding.unproven(
		sprintf("cluster:%s", [exercised.cluster]),
		sprintf("the drill `%s` was exercised, and no runbook names it", [drill]),
		exercised.evidence,
	)
}
