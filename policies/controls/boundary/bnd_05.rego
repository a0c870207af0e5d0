# METADATA
# scope: package
# title: The declared operating model agrees with who can operate
# description: |
#   Who operates brokers is what policies say, whatever a contract says. Where the customer operates, nobody
#   else may run commands on a broker's host or administer a cluster. Where a vendor operates, one has to be
#   able to. Where a provider operates in its own accounts, no broker host stands in the customer's. What software or service
#   it is limits both the model and the architecture, and what brokers are configured to do and may write shows the latter.
# custom:
#   id: BND-05
#   area: boundary
#   pass: those who can operate it are those the operating model names
#   red_flag: declared and observed disagree
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - ec2:DescribeInstances
#     - kafka:DescribeAcls
#     - kafka:DescribeConfigs
#   fix: take the capability away from whoever should not operate, or declare the operating model that is in force
package cadastre.controls.bnd_05

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.declared
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.plane
import data.cadastre.lib.sides

by_customer := {"self-managed", "customer-operated-software"}

# What can be operated: broker hosts and clusters.
operated contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	result := {
		"id": host.id, "names": plane.names_of("host", host), "capabilities": {"operate-host"}, "evidence": host.evidence,
		"models": plane.operating_models_of(host),
	}
}

operated contains result if {
	some cluster in input.inventory.clusters
	id := sprintf("cluster:%s", [cluster.name])
	result := {
		"id": id, "names": {id}, "capabilities": {"change-policy"}, "evidence": cluster.evidence,
		"models": {declared.operating_model(cluster.name)},
	}
}

operators[target.id] contains edge if {
	some target in operated
	some edge in edges.onto(target.names)
	edge.capability in target.capabilities
}

foreign_operators[id] contains edge if {
	some id, found in operators
	some edge in found
	sides.in_foreign_hands(edge.principal)
}

subjects contains result if {
	some target in operated
	evidence := {record | some list in [target.evidence, data.cadastre.lib.coverage.identities]; some record in list}
	result := finding.shown(target.id, sprintf("those who can operate it fit %s", [quoted(target.models)]), evidence)
}

# Somebody outside can operate what the customer is said to operate.
findings contains result if {
	some target in operated
	some model in target.models
	model in by_customer
	some edge in foreign_operators[target.id]
	edges.possible(edge)
	result := finding.red(
		edge.principal,
		sprintf("can operate %s %s, and the operating model is `%s`", [target.id, edges.told(edge), model]),
		edges.records(edge) | target_records(target.id),
	)
}

# The vendor is said to operate, and cannot.
findings contains result if {
	some target in operated
	"vendor-operated" in target.models
	startswith(target.id, "i-")
	not foreign_operators[target.id]
	not coverage.gap_anywhere("iam:GetAccountAuthorizationDetails")
	result := finding.red(
		target.id,
		"no declared vendor can operate it, and the operating model is `vendor-operated`",
		{record | some list in [target.evidence, data.cadastre.lib.coverage.identities]; some record in list},
	)
}

# A vendor operates, but this one is none.
findings contains result if {
	some target in operated
	"vendor-operated" in target.models
	some edge in foreign_operators[target.id]
	edges.possible(edge)
	sides.side(edge.principal) == "outside"
	result := finding.red(
		edge.principal,
		sprintf("can operate %s %s and belongs to no declared vendor", [target.id, edges.told(edge)]),
		edges.records(edge) | target_records(target.id),
	)
}

# The service is said to run elsewhere, and runs here.
findings contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	host.role.state == "observed"
	"external-managed-service" in plane.operating_models_of(host)
	result := finding.red(
		host.id,
		"is a broker's host in a declared account, and the operating model is `external-managed-service`",
		host.evidence,
	)
}

findings contains result if {
	some id, found in foreign_operators
	some edge in found
	edges.open(edge)
	result := finding.unproven(id, sprintf("whether %s can operate it is not settled: %s", [edge.principal, edge.detail]), target_records(id))
}

# An open question about a host, a cluster or a principal.
findings contains result if {
	some name, reasons in data.cadastre.lib.plane.open_questions
	not name in {asset_name | some asset in data.cadastre.lib.plane.assets; asset.kind != "host"; some asset_name in asset.names}
	some reason in reasons
	result := finding.unproven(name, sprintf("who can operate is not settled: %s", [reason]), data.cadastre.lib.coverage.identities)
}

