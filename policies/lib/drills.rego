# What was exercised, and what speaks against taking it for a proof: that it was not, that it was on another cluster, that a
# promise was broken or could not be tried.
package cadastre.lib.drills

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding

all := object.get(input.inventory, "drills", [])

clusters := {cluster.name | some cluster in input.declaration.clusters}

subject(cluster) := sprintf("cluster:%s", [cluster])

of(cluster, name) := {drill |
	some drill in data.cadastre.lib.drills.all
	drill.cluster == cluster
	drill.drill == name
}

# The records of some drills on a cluster, and those that tell which cluster it is.
records(cluster, names) := exercised_records(cluster, names) | identity_records(cluster)

exercised_records(cluster, names) := {record |
	some name in names
	some drill in of(cluster, name)
	some record in drill.evidence
}

identity_records(cluster) := coverage.records_in_cluster("kafka:DescribeCluster", cluster)

# The ids under which a cluster was seen by the scan.
seen_ids(cluster) := {seen.cluster_id.value |
	some seen in input.inventory.clusters
	seen.name == cluster
	seen.cluster_id.state == "observed"
}

# Each declared cluster on which all of these drills were exercised, with what they measured.
examined(names) := {result |
	some cluster in data.cadastre.lib.drills.clusters
	every name in names {
		count(of(cluster, name)) > 0
	}
	message := concat("; ", sort({told(drill) | some name in names; some drill in of(cluster, name)}))
	result := finding.shown(subject(cluster), message, records(cluster, names))
}

told(drill) := sprintf("%s: %d promises kept at %s%s", [drill.drill, kept(drill), drill.at, numbers(drill)])

kept(drill) := count([check | some check in drill.checks; check.kept == true])

# The times that a reader looks for first.
shown_numbers := {
	"killed_recovery_ms", "records_acknowledged", "records_lost", "reads_ended_ms", "writes_ended_ms", "service_returned_ms",
	"nothing_left_ms", "broker_added_ms", "records", "actions",
}

numbers(drill) := "" if count(object.keys(drill.measurements) & shown_numbers) == 0

numbers(drill) := sprintf(", %s", [concat(", ", sort({line |
	some name, value in drill.measurements
	name in shown_numbers
	line := sprintf("%s %d", [name, value])
}))]) if count(object.keys(drill.measurements) & shown_numbers) > 0

# Everything that speaks against these drills as a proof, on every declared cluster.
doubts(names) := {result |
	some cluster in data.cadastre.lib.drills.clusters
	some name in names
	some result in doubts_of(cluster, name)
}

doubts_of(cluster, name) := {finding.unproven(subject(cluster), sprintf("the drill `%s` was never exercised on it", [name]), set())} if {
	count(of(cluster, name)) == 0
}

doubts_of(cluster, name) := {result |
	some drill in of(cluster, name)
	some result in broken(cluster, drill) | open(cluster, drill) | silent(cluster, drill) | ended(cluster, drill) | elsewhere(cluster, drill)
} if {
	count(of(cluster, name)) > 0
}

evidence(drill) := {record | some record in drill.evidence}

broken(cluster, drill) := {result |
	some check in drill.checks
	check.kept == false
	message := sprintf("%s: not kept: %s (%s)", [drill.drill, check.promise, check.seen])
	result := finding.red(subject(cluster), message, evidence(drill))
}

# A promise that says nothing of itself was not kept, and not broken either.
open(cluster, drill) := {result |
	some check in drill.checks
	not check.kept == true
	not check.kept == false
	message := sprintf("%s: not exercised: %s (%s)", [drill.drill, check.promise, check.seen])
	result := finding.unproven(subject(cluster), message, evidence(drill))
}

# A drill that showed nothing proves nothing, whatever it says of itself.
silent(cluster, drill) := {result |
	drill.outcome in {"passed", "failed"}
	count(drill.checks) == 0
	result := finding.unproven(subject(cluster), sprintf("%s: no promise was tried", [drill.drill]), evidence(drill))
}

ended(_, drill) := set() if drill.outcome in {"passed", "failed"}

ended(cluster, drill) := {finding.unproven(subject(cluster), sprintf("%s: %s: %s", [drill.drill, drill.outcome, reason(drill)]), evidence(drill))} if {
	not drill.outcome in {"passed", "failed"}
}

reason(drill) := drill.reason if is_string(drill.reason)

reason(drill) := "something was not put back, or nothing was shown" if not is_string(drill.reason)

elsewhere(_, drill) := set() if drill.outcome == "not-exercised"

elsewhere(cluster, drill) := {finding.unproven(subject(cluster), "which cluster it is was not observed by a scan, and so not whether it is the one that was exercised", evidence(drill))} if {
	drill.outcome != "not-exercised"
	count(seen_ids(cluster)) == 0
}

elsewhere(cluster, drill) := {result |
	not drill.cluster_id in seen_ids(cluster)
	message := sprintf("%s was exercised on the cluster %s, and the scan saw %s", [drill.drill, named(drill), concat(", ", sort(seen_ids(cluster)))])
	result := finding.unproven(subject(cluster), message, evidence(drill))
} if {
	drill.outcome != "not-exercised"
	count(seen_ids(cluster)) > 0
}

named(drill) := drill.cluster_id if is_string(drill.cluster_id)

named(drill) := "that gave no id" if not is_string(drill.cluster_id)
