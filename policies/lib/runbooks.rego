# A workflow that is written down and exercised: a runbook that answers a control, names its drill, and says who may do what.
package cadastre.lib.runbooks

import rego.v1

import data.cadastre.lib.documents
import data.cadastre.lib.finding

of(control) := documents.answering("runbook", control)

# Each runbook with the drills that exercise it.
examined(control, drill) := {result |
	some doc in of(control)
	records := {record | some list in [doc.evidence, drill_evidence(doc, drill)]; some record in list}
	result := finding.examined(doc.id, records)
}

drill_evidence(doc, drill) := {record |
	some place, _ in data.cadastre.lib.documents.places
	documents.concerns(doc, place)
	some exercised in documents.drill_of(drill, place)
	some record in exercised.evidence
}

# Everything that speaks against a runbook. `how` is what nothing says where there is none, and `operations` are those of which it has to say who may.
doubts(control, drill, how, operations) := missing(control, how) | left_to_vendors(control, operations) | contradicted(control) | open(control, drill, operations) | undocumented(control, drill)

missing(control, how) := {result |
	data.cadastre.lib.documents.listed
	not data.cadastre.lib.documents.some_unreadable
	some place, subject in data.cadastre.lib.documents.places
	count({doc | some doc in of(control); documents.concerns(doc, place)}) == 0
	result := finding.red(subject, sprintf("no runbook says %s", [how]), data.cadastre.lib.documents.list_records)
} | {result |
	data.cadastre.lib.documents.some_unreadable
	some place, subject in data.cadastre.lib.documents.places
	count({doc | some doc in of(control); documents.concerns(doc, place)}) == 0
	message := sprintf("no runbook could be read that says %s: %s", [how, data.cadastre.lib.documents.unreadable])
	result := finding.unproven(subject, message, data.cadastre.lib.documents.broken_records)
}

left_to_vendors(control, operations) := {result |
	some doc in of(control)
	some operation in doc.front.operations
	operation.operation in operations
	operation.by == "vendor"
	result := finding.red(doc.id, sprintf("leaves `%s` to the vendor alone", [operation.operation]), doc.evidence)
}

contradicted(control) := {result |
	some doc in of(control)
	some contradiction in data.cadastre.lib.documents.contradictions[doc.id]
	records := {record | some list in [doc.evidence, contradiction.evidence]; some record in list}
	result := finding.red(doc.id, contradiction.message, records)
}

open(control, drill, operations) := {result |
	some doc in of(control)
	some reason in data.cadastre.lib.documents.reasons[doc.id]
	result := finding.unproven(doc.id, reason, doc.evidence)
} | {result |
	some doc in of(control)
	some wanted in operations
	count({operation | some operation in doc.front.operations; operation.operation == wanted; is_string(operation.by)}) == 0
	result := finding.unproven(doc.id, sprintf("does not say who may `%s`", [wanted]), doc.evidence)
} | {result |
	some doc in of(control)
	not drill in doc.front.drills
	result := finding.unproven(doc.id, sprintf("names no drill `%s`, so that nobody knows whether it was exercised", [drill]), doc.evidence)
}

undocumented(control, drill) := {result |
	some exercised in documents.undocumented(drill, "runbook", control)
	count(of(control)) > 0
	result := finding.unproven(
		sprintf("cluster:%s", [exercised.cluster]),
		sprintf("the drill `%s` was exercised, and no runbook names it", [drill]),
		exercised.evidence,
	)
}
