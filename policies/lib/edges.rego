# The access engine's answers, by what they are about.
package cadastre.lib.edges

import rego.v1

by_target[target] contains edge if {
	some edge in input.access.edges
	target := trim_suffix(edge.target, "/*")
}

by_principal[edge.principal] contains edge if some edge in input.access.edges

# Edges on an asset that goes by any of the given names.
onto(names) := {edge | some name in names; some edge in by_target[name]}

certain(edge) if edge.decision == "allow"

possible(edge) if edge.decision in {"allow", "conditional"}

open(edge) if edge.decision == "unknown"

# How an edge is told: what gives it, and under which condition.
told(edge) := sprintf("by %s (%s)", [edge.action, origin(edge)]) if edge.decision == "allow"

told(edge) := sprintf("by %s (%s) when %s", [edge.action, origin(edge), edge.detail]) if {
	edge.decision == "conditional"
}

told(edge) := sprintf("by %s (%s), which is not settled: %s", [edge.action, origin(edge), edge.detail]) if {
	edge.decision == "unknown"
}

origin(edge) := concat(", ", {statement.policy | some statement in edge.statements}) if count(edge.statements) > 0

origin(edge) := "no statement" if count(edge.statements) == 0

records(edge) := {statement.record | some statement in edge.statements}

# What the access engine could not evaluate, by principal or resource.
undecided[name] contains reason if {
	some entry in input.access.unknown
	name := entry[0]
	reason := entry[1]
}

undecided_about(names) := {reason | some name in names; some reason in undecided[name]}
