# METADATA
# scope: package
# title: Clients move in groups with named decision makers
# description: |
#   The migration plan moves clients in groups, every declared workload in one of them, and says which roles may pause, promote and
#   roll back; it is owned, reviewed and filled in.
# custom:
#   id: SEM-05
#   area: semantics
#   pass: clients move in groups, every declared workload is in one, and each decision has a role that takes it
#   red_flag: all clients move in one step
#   requires:
#     - documents:ListDocuments
#     - documents:ReadDocument
#   fix: split the plan into groups, and name the roles that may pause, promote and roll back
package cadastre.controls.sem_05

import rego.v1

import data.cadastre.lib.documents
import data.cadastre.lib.finding

decisions := ["pause", "promote", "roll-back"]

plans := documents.answering("migration-plan", "SEM-05")

plans_about(place) := {doc | some doc in plans; documents.concerns(doc, place)}

workloads_of(doc) := {workload.principal |
	some cluster in input.declaration.clusters
	documents.concerns(doc, cluster.name)
	some workload in cluster.workloads
}

moved(doc) := {principal | some group in doc.front.groups; some principal in group.principals}

subjects contains result if {
	some doc in plans
	result := finding.shown(doc.id, sprintf("moves clients in %d groups, and every decision has a role that takes it", [count(doc.front.groups)]), doc.evidence)
}

findings contains result if {
	data.cadastre.lib.documents.listed
	some place, subject in data.cadastre.lib.documents.places
	count(plans_about(place)) == 0
	result := finding.unproven(subject, without_plan, data.cadastre.lib.documents.list_records | data.cadastre.lib.documents.broken_records)
}

without_plan := "no migration plan says in which groups clients move" if not data.cadastre.lib.documents.some_unreadable

without_plan := sprintf("no migration plan could be read: %s", [data.cadastre.lib.documents.unreadable]) if {
	data.cadastre.lib.documents.some_unreadable
}

findings contains result if {
	some doc in plans
	count(doc.front.groups) == 1
	result := finding.red(doc.id, "moves all clients in one step", doc.evidence)
}

findings contains result if {
	some doc in plans
	count(doc.front.groups) == 0
	result := finding.unproven(doc.id, "does not say yet in which groups clients move", doc.evidence)
}

findings contains result if {
	some doc in plans
	some group in doc.front.groups
	count({principal | some principal in group.principals; documents.written(principal)}) == 0
	result := finding.unproven(doc.id, sprintf("the group `%s` has no clients", [group.name]), doc.evidence)
}

# One group with everybody in it and others beside it is one step all the same.
findings contains result if {
	some doc in plans
	count(doc.front.groups) > 1
	everybody := moved(doc)
	count(everybody) > 1
	some group in doc.front.groups
	{principal | some principal in group.principals} == everybody
	result := finding.red(doc.id, sprintf("the group `%s` moves all clients in one step", [group.name]), doc.evidence)
}

findings contains result if {
	some doc in plans
	count(doc.front.groups) > 0
	some principal in workloads_of(doc) - moved(doc)
	result := finding.unproven(doc.id, sprintf("%s is a declared workload and is in no group", [principal]), doc.evidence)
}

findings contains result if {
	some doc in plans
	some principal in moved(doc) - workloads_of(doc)
	result := finding.unproven(doc.id, sprintf("moves %s, which is no declared workload", [principal]), doc.evidence)
}

findings contains result if {
	some doc in plans
	some decision in decisions
	count({decider | some decider in doc.front.deciders; decider.decision == decision; documents.written(decider.role)}) == 0
	result := finding.unproven(doc.id, sprintf("does not say who decides to `%s`", [decision]), doc.evidence)
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
