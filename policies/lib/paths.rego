# Plaintext paths of the graph, told step by step.
package cadastre.lib.paths

import rego.v1

steps(path) := [step_told(step) | some step in path.steps]

step_told(step) := sprintf("%s may %s %s by %s", [step.from, step.capability, step.to, step.action]) if {
	step.decision == "allow"
}

step_told(step) := sprintf("%s may %s %s by %s when %s", [step.from, step.capability, step.to, step.action, step.detail]) if {
	step.decision == "conditional"
}

step_told(step) := sprintf("whether %s may %s %s by %s is not settled: %s", [step.from, step.capability, step.to, step.action, step.detail]) if {
	step.decision == "unknown"
}

cuts(path) := [sprintf("remove or narrow `%s` at %s of record %s", [statement.policy, statement.pointer, statement.record]) |
	some statement in path.cut
]

condition(path) := sprintf(" when %s", [path.detail]) if path.decision == "conditional"

condition(path) := "" if path.decision == "allow"

proven(path) if path.decision in {"allow", "conditional"}

records(path) := {record | some record in path.evidence}
