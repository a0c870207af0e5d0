# METADATA
# scope: package
# title: Who can operate agrees with who should
# description: |
#   The access policy says who may restart brokers, rotate certificates, read logs, upgrade and recover: the customer, the vendor or
#   both. Policies decide who in fact can, and the two have to agree; so has every other statement that a document makes. Where several
#   clusters are declared, each is judged by the documents that are about it.
# custom:
#   id: OPS-06
#   area: operations
#   pass: those who can do it are those of whom the access policy says so
#   red_flag: a document says one thing and policies permit another
#   requires:
#     - documents:ListDocuments
#     - documents:ReadDocument
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - ec2:DescribeInstances
#   fix: take the capability away from whoever should not have it, or correct the document
package cadastre.controls.ops_06

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.documents
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.sides

operations := {"restart-brokers", "rotate-certificates", "read-logs", "upgrade", "recover"}

# What is judged: each operation on each declared cluster, or on the boundary where there is none.
tasks contains task if {
	some operation in operations
	some place, _ in data.cadastre.lib.documents.places
	task := {"operation": operation, "place": place}
}

# What each takes: a capability over some targets; any of them suffices.
needs[task] := {"operate-host": documents.hosts_of(task.place)} if {
	some task in tasks
	task.operation in {"restart-brokers", "upgrade", "recover"}
}

needs[task] := {"operate-host": documents.hosts_of(task.place), "change-policy": data.cadastre.lib.documents.clusters & {sprintf("cluster:%s", [task.place])}} if {
	some task in tasks
	task.operation == "rotate-certificates"
}

needs[task] := {"read-logs": data.cadastre.lib.documents.sinks} if {
	some task in tasks
	task.operation == "read-logs"
}

pages := documents.answering("vendor-access", "OPS-06")

page_records := {record | some doc in pages; some record in doc.evidence}

# Who is said to do it.
said[task] contains party if {
	some task in tasks
	some doc in pages
	documents.concerns(doc, task.place)
	some entry in doc.front.operations
	is_string(entry.by)
	entry.operation == task.operation
	party := entry.by
}

able[task] contains edge if {
	some task, capabilities in needs
	some capability, names in capabilities
	some edge in edges.onto(names)
	edge.capability == capability
}

# Nothing is seen that could be operated: a service in somebody else's account, or hosts that were not found.
unseen(task) if count({name | some _, names in needs[task]; some name in names}) == 0

# One cluster needs no name; several do.
subject_of(task) := sprintf("operation:%s", [task.operation]) if count(data.cadastre.lib.documents.places) == 1

subject_of(task) := sprintf("operation:%s/%s", [task.place, task.operation]) if count(data.cadastre.lib.documents.places) > 1

subjects contains result if {
	count(pages) > 0
	some task in tasks
	records := page_records | data.cadastre.lib.coverage.identities
	message := sprintf("it is for the %s to do, and that agrees with who can", [concat(" and the ", said[task])])
	result := finding.shown(subject_of(task), message, records)
}

subjects contains result if {
	some doc in data.cadastre.lib.documents.all
	count(doc.front.statements) > 0
	records := {record | some record in doc.evidence} | data.cadastre.lib.coverage.identities
	result := finding.shown(doc.id, "what it says of who can do what agrees with what policies permit", records)
}

subjects contains result if {
	some doc in pages
	result := finding.shown(doc.id, "is owned, reviewed and filled in", doc.evidence)
}

# No page, or one that leaves it open.
findings contains result if {
	data.cadastre.lib.documents.listed
	some task in tasks
	not said[task]
	result := finding.unproven(subject_of(task), nobody_says, page_records | data.cadastre.lib.documents.list_records)
}

nobody_says := "no access policy says whether the customer or the vendor does it" if not data.cadastre.lib.documents.some_unreadable

nobody_says := sprintf("no access policy that could be read says who does it: %s", [data.cadastre.lib.documents.unreadable]) if {
	data.cadastre.lib.documents.some_unreadable
}

findings contains result if {
	some task, parties in said
	count(parties) > 1
	result := finding.red(subject_of(task), sprintf("documents say that it is for the %s", [concat(", and for the ", parties)]), page_records)
}

findings contains result if {
	some task, _ in said
	unseen(task)
	message := "nothing that it would be done to is in the evidence, so that who can do it cannot be seen"
	result := finding.unproven(subject_of(task), message, page_records)
}

# Somebody can who should not.
findings contains result if {
	some task, parties in said
	some party in parties
	some edge in able[task]
	foreign_to(party, edge.principal)
	edges.possible(edge)
	message := sprintf("is for the %s to do, and %s can do it %s", [party, edge.principal, edges.told(edge)])
	result := finding.red(subject_of(task), message, edges.records(edge) | page_records)
}

findings contains result if {
	some task, parties in said
	some party in parties
	some edge in able[task]
	foreign_to(party, edge.principal)
	edges.open(edge)
	message := sprintf("is for the %s to do, and whether %s can do it is not settled: %s", [party, edge.principal, edge.detail])
	result := finding.unproven(subject_of(task), message, page_records)
}

# The customer's own administrators can do what they leave to a vendor: what counts there is that nobody else can.
foreign_to("customer", principal) if sides.in_foreign_hands(principal)

foreign_to(party, principal) if {
	party in {"vendor", "both"}
	sides.side(principal) == "outside"
}

# Nobody can who should.
findings contains result if {
	some task, parties in said
	not unseen(task)
	not coverage.gap_anywhere("iam:GetAccountAuthorizationDetails")
	some party in parties
	some side in sides_of[party]
	count({edge | some edge in object.get(able, task, set()); of_side(side, edge.principal)}) == 0
	message := sprintf("is for the %s to do, and nobody on the side of the %s can do it", [party, side])
	result := finding.red(subject_of(task), message, page_records | data.cadastre.lib.coverage.identities)
}

sides_of := {"customer": {"customer"}, "vendor": {"vendor"}, "both": {"customer", "vendor"}}

of_side("customer", principal) if sides.side(principal) == "customer"

of_side("vendor", principal) if sides.in_foreign_hands(principal)

# Statements of any document.
findings contains result if {
	some doc in data.cadastre.lib.documents.all
	some contradiction in data.cadastre.lib.documents.contradictions[doc.id]
	records := {record | some list in [doc.evidence, contradiction.evidence]; some record in list}
	result := finding.red(doc.id, contradiction.message, records)
}

findings contains result if {
	some doc in data.cadastre.lib.documents.all
	some reason in data.cadastre.lib.documents.open_statements[doc.id]
	result := finding.unproven(doc.id, reason, doc.evidence)
}

findings contains result if {
	some doc in pages
	some reason in data.cadastre.lib.documents.reasons[doc.id]
	result := finding.unproven(doc.id, reason, doc.evidence)
}

# An open question about a host, a cluster or a principal leaves who can operate open.
findings contains result if {
	count(said) > 0
	some name, reasons in data.cadastre.lib.plane.open_questions
	not name in {asset_name | some asset in data.cadastre.lib.plane.assets; asset.kind != "host"; some asset_name in asset.names}
	some reason in reasons
	result := finding.unproven(name, sprintf("who can operate is not settled: %s", [reason]), data.cadastre.lib.coverage.identities)
}
