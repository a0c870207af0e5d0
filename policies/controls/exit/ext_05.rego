# METADATA
# scope: package
# title: Termination is documented
# description: |
#   The exit plan names each step of leaving, the role that takes it and by when, and is owned, reviewed and filled in.
# custom:
#   id: EXT-05
#   area: exit
#   pass: each step of leaving has a role that takes it and a time by which it is done
#   red_flag: no document says how the arrangement ends
#   requires:
#     - documents:ListDocuments
#     - documents:ReadDocument
#   fix: write the exit plan (`cadastre init --documents` writes the page) with steps, owners and times
package cadastre.controls.ext_05

import rego.v1

import data.cadastre.lib.documents
import data.cadastre.lib.finding

plans := documents.answering("exit-plan", "EXT-05")

plans_about(place) := {doc | some doc in plans; documents.concerns(doc, place)}

subjects contains result if {
	some doc in plans
	result := finding.shown(doc.id, sprintf("names %d steps, each with an owner and a time", [count(doc.front.steps)]), doc.evidence)
}

findings contains result if {
	data.cadastre.lib.documents.listed
	not data.cadastre.lib.documents.some_unreadable
	some place, subject in data.cadastre.lib.documents.places
	count(plans_about(place)) == 0
	result := finding.red(subject, "no document says how the arrangement ends", data.cadastre.lib.documents.list_records)
}

findings contains result if {
	data.cadastre.lib.documents.some_unreadable
	some place, subject in data.cadastre.lib.documents.places
	count(plans_about(place)) == 0
	message := sprintf("no exit plan could be read: %s", [data.cadastre.lib.documents.unreadable])
	result := finding.unproven(subject, message, data.cadastre.lib.documents.broken_records)
}

findings contains result if {
	some doc in plans
	count(doc.front.steps) == 0
	result := finding.unproven(doc.id, "names no steps", doc.evidence)
}

findings contains result if {
	some doc in plans
	some step in doc.front.steps
	some member in ["step", "owner", "within"]
	not documents.written(step[member])
	result := finding.unproven(doc.id, sprintf("the step `%s` has no `%s`", [step.step, member]), doc.evidence)
}

findings contains result if {
	some doc in plans
	some contradiction in data.cadastre.lib.documents.contradictions[doc.id]
	records := {record | some list in [doc.evidence, contradiction.evidence]; some record in list}
	result := finding.red(doc.id, contradiction.message, records)
}

findings contains result if {
	some doc in plans
	some reason in data.cadastre.lib.documents.reasons[doc.id]
	result := finding.unproven(doc.id, reason, doc.evidence)
}