findings contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	host.role.state == "unknown"
	result := finding.unproven(host.id, "which role it runs as is not known", host.evidence)
}

# The software or service --------------------------------------------------------------------------------------
# Of a cluster that did not answer nothing is known, not even that it is what it is declared to be.

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	profile := input.profiles[cluster.name]
	model := declared.operating_model(cluster.name)
	not model in profile["operating-models"]
	message := sprintf("is %s, which is never `%s`: it is %s", [profile.name, model, quoted(profile["operating-models"])])
	result := finding.red(sprintf("cluster:%s", [cluster.name]), message, cluster.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	profile := input.profiles[cluster.name]
	architecture := declared.architecture(cluster.name)
	not architecture in profile.architectures
	message := sprintf("is %s, whose records never rest on `%s`: they rest on %s", [profile.name, architecture, quoted(profile.architectures)])
	result := finding.red(sprintf("cluster:%s", [cluster.name]), message, cluster.evidence)
}

quoted(names) := concat(" or ", [sprintf("`%s`", [name]) | some name in names])

# MSK says itself whether it is serverless.
findings contains result if {
	some managed in object.get(input.inventory, "msk_clusters", [])
	some cluster in input.declaration.clusters
	cluster.kind == "msk"
	cluster.name == managed.name
	says := object.get(cluster, "profile", "msk-provisioned")
	is := {true: "msk-serverless", false: "msk-provisioned"}[managed.serverless]
	says != is
	result := finding.red(sprintf("cluster:%s", [cluster.name]), sprintf("is `%s`, and declared as `%s`", [is, says]), managed.evidence)
}

# Tiered storage is a setting of brokers (KIP-405); what is tiered by other means needs a bucket all the same.
remote_storage[cluster.name] contains setting if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	broker.configs.state == "observed"
	setting := broker.configs.value["remote.log.storage.system.enable"].value
}

findings contains result if {
	some cluster in input.inventory.clusters
	declared.architecture(cluster.name) == "tiered-storage"
	"false" in remote_storage[cluster.name]

	# Who may write to a bucket is not known where identities are not.
	not coverage.gap_anywhere("iam:GetAccountAuthorizationDetails")
	count({arn | some arn in data.cadastre.lib.plane.written_buckets; not kept_for_operations(arn)}) == 0
	message := "a broker has no remote storage and no bucket to write to, and the architecture is `tiered-storage`"
	result := finding.red(sprintf("cluster:%s", [cluster.name]), message, cluster.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	declared.architecture(cluster.name) == "broker-local-disks"
	"true" in remote_storage[cluster.name]
	result := finding.red(sprintf("cluster:%s", [cluster.name]), "a broker has remote storage, and the architecture is `broker-local-disks`", cluster.evidence)
}

# Brokers that keep records on their own disks have no bucket to write them to.
findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	some role in data.cadastre.lib.plane.writers[bucket.arn]
	plane.architectures_served(role) == {"broker-local-disks"}
	not kept_for_operations(bucket.arn)
	result := finding.red(bucket.arn, "brokers can write to it, and the architecture is `broker-local-disks`", bucket.evidence)
}

# Whose brokers a role serves is not known, and of some it would be wrong.
findings contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	some role in data.cadastre.lib.plane.writers[bucket.arn]
	"broker-local-disks" in plane.architectures_served(role)
	count(plane.architectures_served(role)) > 1
	count({host.id | some host in data.cadastre.lib.plane.broker_hosts; host.role.value == role; data.cadastre.lib.plane.clusters_on[host.id]}) == 0
	not kept_for_operations(bucket.arn)
	message := sprintf("%s can write to it, and whether it serves brokers with `broker-local-disks` is not known", [role])
	result := finding.unproven(bucket.arn, message, bucket.evidence)
}

kept_for_operations(arn) if {
	some store in input.declaration.stores
	store.arn == arn
	store.holds in {"operations", "backups"}
}

target_records(id) := {record | some target in operated; target.id == id; some record in target.evidence}
