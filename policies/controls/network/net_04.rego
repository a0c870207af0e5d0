# METADATA
# scope: package
# title: Brokers reach declared destinations only
# description: |
#   Every flow that routes, network ACLs and security groups permit from a broker's interface has to lie within a
#   declared flow: from its network, to a network, range or service, on the declared TCP ports. What is not
#   permitted cannot be reached, so that settings alone prove it.
# custom:
#   id: NET-04
#   area: network
#   pass: every permitted flow from it is declared
#   red_flag: an open egress rule, or a permitted destination that is not declared
#   requires:
#     - ec2:DescribeInstances
#     - ec2:DescribeNetworkInterfaces
#     - ec2:DescribeSubnets
#     - ec2:DescribeRouteTables
#     - ec2:DescribeSecurityGroups
#     - ec2:DescribeNetworkAcls
#     - ec2:DescribeVpcEndpoints
#     - ec2:DescribeManagedPrefixLists
#     - iam:ListInstanceProfiles
#   fix: narrow the egress rule to declared destinations, or declare the flow
package cadastre.controls.net_04

import rego.v1

import data.cadastre.lib.coverage
import data.cadastre.lib.finding

settings := {record |
	some operation in [
		"ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
		"ec2:DescribeSecurityGroups", "ec2:DescribeNetworkAcls",
	]
	some record in coverage.records_of(operation)
}

subjects contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	result := finding.examined(host.id, {record | some list in [host.evidence, settings]; some record in list})
}

# Open rules ------------------------------------------------------------------------------------------------

broker_groups := {group | some host in data.cadastre.lib.plane.broker_hosts; some group in host.security_groups} | {group |
	some interface in input.inventory.interfaces
	interface.instance in data.cadastre.lib.plane.host_ids
	some group in interface.security_groups
}

findings contains result if {
	some group in input.inventory.security_groups
	group.id in broker_groups
	some rule in group.egress
	rule.peer.cidr in {"0.0.0.0/0", "::/0"}
	result := finding.red(
		group.id,
		sprintf("lets brokers send to %s", [rule.peer.cidr]),
		group.evidence,
	)
}

# A group that brokers carry and that was not read may hold any rule.
findings contains result if {
	some id in broker_groups
	not id in {group.id | some group in input.inventory.security_groups}
	result := finding.unproven(id, "is a security group of brokers and not in the evidence", coverage.records_of("ec2:DescribeSecurityGroups"))
}

# Permitted flows -------------------------------------------------------------------------------------------

network_by_name := {network.name: network.cidrs | some network in input.declaration.networks}

# The ranges of one end of a declared flow; none for a service.
ranges(end) := network_by_name[end]

ranges(end) := [end] if {
	not network_by_name[end]
	not startswith(end, "service:")
}

ranges(end) := [] if {
	not network_by_name[end]
	startswith(end, "service:")
}

egress contains flow if {
	some flow in input.reachability.flows
	flow.direction == "egress"
	flow.instance in data.cadastre.lib.plane.host_ids
}

findings contains result if {
	some flow in egress
	not is_declared(flow)
	result := finding.red_path(
		flow.instance,
		sprintf("may reach %s on %s through %s, and no declared flow says so", [peer_told(flow), ports_told(flow.ports), flow.crossing]),
		[sprintf("%s: %s", [hop.at, hop.what]) | some hop in flow.hops],
		{record | some list in [data.cadastre.lib.plane.host_by_id[flow.instance].evidence, flow.evidence]; some record in list},
		["narrow the egress rule, or declare the flow"],
	)
}

peer_told(flow) := flow.peer if is_string(flow.peer)

peer_told(flow) := flow.peer_name if {
	not is_string(flow.peer)
	is_string(flow.peer_name)
}

peer_told(flow) := "an unnamed peer" if {
	not is_string(flow.peer)
	not is_string(flow.peer_name)
}

ports_told(ports) := sprintf("port %d", [ports.from]) if ports.from == ports.to

ports_told(ports) := sprintf("ports %d to %d", [ports.from, ports.to]) if ports.from != ports.to

is_declared(flow) if {
	some declared in input.declaration.flows
	starts_in(declared.from, flow)
	ports_within(flow.ports, declared.ports)
	ends_in(declared.to, flow)
}

# All addresses of the interface lie in the network the flow starts from.
starts_in(end, flow) if {
	addresses := addresses_of(flow)
	count(addresses) > 0
	every address in addresses {
		within(address, ranges(end))
	}
}

addresses_of(flow) := {address |
	some interface in input.inventory.interfaces
	interface.id == flow.interface
	some address in interface.private_addresses
}

within(address, list) if {
	some range in list
	net.cidr_contains(range, address)
}

ports_within(ports, allowed) if {
	ports.protocol == 6
	ports.to - ports.from < 64
	every port in numbers.range(ports.from, ports.to) {
		port in allowed
	}
}

ends_in(end, flow) if {
	is_string(flow.peer)
	within(flow.peer, ranges(end))
}

# A service behind an endpoint or a prefix list of the provider.
ends_in(end, flow) if {
	startswith(end, "service:")
	trim_prefix(end, "service:") in services_of(flow)
}

# A security group: everything that carries it lies in the network.
ends_in(end, flow) if {
	not is_string(flow.peer)
	startswith(flow.peer_name, "sg-")
	every member in members(flow.peer_name) {
		within(member, ranges(end))
	}
}

services_of(flow) := {last(split(list.name, ".")) |
	some list in input.inventory.prefix_lists
	list.id == flow.peer_name
	startswith(list.name, "com.amazonaws.")
} | {last(split(flow.peer_name, ".")) |
	is_string(flow.peer_name)
	not startswith(flow.peer_name, "pl-")
	not startswith(flow.peer_name, "sg-")
} | {last(split(endpoint.service, ".")) |
	is_string(flow.peer_name)
	startswith(flow.peer_name, "sg-")
	every_member_is_an_endpoint(flow.peer_name)
	some endpoint in input.inventory.endpoints
	flow.peer_name in endpoint.security_groups
}

last(list) := list[count(list) - 1]

every_member_is_an_endpoint(group) if {
	every interface in carriers(group) {
		interface.kind == "vpc_endpoint"
	}
	count({endpoint.service | some endpoint in input.inventory.endpoints; group in endpoint.security_groups}) == 1
}

carriers(group) := [interface |
	some interface in input.inventory.interfaces
	group in interface.security_groups
]

# Addresses behind a group: of interfaces, and the whole subnets of endpoints whose interfaces are not listed.
members(group) := {address | some interface in carriers(group); some address in interface.private_addresses} | {cidr |
	some endpoint in input.inventory.endpoints
	group in endpoint.security_groups
	some id in endpoint.subnets
	some subnet in input.inventory.subnets
	subnet.id == id
	some cidr in subnet.cidrs
}

findings contains result if {
	some question in input.reachability.unknown
	some host in data.cadastre.lib.plane.broker_hosts
	question.interface in interfaces_of(host)
	result := finding.unproven(host.id, sprintf("where it may send is not settled: %s", [question.missing]), host.evidence)
}

interfaces_of(host) := {id | some id in host.interfaces} | {interface.id |
	some interface in input.inventory.interfaces
	interface.instance == host.id
}

findings contains result if {
	some host in data.cadastre.lib.plane.broker_hosts
	count({interface.id | some interface in input.inventory.interfaces} & interfaces_of(host)) == 0
	result := finding.unproven(host.id, "has no network interface in the evidence", host.evidence)
}
