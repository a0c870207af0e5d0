# Runbooks, ownership and plans: which there are, what is blank in them, and what the graph says of their statements.
package cadastre.lib.documents

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.edges
import data.cadastre.lib.pattern
import data.cadastre.lib.plane
import data.cadastre.lib.sides

folder := object.get(input.inventory, "documents", {"read": [], "broken": [], "others": []})

all := folder.read

# The lists that show what is there; empty where nobody looked.
list_records := coverage.records_of("documents:ListDocuments")

listed if not coverage.gap_anywhere("documents:ListDocuments")

rules := object.get(input.declaration, "documents", {"review-age": 31536000, "exercise-age": 31536000})

day := 86400

# Everything a document can be about: each declared cluster, or the boundary where there is none.
places := {cluster.name: sprintf("cluster:%s", [cluster.name]) | some cluster in input.declaration.clusters} if {
	count(input.declaration.clusters) > 0
}

places := {input.declaration.name: input.declaration.name} if count(input.declaration.clusters) == 0

# Documents of a kind that say they answer a control.
answering(kind, control) := {doc | some doc in all; doc.front.kind == kind; control in doc.front.controls}

concerns(doc, _) if count(doc.front.clusters) == 0

concerns(doc, place) if place in doc.front.clusters

# What is not there may be in a file that could not be read.
unreadable := concat("; ", sort([entry.problem | some entry in folder.broken]))

some_unreadable if count(folder.broken) > 0

broken_records := {record | some entry in folder.broken; some record in entry.evidence}

written(text) if {
	is_string(text)
	trim_space(text) != ""
}

# The beginning of a day, in seconds since 1970.
begins(text) := floor(time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [text])) / 1000000000)

# Sections that a document of a kind has to have; `docs/formats/operating-documents.md` lists them.
required_sections := {
	"runbook": {"When to use it", "Steps", "Rollback", "Verification"},
	"incident-ownership": {"First response", "Escalation"},
	"deletion-procedure": {"What is deleted", "Steps", "Proof"},
	"vendor-access": {"What a vendor may do", "What a vendor may never do", "Granting and removing access"},
	"migration-plan": {"Order of groups", "Cutover", "Rollback"},
	"exit-plan": {"Termination", "Data", "Vendor access"},
}

same_heading(section, heading) if lower(trim_space(section.heading)) == lower(heading)

# Blanks and age ----------------------------------------------------------------------------------------------

# Why a document does not count yet, or no longer, whatever its kind.
shortcomings[doc.id] contains "has no owner" if {
	some doc in all
	not written(doc.front.owner)
}

shortcomings[doc.id] contains "names nobody to turn to" if {
	some doc in all
	count({contact | some contact in doc.front.contacts; written(contact.role); written(contact.reach)}) == 0
}

shortcomings[doc.id] contains "was never reviewed" if {
	some doc in all
	not is_string(doc.front["last-reviewed"])
}

shortcomings[doc.id] contains reason if {
	some doc in all
	reviewed := doc.front["last-reviewed"]
	is_string(reviewed)
	input.as_of_seconds - begins(reviewed) > rules["review-age"]
	reason := sprintf("was last reviewed on %s, longer ago than the %d days declared", [reviewed, floor(rules["review-age"] / day)])
}

shortcomings[doc.id] contains reason if {
	some doc in all
	some member in ["last-reviewed", "last-exercised"]
	written(doc.front[member])
	begins(doc.front[member]) > input.as_of_seconds + day
	reason := sprintf("says `%s: %s`, which is after the time judged for", [member, doc.front[member]])
}

shortcomings[doc.id] contains reason if {
	some doc in all
	some heading in required_sections[doc.front.kind]
	count({section | some section in doc.sections; same_heading(section, heading)}) == 0
	reason := sprintf("has no section `%s`", [heading])
}

shortcomings[doc.id] contains reason if {
	some doc in all
	some heading in required_sections[doc.front.kind]
	some section in doc.sections
	same_heading(section, heading)
	not section.filled
	reason := sprintf("leaves `%s` (line %d) to be filled in", [section.heading, section.line])
}

# A cluster that nobody declared is none.
shortcomings[doc.id] contains reason if {
	some doc in all
	some name in doc.front.clusters
	not places[name]
	reason := sprintf("is about %s, which is no declared cluster", [name])
}

# Drills ------------------------------------------------------------------------------------------------------

drills := object.get(input.inventory, "drills", [])

drill_records := {record | some drill in drills; some record in drill.evidence}

drill_of(name, place) := {drill | some drill in drills; drill.drill == name; drill.cluster == place}

passed(drill) if drill.outcome == "passed"

exercised_seconds(drill) := floor(time.parse_rfc3339_ns(drill.at) / 1000000000)

# From the document to the drill: what it says was exercised has to have left a record.
drill_doubts[doc.id] contains reason if {
	some doc in all
	some name in doc.front.drills
	some place, subject in places
	concerns(doc, place)
	count(drill_of(name, place)) == 0
	reason := sprintf("names the drill `%s`, of which there is no record on %s", [name, subject])
}

