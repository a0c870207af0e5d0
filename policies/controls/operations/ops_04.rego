# METADATA
# scope: package
# title: Incidents have owners
# description: |
#   For broker health, storage access, client connectivity and key trouble a document says which role acts first and how it is
#   reached; the document is owned, reviewed and filled in.
# custom:
#   id: OPS-04
#   area: operations
#   pass: each of the four kinds of trouble has a role that acts first and can be reached
#   red_flag: nobody owns one of the four
#   requires:
#     - documents:ListDocuments
#     - documents:ReadDocument
#   fix: name the role or rota that acts first, and how it is reached (`cadastre init --documents` writes the page)
package cadastre.controls.ops_04

import rego.v1

import data.cadastre.lib.documents
import data.cadastre.lib.finding

troubles := ["broker-health", "storage-access", "client-connectivity", "key-trouble"]

pages := documents.answering("incident-ownership", "OPS-04")

pages_about(place) := {doc | some doc in pages; documents.concerns(doc, place)}

owned(place, trouble) if {
	some doc in pages_about(place)
	some entry in doc.front.incidents
	entry.trouble == trouble
	documents.written(entry.first)
	documents.written(entry.reach)
}

subjects contains result if {
	some place, subject in data.cadastre.lib.documents.places
	records := {record | some doc in pages_about(place); some record in doc.evidence}
	count(records) > 0
	result := finding.examined(subject, records)
}

subjects contains result if {
	some doc in pages
	result := finding.shown(doc.id, "is owned, reviewed and filled in", doc.evidence)
}

findings contains result if {
	data.cadastre.lib.documents.listed
	not data.cadastre.lib.documents.some_unreadable
	some place, subject in data.cadastre.lib.documents.places
	some trouble in troubles
	not owned(place, trouble)
	records := {record | some doc in pages_about(place); some record in doc.evidence} | data.cadastre.lib.documents.list_records
	result := finding.red(subject, sprintf("no document says who acts first in `%s` and how they are reached", [trouble]), records)
}

findings contains result if {
	data.cadastre.lib.documents.some_unreadable
	some place, subject in data.cadastre.lib.documents.places
	some trouble in troubles
	not owned(place, trouble)
	message := sprintf("who acts first in `%s` may stand in a document that could not be read: %s", [trouble, data.cadastre.lib.documents.unreadable])
	result := finding.unproven(subject, message, data.cadastre.lib.documents.broken_records)
}

findings contains result if {
	some doc in pages
	some contradiction in data.cadastre.lib.documents.contradictions[doc.id]
	records := {record | some list in [doc.evidence, contradiction.evidence]; some record in list}
	result := finding.red(doc.id, contradiction.message, records)
}

findings contains result if {
	some doc in pages
	some reason in data.cadastre.lib.documents.reasons[doc.id]
	result := finding.unproven(doc.id, reason, doc.evidence)
}
