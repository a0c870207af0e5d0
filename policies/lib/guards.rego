# Rules that a reader would think protect, and that do not: denies, conditions, boundaries, ACLs.
package cadastre.lib.guards

import rego.v1

import data.cadastre.lib.finding

of[guard.subject] contains guard if some guard in input.access.guards

# Those of one subject with one of the given defects.
with_defect(subject, defects) := {guard | some guard in of[subject]; guard.defect in defects}

# A deny or a condition that decides nothing.
idle := {"names-nothing", "always-true", "self-satisfied", "walked-around", "not-consulted"}

# A boundary that does not hold.
loose := {"removable", "attached-to-others"}

red(subject, guard) := finding.red(subject, sprintf("has a rule that protects nothing (%s): %s", [guard.defect, guard.told]), records(guard))

records(guard) := {statement.record | some statement in guard.statements}
