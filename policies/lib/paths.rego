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

# Paths that start with the same steps and differ in what they end at are one finding: by who, verdict and condition.
grouped(found) := {{"principal": path.principal, "decision": path.decision, "detail": object.get(path, "detail", "")} | some path in found}

# The paths of one group, in the order of their targets.
of_group(found, group) := [path |
	some target in sort({path.target | some path in found})
	some path in found
	path.target == target
	path.principal == group.principal
	path.decision == group.decision
	object.get(path, "detail", "") == group.detail
]

# What they end at, for a person.
targets(group) := concat(", ", [path.target | some path in group])

# The steps of the first, and of each further one what the first does not have.
steps_of(group) := array.concat(steps(group[0]), [told |
	some place, path in group
	place > 0
	some step in path.steps
	not step in {known | some known in group[0].steps}
	told := sprintf("for %s: %s", [path.target, step_told(step)])
])

cuts_of(group) := [told |
	some told in {cut | some path in group; some cut in cuts(path)}
]

records_of(group) := {record | some path in group; some record in path.evidence}

condition(path) := sprintf(" when %s", [path.detail]) if path.decision == "conditional"

condition(path) := "" if path.decision == "allow"

proven(path) if path.decision in {"allow", "conditional"}

records(path) := {record | some record in path.evidence}
