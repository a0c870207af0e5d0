# What was asked and answered. A control whose red flag is that something is not there asks here whether
# the list in which it is missing is known; the engine itself sees to it that nothing passes on a gap.
package cadastre.lib.coverage

import rego.v1

# Whether an operation's answer is missing for an account and region. Gaps without a scope reach everywhere.
gap_in(operation, account, region) if {
	some gap in input.gaps
	gap.operation == operation
	gap.level == "list"
	object.get(gap, "account", null) in {account, null}
	object.get(gap, "region", null) in {region, null}
}

gap_anywhere(operation) if {
	some gap in input.gaps
	gap.operation == operation
	gap.level == "list"
}

gap_in_cluster(operation, cluster) if {
	some gap in input.gaps
	gap.operation == operation
	gap.level == "list"
	object.get(gap, "cluster", null) in {cluster, null}
}

# The records that answer an operation, wherever it was asked.
records_of(operation) := {record |
	some question in object.get(input.coverage, operation, [])
	question.outcome in {"observed", "absent"}
	some record in question.records
}

# The records that answer an operation in one account, and in one region of it where the question has one.
records_in(operation, account, region) := {record |
	some question in object.get(input.coverage, operation, [])
	question.outcome in {"observed", "absent"}
	object.get(question.scope, "account", null) == account
	object.get(question.scope, "region", region) == region
	some record in question.records
}

# The records that answer an operation about a cluster.
records_in_cluster(operation, cluster) := {record |
	some question in object.get(input.coverage, operation, [])
	question.outcome in {"observed", "absent"}
	object.get(question.scope, "cluster", null) == cluster
	some record in question.records
}

# Every record that tells which principals there are and what they may do.
identities := records_of("iam:GetAccountAuthorizationDetails")
