# METADATA
# scope: package
# title: The evidence is fresh, complete and collected read-only
# description: |
#   Every call that any control needs was answered, in every declared place and within the declared age; those
#   who asked are declared collectors; and none of them can write, neither by what the access engine sees nor by
#   what their policies say.
# custom:
#   id: AUD-07
#   area: audit
#   pass: it is declared and can only read
#   red_flag: the scanning identity can write
#   requires:
#     - sts:GetCallerIdentity
#     - iam:GetAccountAuthorizationDetails
#   fix: repeat the scan with an identity that holds the policy of `cadastre scan --permissions` and nothing else
package cadastre.controls.aud_07

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.known
import data.cadastre.lib.pattern

callers := {caller | some caller in input.evidence.callers}

principals := {principal.arn: principal | some principal in input.inventory.principals}

# The identities behind a caller: a session is judged as its role, whose path the session's ARN leaves out.
identities(caller) := roles if {
	contains(caller, ":assumed-role/")
	roles := {principal.arn |
		some principal in input.inventory.principals
		principal.kind == "role"
		principal.account == declared.account_of(caller)
		principal.name == split(caller, "/")[1]
	}
}

identities(caller) := {caller} if not contains(caller, ":assumed-role/")

names(caller) := {caller} | identities(caller) | {role |
	contains(caller, ":assumed-role/")
	role := sprintf("arn:aws:iam::%s:role/%s", [declared.account_of(caller), split(caller, "/")[1]])
}

is_kafka(caller) if startswith(caller, "User:")

caller_records := coverage.records_of("sts:GetCallerIdentity") | coverage.records_of("kafka:Metadata") | coverage.records_of("kafka:DescribeCluster")

subjects contains result if {
	some caller in callers
	records := caller_records | data.cadastre.lib.coverage.identities
	result := finding.examined(caller, records)
}

# Completeness ----------------------------------------------------------------------------------------------

findings contains result if {
	some gap in input.gaps
	gap.operation in {operation | some operation in input.required}
	not undeclared(gap)
	# What was not exercised is missing from the controls that ask for it, not from what was collected.
	not startswith(gap.operation, "drill:")
	result := finding.unproven(gap.subject, sprintf("%s %s", [gap.operation, gap.problem]), {record | some record in gap.evidence})
}

# Where no folder of documents is declared there is nothing to collect; the controls that ask for documents say so.
undeclared(gap) if {
	startswith(gap.operation, "documents:")
	not input.declaration.documents
}

findings contains result if {
	not input.evidence.complete
	result := finding.unproven(input.declaration.name, "the scan was interrupted", set())
}

# Who asked -------------------------------------------------------------------------------------------------

findings contains result if {
	count(callers) == 0
	result := finding.unproven(input.declaration.name, "no record says who asked", set())
}

findings contains result if {
	some caller in callers
	not is_collector(caller)
	result := finding.unproven(caller, "asked and is not declared as a collector", caller_records)
}

is_collector(caller) if {
	some name in names(caller)
	pattern.any_matches(input.declaration.evidence.callers, name)
}

# What they can do ------------------------------------------------------------------------------------------

writing := {"write-objects", "write-records", "manage-key", "change-policy", "alter-logs", "operate-host"}

findings contains result if {
	some caller in callers
	some name in names(caller)
	some edge in data.cadastre.lib.edges.by_principal[name]
	edge.capability in writing
	edges.possible(edge)
	result := finding.red(caller, sprintf("collects evidence and can %s %s %s", [edge.capability, edge.target, edges.told(edge)]), edges.records(edge) | caller_records)
}

findings contains result if {
	some caller in callers
	some name in names(caller)
	some edge in data.cadastre.lib.edges.by_principal[name]
	edge.capability in writing
	edges.open(edge)
	result := finding.unproven(caller, sprintf("whether it can %s %s is not settled: %s", [edge.capability, edge.target, edge.detail]), caller_records)
}

granted[statement.principal] contains statement if {
	some statement in input.access.statements
	lower(statement.effect) == "allow"
}

findings contains result if {
	some caller in callers
	some identity in identities(caller)
	some statement in granted[identity]
	beyond := {action | some action in statement.actions; not reads(action)}
	count(beyond) > 0
	result := finding.red(caller, sprintf("collects evidence, and %s grants it %s", [statement.at.policy, concat(", ", beyond)]), {statement.at.record} | caller_records)
}

findings contains result if {
	some caller in callers
	some identity in identities(caller)
	some statement in granted[identity]
	count(statement.not_actions) > 0
	result := finding.red(caller, sprintf("collects evidence, and %s grants it everything but a list", [statement.at.policy]), {statement.at.record} | caller_records)
}

# Verbs of reading. A wildcard inside the verb may stand for any.
reads(action) if regex.match(`^[a-z0-9-]+:(get|list|describe|lookup|batchget|head|view|search|simulate)[a-z0-9*?]*$`, lower(action))

reads(action) if lower(action) in {"iam:generatecredentialreport", "sts:assumerole"}

# The scanner's role has to be seen, or nothing is known of what it may do.
findings contains result if {
	some caller in callers
	not is_kafka(caller)
	count({identity | some identity in identities(caller); principals[identity]}) == 0
	result := finding.unproven(caller, "what it may do is not in the evidence", caller_records)
}

findings contains result if {
	some caller in callers
	some identity in identities(caller)
	principals[identity].policies.state == "unknown"
	missing := known.missing(principals[identity].policies)
	result := finding.unproven(caller, sprintf("what it may do is not known: %s", [missing]), caller_records)
}

findings contains result if {
	some caller in callers
	some identity in identities(caller)
	some why in data.cadastre.lib.edges.undecided[identity]
	result := finding.unproven(caller, sprintf("what it may do is not settled: %s", [why]), caller_records)
}

# Kafka -----------------------------------------------------------------------------------------------------

findings contains result if {
	some cluster in input.inventory.clusters
	some denial in cluster.denials
	denial.principal in callers
	denial.refused == {"state": "observed", "value": false}
	result := finding.red(denial.principal, sprintf("collects evidence and was let do %s on %s", [denial.operation, cluster.name]), {record | some record in denial.evidence})
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	value := broker.configs.value["super.users"].value
	is_string(value)
	some part in split(value, ";")
	trim_space(part) in callers
	result := finding.red(trim_space(part), sprintf("collects evidence and is a super user of %s", [cluster.name]), {record | some record in broker.evidence})
}

findings contains result if {
	some caller in callers
	is_kafka(caller)
	some cluster in input.inventory.clusters
	cluster.acls.state == "observed"
	some binding in cluster.acls.value
	binding.principal == caller
	binding.permission == "ALLOW"
	not binding.operation in {"DESCRIBE", "DESCRIBE_CONFIGS"}
	result := finding.red(caller, sprintf("collects evidence and may %s %s %s on %s", [binding.operation, binding.resource_type, binding.resource_name, cluster.name]), {binding.record})
}

findings contains result if {
	some caller in callers
	is_kafka(caller)
	some cluster in input.inventory.clusters
	cluster.acls.state == "unknown"
	missing := known.missing(cluster.acls)
	result := finding.unproven(caller, sprintf("what it may do on %s is not known: %s", [cluster.name, missing]), cluster.evidence)
}
