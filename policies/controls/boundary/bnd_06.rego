# METADATA
# scope: package
# title: Nothing undeclared touches the data plane
# description: |
#   What brokers write, what protects it, what listens, what the brokers' network is joined to, and who holds a
#   capability on any of it: each has to be in the declaration.
# custom:
#   id: BND-06
#   area: boundary
#   pass: it is declared
#   red_flag: an undeclared bucket, key, listener, peer network or principal touches the data plane
#   requires:
#     - iam:GetAccountAuthorizationDetails
#     - iam:ListInstanceProfiles
#     - kms:ListKeys
#     - kms:ListAliases
#     - kms:GetKeyPolicy
#     - kms:ListGrants
#     - s3:ListBuckets
#     - s3:GetBucketPolicy
#     - s3:GetBucketEncryption
#     - ec2:DescribeInstances
#     - ec2:DescribeVolumes
#     - ec2:DescribeSnapshots
#     - ec2:DescribeSnapshotAttribute
#     - ec2:DescribeVpcPeeringConnections
#     - ec2:DescribeTransitGatewayAttachments
#     - kafka:Metadata
#     - kafka:DescribeConfigs
#     - kafka:DescribeAcls
#   fix: declare it, or take it off the data plane
package cadastre.controls.bnd_06

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.edges
import data.cadastre.lib.finding
import data.cadastre.lib.plane
import data.cadastre.lib.sides

# Buckets ---------------------------------------------------------------------------------------------------

declared_arns := object.keys(data.cadastre.lib.plane.declared_stores) | object.keys(data.cadastre.lib.declared.sinks)

subjects contains result if {
	some bucket in data.cadastre.lib.plane.data_buckets
	result := finding.examined(bucket.arn, bucket.evidence)
}

findings contains result if {
	some arn in data.cadastre.lib.plane.written_buckets
	not arn in declared_arns
	writers := {edge.principal |
		some edge in data.cadastre.lib.edges.by_target[arn]
		edge.capability == "write-objects"
		edge.principal in data.cadastre.lib.plane.broker_roles
		edges.possible(edge)
	}
	count(writers) > 0
	result := finding.red(
		arn,
		sprintf("is written by %s and not declared as a store", [concat(", ", writers)]),
		data.cadastre.lib.plane.bucket_by_arn[arn].evidence,
	)
}

# Keys ------------------------------------------------------------------------------------------------------

subjects contains result if {
	some key in data.cadastre.lib.plane.data_keys
	result := finding.examined(key.arn, key.evidence)
}

findings contains result if {
	some arn in data.cadastre.lib.plane.used_key_arns
	not arn in data.cadastre.lib.plane.declared_key_arns
	not coverage.gap_anywhere("kms:ListAliases")
	result := finding.red(arn, "protects data and is not declared", key_users(arn))
}

key_users(arn) := {record |
	some bucket in data.cadastre.lib.plane.data_buckets
	bucket.encryption.value.key_arn == arn
	some record in bucket.evidence
} | {record |
	some list in [data.cadastre.lib.plane.data_volumes, data.cadastre.lib.plane.data_snapshots]
	some store in list
	store.key_arn == arn
	some record in store.evidence
}

# An endpoint that only the declaration names, and that nobody could reach, was not seen.
was_seen(listener) if {
	some property in [listener.protocol, listener.plaintext, listener.anonymous_access, listener.tls_versions]
	property.state == "observed"
}

# Listeners -------------------------------------------------------------------------------------------------

listener_id(cluster, listener) := sprintf("listener:%s/%s", [cluster.name, listener.name])

subjects contains result if {
	some cluster in input.inventory.clusters
	some listener in cluster.listeners
	result := finding.examined(listener_id(cluster, listener), listener.evidence)
}

findings contains result if {
	some cluster in input.inventory.clusters
	some listener in cluster.listeners
	was_seen(listener)
	not declares_listener(cluster.name, listener)
	result := finding.red(
		listener_id(cluster, listener),
		sprintf("listens on %s:%d and is not declared", [listener.host, listener.port]),
		listener.evidence,
	)
}

declares_listener(name, listener) if {
	some entry in data.cadastre.lib.declared.clusters[name].listeners
	entry.name == listener.name
	entry.port == listener.port
}

