# Drills for the tests of controls: one that passed on the declared cluster, and what it is judged with.
package cadastre.lib.drills_fixture

import rego.v1

import data.cadastre.lib.fixture

check(kept) := {"promise": "nothing is lost", "kept": kept, "seen": "0 lost"}

drill(name, changes) := fixture.changed(
	{
		"id": sprintf("payments/%s", [name]), "cluster": "payments", "drill": name, "outcome": "passed", "reason": null,
		"cluster_id": "c", "client": "librdkafka 2", "at": "2026-11-21T11:00:00Z", "checks": [check(true)],
		"measurements": {"records_lost": 0}, "evidence": [name],
	},
	changes,
)

# One declared and observed cluster on which these drills were exercised.
with_drills(drills) := object.union(fixture.kafka({}), {"inventory": {"clusters": [fixture.cluster], "drills": drills}})

exercised(name, changes) := with_drills([drill(name, changes)])

# The ways in which a drill falls short of a proof, all for one control: name, input, verdict.
ways(name) := [
	{"input": with_drills([]), "verdict": "unproven"},
	{"input": exercised(name, {"outcome": "not-exercised", "reason": "no hook", "checks": [], "cluster_id": null}), "verdict": "unproven"},
	{"input": exercised(name, {"checks": []}), "verdict": "unproven"},
	{"input": exercised(name, {"outcome": "stopped", "reason": "interrupted"}), "verdict": "unproven"},
	{"input": exercised(name, {"checks": [check(true), check(null)]}), "verdict": "unproven"},
	{"input": exercised(name, {"cluster_id": "another"}), "verdict": "unproven"},
	{"input": exercised(name, {"cluster_id": null}), "verdict": "unproven"},
	{"input": exercised(name, {"cluster": "another"}), "verdict": "unproven"},
	{"input": exercised(name, {"outcome": "failed", "checks": [check(true), check(false)]}), "verdict": "red-flag"},
	{"input": exercised(name, {"outcome": "passed", "checks": [check(false)]}), "verdict": "red-flag"},
]

# What findings say about the declared cluster in an input.
said(findings) := {finding.verdict | some finding in findings; finding.subject == "cluster:payments"}
