# Documents for the tests of controls: one of each kind that is filled in, and the list that shows them.
package cadastre.lib.documents_fixture

import rego.v1

import data.cadastre.lib.fixture

sections := {
	"runbook": ["When to use it", "Steps", "Rollback", "Verification"],
	"incident-ownership": ["First response", "Escalation"],
	"vendor-access": ["What a vendor may do", "What a vendor may never do", "Granting and removing access"],
	"migration-plan": ["Order of groups", "Cutover", "Rollback"],
	"exit-plan": ["Termination", "Data", "Vendor access"],
}

front(kind, control) := {
	"kind": kind,
	"controls": [control],
	"clusters": [],
	"owner": "platform team",
	"contacts": [{"role": "platform on call", "reach": "pager rota"}],
	"last-reviewed": "2026-11-01",
	"last-exercised": null,
	"drills": [],
	"drill-records": [],
	"statements": [],
	"operations": [],
	"incidents": [],
	"groups": [],
	"deciders": [],
	"steps": [],
}

# A filled-in document with other values for some members of its front matter.
document(kind, control, changes) := {
	"id": sprintf("document:%s.md", [kind]),
	"front": fixture.changed(front(kind, control), changes),
	"sections": [{"heading": heading, "level": 2, "line": 20, "filled": true} | some heading in sections[kind]],
	"sha256": "00",
	"evidence": [kind],
}

# The same with one section left blank.
with_blank(doc, blank) := fixture.changed(doc, {"sections": [fixture.changed(section, {"filled": section.heading != blank}) | some section in doc.sections]})

cluster := {"name": "payments", "workloads": [{"principal": "User:billing"}, {"principal": "User:ledger"}], "super-users": [], "administrators": []}

listed := {"documents:ListDocuments": [{
	"operation": "documents:ListDocuments", "scope": {}, "subject": "payments", "outcome": "observed",
	"oldest": "2026-11-21T11:00:00Z", "problem": null, "records": ["list"],
}]}

# A boundary with one declared cluster, these documents, and other parts.
input_with(docs, parts) := object.union(
	fixture.with_parts({
		"declaration": {"clusters": [cluster], "documents": {"folder": "documents", "review-age": 31536000, "exercise-age": 15552000}},
		"inventory": {"documents": {"read": docs, "broken": [], "others": []}, "drills": []},
		"coverage": listed,
	}),
	parts,
)

broken := {"inventory": {"documents": {"broken": [{"id": "document:a.md", "problem": "a.md:3:1: unknown field `ownr`", "evidence": ["broken"]}]}}}

drill(name, outcome, at) := {
	"id": sprintf("payments/%s", [name]), "cluster": "payments", "drill": name, "outcome": outcome, "reason": null, "cluster_id": "c",
	"client": "librdkafka", "at": at, "checks": [], "measurements": {"rollback_milliseconds": 4000}, "evidence": ["drill"],
}
