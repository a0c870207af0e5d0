# METADATA
# scope: package
# title: No broker listener is reachable from the internet
# description: |
#   Follows address, route, network ACL and security group of every broker host from the internet gateway
#   inwards, whatever port a listener may use, and counts a listener that serves strangers as reached.
# custom:
#   id: NET-01
#   area: network
#   pass: no path leads to it from the internet
#   red_flag: a route, security group, network ACL and public address let the internet in, or an anonymous probe connects
#   requires:
#     - ec2:DescribeInstances
#     - ec2:DescribeNetworkInterfaces
#     - ec2:DescribeSubnets
#     - ec2:DescribeRouteTables
#     - ec2:DescribeSecurityGroups
#     - ec2:DescribeNetworkAcls
#     - ec2:DescribeInternetGateways
#     - ec2:DescribeVpcs
#     - iam:ListInstanceProfiles
#     - kafka:Metadata
#     - probe:AnonymousConnection
#   fix: take the public address or the route to the internet gateway away, or close the security group
package cadastre.controls.net_01

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding
import data.cadastre.lib.plane

settings := {record |
	some operation in [
		"ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
		"ec2:DescribeSecurityGroups", "ec2:DescribeNetworkAcls", "ec2:DescribeInternetGateways",
	]
	some record in coverage.records_of(operation)
}

subjects contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	result := finding.examined(host.id, {record | some list in [host.evidence, settings]; some record in list})
}

findings contains result if {
	some flow in input.reachability.flows
	flow.direction == "ingress"
	flow.crossing == "internet"
	host := data.cadastre.lib.plane.host_by_id[flow.instance]
	result := finding.red_path(
		host.id,
		sprintf("is reachable from %s on %s", [peer_told(flow), ports_told(flow.ports)]),
		[sprintf("%s: %s", [hop.at, hop.what]) | some hop in flow.hops],
		{record | some list in [host.evidence, flow.evidence]; some record in list},
		["remove the public address, the route to the internet gateway, or the rule that lets the peer in"],
	)
}

# What lies in Azure is shown where it is reached; it takes more than is read to say that it is not.
findings contains result if {
	some flow in input.reachability.flows
	flow.direction == "ingress"
	flow.crossing == "internet"
	some machine in data.cadastre.lib.azure.broker_machines
	machine.id == flow.instance
	result := finding.red_path(
		machine.id,
		sprintf("is reachable from %s on %s", [peer_told(flow), ports_told(flow.ports)]),
		[sprintf("%s: %s", [hop.at, hop.what]) | some hop in flow.hops],
		{record | some list in [machine.evidence, flow.evidence]; some record in list},
		["remove the public address, the load balancer's rule, or the security rule that lets the peer in"],
	)
}

peer_told(flow) := flow.peer if is_string(flow.peer)

peer_told(flow) := flow.peer_name if {
	not is_string(flow.peer)
	is_string(flow.peer_name)
}

peer_told(flow) := "the internet" if {
	not is_string(flow.peer)
	not is_string(flow.peer_name)
}

ports_told(ports) := sprintf("port %d", [ports.from]) if ports.from == ports.to

ports_told(ports) := sprintf("ports %d to %d", [ports.from, ports.to]) if ports.from != ports.to

findings contains result if {
	some question in input.reachability.unknown
	some host in data.cadastre.lib.plane.broker_hosts
	question.interface in interfaces_of(host)
	result := finding.unproven(host.id, sprintf("whether the internet reaches it is not settled: %s", [question.missing]), host.evidence)
}

# Interfaces of what may pass connections on to others: whom it passes them on to is in no record. Application and classic load balancers have
# interfaces of no type of their own (`InterfaceType` of DescribeNetworkInterfaces, Amazon EC2 API reference).
passing_on := {
	"api_gateway_managed",
	"gateway_load_balancer",
	"global_accelerator_managed",
	"load_balancer",
	"network_load_balancer",
}

fronts contains interface if {
	some interface in input.inventory.interfaces
	interface.kind in passing_on
}

fronts contains interface if {
	some interface in input.inventory.interfaces
	interface.kind == "interface"
	not is_string(interface.instance)
	count(interface.public_addresses) > 0
}

findings contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	some front in fronts
	records := {record | some list in [host.evidence, front.evidence]; some record in list}
	message := sprintf("%s may pass connections on to it, and to whom it does is not in the evidence", [front.id])
	result := finding.unproven(host.id, message, records)
}

interfaces_of(host) := {id | some id in host.interfaces} | {interface.id |
	some interface in input.inventory.interfaces
	interface.instance == host.id
}

# A public address that no interface explains: the paths that were followed may not be all there are.
findings contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	count({interface.id | some interface in input.inventory.interfaces} & interfaces_of(host)) == 0
	result := finding.unproven(host.id, "has no network interface in the evidence", host.evidence)
}

# Listeners -------------------------------------------------------------------------------------------------

findings contains result if {
	some cluster in input.inventory.clusters
	some listener in cluster.listeners
	listener.anonymous_access == {"state": "observed", "value": true}
	result := finding.red(
		sprintf("listener:%s/%s", [cluster.name, listener.name]),
		sprintf("an anonymous connection to %s:%d was served", [listener.host, listener.port]),
		listener.evidence,
	)
}

findings contains result if {
	some cluster in input.inventory.clusters
	cluster.brokers.state == "observed"
	some broker in cluster.brokers.value
	count({host.id | some host in data.cadastre.lib.plane.broker_hosts; broker.host in plane.host_names(host)}) == 0
	result := finding.unproven(
		sprintf("broker:%s/%d", [cluster.name, broker.id]),
		sprintf("advertises `%s`, which is no address of an observed instance, so that no path to it can be followed", [broker.host]),
		broker.evidence,
	)
}