drill_doubts[doc.id] contains reason if {
	some doc in all
	some name in doc.front.drills
	some place, subject in places
	concerns(doc, place)
	some drill in drill_of(name, place)
	not passed(drill)
	reason := sprintf("names the drill `%s`, which ended as `%s` on %s", [name, drill.outcome, subject])
}

drill_doubts[doc.id] contains reason if {
	some doc in all
	some name in doc.front.drills
	some place, subject in places
	concerns(doc, place)
	some drill in drill_of(name, place)
	input.as_of_seconds - exercised_seconds(drill) > rules["exercise-age"]
	reason := sprintf("names the drill `%s`, last exercised on %s at %s, longer ago than the %d days declared", [
		name, subject, drill.at, floor(rules["exercise-age"] / day),
	])
}

drill_doubts[doc.id] contains reason if {
	some doc in all
	some id in doc.front["drill-records"]
	not id in drill_records
	reason := sprintf("names the drill record %s, which is not the newest of any drill in the evidence", [id])
}

# A day of exercise that no drill of that day, or a later one, bears out.
drill_doubts[doc.id] contains reason if {
	some doc in all
	written(doc.front["last-exercised"])
	count(doc.front.drills) > 0
	shown := [exercised_seconds(drill) | some drill in drills; drill.drill in doc.front.drills; concerns(doc, drill.cluster)]
	count(shown) > 0
	begins(doc.front["last-exercised"]) > max(shown)
	reason := sprintf("says that it was exercised on %s, and the newest drill is older", [doc.front["last-exercised"]])
}

# From the drill to the document: an exercise that followed no page shows nothing about one.
undocumented(name, kind, control) := {drill |
	some drill in drills
	drill.drill == name
	followed := {doc | some doc in answering(kind, control); concerns(doc, drill.cluster); name in doc.front.drills}
	count(followed) == 0
}

# Statements --------------------------------------------------------------------------------------------------

hosts := {name | some host in data.cadastre.lib.plane.broker_hosts; some name in plane.names_of("host", host)} | {cluster.arn |
	some cluster in object.get(input.inventory, "msk_clusters", [])
}

clusters := {sprintf("cluster:%s", [cluster.name]) | some cluster in input.inventory.clusters}

sinks := {sink.arn | some sink in input.declaration["log-sinks"]}

# What of a cluster can be operated: its own hosts, and those of which nobody knows whose they are.
hosts_of(place) := {name |
	some host in data.cadastre.lib.plane.broker_hosts
	may_run(host, place)
	some name in plane.names_of("host", host)
} | {managed.arn |
	some managed in object.get(input.inventory, "msk_clusters", [])
	managed_as(managed, place)
}

may_run(host, place) if place in data.cadastre.lib.plane.clusters_on[host.id]

may_run(host, _) if not data.cadastre.lib.plane.clusters_on[host.id]

managed_as(managed, place) if managed.name == place

managed_as(managed, _) if not managed.name in object.keys(places)

# What a capability is about, where a statement names no target.
targets("operate-host") := hosts

targets("read-logs") := sinks

targets("alter-logs") := sinks

targets(capability) := result if {
	not capability in {"operate-host", "read-logs", "alter-logs"}
	topics := {edge.target | some edge in input.access.edges; startswith(edge.target, "topic:")}
	assets := {name | some asset in data.cadastre.lib.plane.assets; some name in asset.names}
	result := topics | assets | clusters
}

edges_of(statement) := {edge |
	some edge in input.access.edges
	edge.capability == statement.capability
	pattern.matches(statement.target, edge.target)
} if {
	written(statement.target)
}

edges_of(statement) := {edge | some edge in edges.onto(targets(statement.capability)); edge.capability == statement.capability} if {
	not written(object.get(statement, "target", null))
}

# Whether a principal is somebody that a statement leaves out.
left_out("customer", principal) if sides.in_foreign_hands(principal)

left_out("vendor", principal) if sides.side(principal) in {"customer", "outside"}

left_out("both", principal) if sides.side(principal) == "outside"

told(statement) := sprintf("only the %s has `%s` over %s", [statement.only, statement.capability, aim(statement)])

aim(statement) := statement.target if written(object.get(statement, "target", null))

aim(statement) := "the data plane" if not written(object.get(statement, "target", null))

# What a document says and the access engine does not.
contradictions[doc.id] contains result if {
	some doc in all
	some statement in doc.front.statements
	some edge in edges_of(statement)
	left_out(statement.only, edge.principal)
	edges.possible(edge)
	result := {
		"message": sprintf("says that %s, and %s can %s %s %s", [told(statement), edge.principal, edge.capability, edge.target, edges.told(edge)]),
		"evidence": edges.records(edge),
	}
}

# What it says and nobody can settle.
open_statements[doc.id] contains reason if {
	some doc in all
	some statement in doc.front.statements
	some edge in edges_of(statement)
	left_out(statement.only, edge.principal)
	edges.open(edge)
	reason := sprintf("says that %s, and whether %s can is not settled: %s", [told(statement), edge.principal, edge.detail])
}

# Why a document proves nothing, all of it.
reasons[id] contains reason if {
	some id, found in shortcomings
	some reason in found
}

reasons[id] contains reason if {
	some id, found in drill_doubts
	some reason in found
}

reasons[id] contains reason if {
	some id, found in open_statements
	some reason in found
}