# Where the brokers' configuration was not read, a listener goes by host and port.
declares_listener(name, listener) if {
	contains(listener.name, ":")
	some entry in data.cadastre.lib.declared.clusters[name].listeners
	entry.port == listener.port
}

# Networks --------------------------------------------------------------------------------------------------

subjects contains result if {
	some peering in live_peerings
	result := finding.examined(peering.id, peering.evidence)
}

live_peerings contains peering if {
	some peering in input.inventory.peerings
	not peering.status in {"deleted", "rejected", "expired", "failed", "deleting"}
	count({peering.requester_vpc, peering.accepter_vpc} & data.cadastre.lib.plane.broker_networks) > 0
}

# The side of a peering that is not the brokers'.
far_side(peering) := {"account": peering.accepter_account, "vpc": peering.accepter_vpc, "cidrs": peering.accepter_cidrs} if {
	peering.requester_vpc in data.cadastre.lib.plane.broker_networks
}

far_side(peering) := {"account": peering.requester_account, "vpc": peering.requester_vpc, "cidrs": peering.requester_cidrs} if {
	not peering.requester_vpc in data.cadastre.lib.plane.broker_networks
}

findings contains result if {
	some peering in live_peerings
	not far_side(peering).account in data.cadastre.lib.declared.aws_accounts
	result := finding.red(
		peering.id,
		sprintf("joins the brokers' network to %s of account %s, which is not declared", [far_side(peering).vpc, far_side(peering).account]),
		peering.evidence,
	)
}

findings contains result if {
	some peering in live_peerings
	strangers := {cidr | some cidr in far_side(peering).cidrs; not declares_range(cidr)}
	count(strangers) > 0
	result := finding.red(
		peering.id,
		sprintf("joins the brokers' network to %s, which no declared network has", [concat(", ", strangers)]),
		peering.evidence,
	)
}

declares_range(cidr) if {
	some network in input.declaration.networks
	some range in network.cidrs
	net.cidr_contains(range, cidr)
}

findings contains result if {
	some gateway in input.inventory.gateways
	gateway.kind == "transit-attachment"
	gateway.vpc in data.cadastre.lib.plane.broker_networks
	result := finding.unproven(
		gateway.id,
		sprintf("joins the brokers' network %s to a transit gateway, behind which the evidence does not see", [gateway.vpc]),
		gateway.evidence,
	)
}

# Principals ------------------------------------------------------------------------------------------------

data_capabilities := {
	"read-records", "write-records", "read-objects", "write-objects",
	"decrypt", "manage-key", "operate-host", "change-policy",
}

# The provider's own services are judged key by key and bucket by bucket.
holders[principal] contains edge if {
	some principal, found in data.cadastre.lib.plane.holders
	sides.side(principal) != "provider"
	some edge in found
	edge.capability in data_capabilities
}

subjects contains result if {
	some principal, found in holders
	plane.declared_principal(principal)
	result := finding.examined(principal, {record | some edge in found; some record in edges.records(edge)})
}

findings contains result if {
	some principal, found in holders
	not plane.declared_principal(principal)
	certain := {edge | some edge in found; edges.possible(edge)}
	count(certain) > 0
	result := finding.red(
		principal,
		sprintf("is not declared and holds on the data plane: %s", [concat(", ", {capability | some edge in certain; capability := sprintf("%s on %s", [edge.capability, edge.target])})]),
		{record | some edge in certain; some record in edges.records(edge)},
	)
}

findings contains result if {
	some principal, found in holders
	not plane.declared_principal(principal)
	every edge in found {
		not edges.possible(edge)
	}
	some edge in found
	edges.open(edge)
	result := finding.unproven(
		principal,
		sprintf("is not declared, and whether it may %s %s is not settled: %s", [edge.capability, edge.target, edge.detail]),
		edges.records(edge),
	)
}

findings contains result if {
	some name, reasons in data.cadastre.lib.plane.open_questions
	some reason in reasons
	result := finding.unproven(name, sprintf("who holds what on the data plane is not settled: %s", [reason]), data.cadastre.lib.coverage.identities)
}
