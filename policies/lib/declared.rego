# What the declaration says, in the form in which controls ask for it.
package cadastre.lib.declared

import rego.v1

import data.cadastre.lib.pattern

aws_accounts := {account.id | some account in input.declaration.accounts; account.provider == "aws"}

vendor_accounts := {id | some vendor in input.declaration.vendors; some id in vendor.accounts}

vendor_roles := {role.arn | some vendor in input.declaration.vendors; some role in vendor.roles}

vendor_kafka_principals := {name |
	some vendor in input.declaration.vendors
	some name in vendor["kafka-principals"]
}

regions := {region | some region in input.declaration.regions}

# Patterns of the customer's principals that do one of the given jobs.
patterns_of(jobs) := {identity.principal |
	some identity in input.declaration.identities
	identity.job in jobs
}

has_job(principal, jobs) if pattern.any_matches(patterns_of(jobs), principal)

sinks := {sink.arn: sink | some sink in input.declaration["log-sinks"]}

clusters := {cluster.name: cluster | some cluster in input.declaration.clusters}

# A cluster speaks for itself, and the boundary for those that do not.
operating_model(name) := object.get(object.get(clusters, name, {}), "operating-model", input.declaration["operating-model"])

architecture(name) := object.get(object.get(clusters, name, {}), "architecture", input.declaration.architecture)

# Every architecture that a cluster has; the boundary's own where no cluster is declared.
architectures := {architecture(name) | some name, _ in clusters} if count(clusters) > 0

architectures := {input.declaration.architecture} if count(clusters) == 0

# Principals that may administer a cluster.
kafka_administrators(name) := {principal |
	some list in [clusters[name]["super-users"], clusters[name].administrators]
	some principal in list
}

# Everybody a cluster's declaration names.
kafka_principals(name) := kafka_administrators(name) | {workload.principal |
	some workload in clusters[name].workloads
}

# The account in an ARN, or in `account:…`.
account_of(id) := split(id, ":")[4] if {
	startswith(id, "arn:")
	regex.match(`^[0-9]{12}$`, split(id, ":")[4])
}

account_of(id) := trim_prefix(id, "account:") if startswith(id, "account:")
