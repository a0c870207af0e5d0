//! EC2 networking: everything that decides what reaches what.

use aws_sdk_ec2::types::{
    Address, EgressOnlyInternetGateway, FlowLog, GroupIdentifier, InternetGateway, InternetGatewayAttachment,
    IpPermission, ManagedPrefixList, NatGateway, NetworkAcl, NetworkAclEntry, NetworkInterface,
    NetworkInterfaceAssociation, Route, RouteTable, SecurityGroup, Subnet, Vpc, VpcPeeringConnection,
    VpcPeeringConnectionVpcInfo,
};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use serde_json::{Value, json};

use super::Account;
use super::call::{IN_FLIGHT, PAGE, list};
use super::shape::{Object, tags};
use super::transit_gateways;
use crate::CollectError;

/// Collects a region's networks.
pub(super) async fn collect(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    try_join!(
        networks(account, region),
        filters(account, region),
        gateways(account, region),
        addresses(account, region),
        neighbours(account, region),
        prefix_lists(account, region),
    )?;
    Ok(())
}

async fn networks(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    try_join!(
        list!(account, region, ec2, "ec2:DescribeVpcs", describe_vpcs, "Vpcs", vpcs, vpc_json),
        list!(account, region, ec2, "ec2:DescribeSubnets", describe_subnets, "Subnets", subnets, subnet_json),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeRouteTables",
            describe_route_tables,
            "RouteTables",
            route_tables,
            route_table_json
        ),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeFlowLogs",
            describe_flow_logs,
            "FlowLogs",
            flow_logs,
            flow_log_json
        ),
    )?;
    Ok(())
}

async fn filters(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    try_join!(
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeSecurityGroups",
            describe_security_groups,
            "SecurityGroups",
            security_groups,
            security_group_json
        ),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeNetworkAcls",
            describe_network_acls,
            "NetworkAcls",
            network_acls,
            network_acl_json
        ),
    )?;
    Ok(())
}

async fn gateways(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    try_join!(
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeInternetGateways",
            describe_internet_gateways,
            "InternetGateways",
            internet_gateways,
            internet_gateway_json
        ),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeEgressOnlyInternetGateways",
            describe_egress_only_internet_gateways,
            "EgressOnlyInternetGateways",
            egress_only_internet_gateways,
            egress_only_gateway_json
        ),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeNatGateways",
            describe_nat_gateways,
            "NatGateways",
            nat_gateways,
            nat_gateway_json
        ),
    )?;
    Ok(())
}

async fn addresses(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    try_join!(
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeNetworkInterfaces",
            describe_network_interfaces,
            "NetworkInterfaces",
            network_interfaces,
            interface_json
        ),
        account.ask(
            account.whole_in(region, "ec2:DescribeAddresses"),
            ec2.describe_addresses().send(),
            |answer| Object::new().list("Addresses", answer.addresses(), address_json).build(),
        ),
    )?;
    Ok(())
}

async fn neighbours(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    try_join!(
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeVpcPeeringConnections",
            describe_vpc_peering_connections,
            "VpcPeeringConnections",
            vpc_peering_connections,
            peering_json
        ),
        transit_gateways::collect(account, region),
    )?;
    Ok(())
}

async fn prefix_lists(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    let pages = list!(
        account,
        region,
        ec2,
        "ec2:DescribeManagedPrefixLists",
        describe_managed_prefix_lists,
        "PrefixLists",
        prefix_lists,
        prefix_list_json
    )
    .await?;
    let lists = pages
        .iter()
        .flat_map(|page| page.prefix_lists())
        .filter_map(|list| Some((list.prefix_list_id()?, list.prefix_list_arn()?)));
    stream::iter(lists)
        .map(|(id, arn)| prefix_list_entries(account, region, &ec2, id, arn))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn prefix_list_entries(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
    id: &str,
    arn: &str,
) -> Result<(), CollectError> {
    account
        .ask_pages(
            account.about_in(region, "ec2:GetManagedPrefixListEntries", arn, json!({"PrefixListId": id})),
            |token| {
                ec2.get_managed_prefix_list_entries()
                    .prefix_list_id(id)
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            |page| page.next_token(),
            |page| {
                Object::new()
                    .list("Entries", page.entries(), |entry| {
                        Object::new()
                            .text("Cidr", entry.cidr())
                            .text("Description", entry.description())
                            .build()
                    })
                    .build()
            },
        )
        .await?;
    Ok(())
}

fn vpc_json(vpc: &Vpc) -> Value {
    Object::new()
        .text("VpcId", vpc.vpc_id())
        .text("CidrBlock", vpc.cidr_block())
        .text("State", vpc.state().map(|state| state.as_str()))
        .flag("IsDefault", vpc.is_default())
        .text("OwnerId", vpc.owner_id())
        .text("InstanceTenancy", vpc.instance_tenancy().map(|tenancy| tenancy.as_str()))
        .text("DhcpOptionsId", vpc.dhcp_options_id())
        .list("CidrBlockAssociationSet", vpc.cidr_block_association_set(), |association| {
            Object::new()
                .text("AssociationId", association.association_id())
                .text("CidrBlock", association.cidr_block())
                .nested("CidrBlockState", association.cidr_block_state(), |state| {
                    Object::new().text("State", state.state().map(|state| state.as_str())).build()
                })
                .build()
        })
        .list("Ipv6CidrBlockAssociationSet", vpc.ipv6_cidr_block_association_set(), |association| {
            Object::new()
                .text("AssociationId", association.association_id())
                .text("Ipv6CidrBlock", association.ipv6_cidr_block())
                .nested("Ipv6CidrBlockState", association.ipv6_cidr_block_state(), |state| {
                    Object::new().text("State", state.state().map(|state| state.as_str())).build()
                })
                .build()
        })
        .value("Tags", Some(tags!(vpc.tags())))
        .build()
}

fn subnet_json(subnet: &Subnet) -> Value {
    Object::new()
        .text("SubnetId", subnet.subnet_id())
        .text("SubnetArn", subnet.subnet_arn())
        .text("VpcId", subnet.vpc_id())
        .text("CidrBlock", subnet.cidr_block())
        .text("AvailabilityZone", subnet.availability_zone())
        .text("AvailabilityZoneId", subnet.availability_zone_id())
        .text("State", subnet.state().map(|state| state.as_str()))
        .flag("MapPublicIpOnLaunch", subnet.map_public_ip_on_launch())
        .flag("DefaultForAz", subnet.default_for_az())
        .text("OwnerId", subnet.owner_id())
        .flag("AssignIpv6AddressOnCreation", subnet.assign_ipv6_address_on_creation())
        .flag("Ipv6Native", subnet.ipv6_native())
        .list("Ipv6CidrBlockAssociationSet", subnet.ipv6_cidr_block_association_set(), |association| {
            Object::new()
                .text("AssociationId", association.association_id())
                .text("Ipv6CidrBlock", association.ipv6_cidr_block())
                .nested("Ipv6CidrBlockState", association.ipv6_cidr_block_state(), |state| {
                    Object::new().text("State", state.state().map(|state| state.as_str())).build()
                })
                .build()
        })
        .value("Tags", Some(tags!(subnet.tags())))
        .build()
}

fn route_table_json(table: &RouteTable) -> Value {
    Object::new()
        .text("RouteTableId", table.route_table_id())
        .text("VpcId", table.vpc_id())
        .text("OwnerId", table.owner_id())
        .list("Associations", table.associations(), |association| {
            Object::new()
                .flag("Main", association.main())
                .text("RouteTableAssociationId", association.route_table_association_id())
                .text("RouteTableId", association.route_table_id())
                .text("SubnetId", association.subnet_id())
                .text("GatewayId", association.gateway_id())
                .nested("AssociationState", association.association_state(), |state| {
                    Object::new().text("State", state.state().map(|state| state.as_str())).build()
                })
                .build()
        })
        .list("Routes", table.routes(), route_json)
        .list("PropagatingVgws", table.propagating_vgws(), |gateway| {
            Object::new().text("GatewayId", gateway.gateway_id()).build()
        })
        .value("Tags", Some(tags!(table.tags())))
        .build()
}

fn route_json(route: &Route) -> Value {
    Object::new()
        .text("DestinationCidrBlock", route.destination_cidr_block())
        .text("DestinationIpv6CidrBlock", route.destination_ipv6_cidr_block())
        .text("DestinationPrefixListId", route.destination_prefix_list_id())
        .text("GatewayId", route.gateway_id())
        .text("EgressOnlyInternetGatewayId", route.egress_only_internet_gateway_id())
        .text("InstanceId", route.instance_id())
        .text("InstanceOwnerId", route.instance_owner_id())
        .text("NatGatewayId", route.nat_gateway_id())
        .text("TransitGatewayId", route.transit_gateway_id())
        .text("LocalGatewayId", route.local_gateway_id())
        .text("CarrierGatewayId", route.carrier_gateway_id())
        .text("NetworkInterfaceId", route.network_interface_id())
        .text("VpcPeeringConnectionId", route.vpc_peering_connection_id())
        .text("CoreNetworkArn", route.core_network_arn())
        .text("Origin", route.origin().map(|origin| origin.as_str()))
        .text("State", route.state().map(|state| state.as_str()))
        .build()
}

fn flow_log_json(log: &FlowLog) -> Value {
    Object::new()
        .text("FlowLogId", log.flow_log_id())
        .text("FlowLogStatus", log.flow_log_status())
        .text("ResourceId", log.resource_id())
        .text("TrafficType", log.traffic_type().map(|kind| kind.as_str()))
        .text("LogDestinationType", log.log_destination_type().map(|kind| kind.as_str()))
        .text("LogDestination", log.log_destination())
        .text("LogGroupName", log.log_group_name())
        .text("LogFormat", log.log_format())
        .number("MaxAggregationInterval", log.max_aggregation_interval())
        .text("DeliverLogsStatus", log.deliver_logs_status())
        .text("DeliverLogsErrorMessage", log.deliver_logs_error_message())
        .text("DeliverLogsPermissionArn", log.deliver_logs_permission_arn())
        .text("DeliverCrossAccountRole", log.deliver_cross_account_role())
        .time("CreationTime", log.creation_time())
        .nested("DestinationOptions", log.destination_options(), |options| {
            Object::new()
                .text("FileFormat", options.file_format().map(|format| format.as_str()))
                .flag("HiveCompatiblePartitions", options.hive_compatible_partitions())
                .flag("PerHourPartition", options.per_hour_partition())
                .build()
        })
        .value("Tags", Some(tags!(log.tags())))
        .build()
}

fn security_group_json(group: &SecurityGroup) -> Value {
    Object::new()
        .text("GroupId", group.group_id())
        .text("GroupName", group.group_name())
        .text("Description", group.description())
        .text("VpcId", group.vpc_id())
        .text("OwnerId", group.owner_id())
        .text("SecurityGroupArn", group.security_group_arn())
        .list("IpPermissions", group.ip_permissions(), permission_json)
        .list("IpPermissionsEgress", group.ip_permissions_egress(), permission_json)
        .value("Tags", Some(tags!(group.tags())))
        .build()
}

fn permission_json(permission: &IpPermission) -> Value {
    Object::new()
        .text("IpProtocol", permission.ip_protocol())
        .number("FromPort", permission.from_port())
        .number("ToPort", permission.to_port())
        .list("IpRanges", permission.ip_ranges(), |range| {
            Object::new().text("CidrIp", range.cidr_ip()).text("Description", range.description()).build()
        })
        .list("Ipv6Ranges", permission.ipv6_ranges(), |range| {
            Object::new().text("CidrIpv6", range.cidr_ipv6()).text("Description", range.description()).build()
        })
        .list("PrefixListIds", permission.prefix_list_ids(), |list| {
            Object::new()
                .text("PrefixListId", list.prefix_list_id())
                .text("Description", list.description())
                .build()
        })
        .list("UserIdGroupPairs", permission.user_id_group_pairs(), |pair| {
            Object::new()
                .text("GroupId", pair.group_id())
                .text("GroupName", pair.group_name())
                .text("UserId", pair.user_id())
                .text("VpcId", pair.vpc_id())
                .text("VpcPeeringConnectionId", pair.vpc_peering_connection_id())
                .text("PeeringStatus", pair.peering_status())
                .text("Description", pair.description())
                .build()
        })
        .build()
}

fn network_acl_json(acl: &NetworkAcl) -> Value {
    Object::new()
        .text("NetworkAclId", acl.network_acl_id())
        .text("VpcId", acl.vpc_id())
        .text("OwnerId", acl.owner_id())
        .flag("IsDefault", acl.is_default())
        .list("Associations", acl.associations(), |association| {
            Object::new()
                .text("NetworkAclAssociationId", association.network_acl_association_id())
                .text("NetworkAclId", association.network_acl_id())
                .text("SubnetId", association.subnet_id())
                .build()
        })
        .list("Entries", acl.entries(), network_acl_entry_json)
        .value("Tags", Some(tags!(acl.tags())))
        .build()
}

fn network_acl_entry_json(entry: &NetworkAclEntry) -> Value {
    Object::new()
        .number("RuleNumber", entry.rule_number())
        .text("Protocol", entry.protocol())
        .text("RuleAction", entry.rule_action().map(|action| action.as_str()))
        .flag("Egress", entry.egress())
        .text("CidrBlock", entry.cidr_block())
        .text("Ipv6CidrBlock", entry.ipv6_cidr_block())
        .nested("PortRange", entry.port_range(), |range| {
            Object::new().number("From", range.from()).number("To", range.to()).build()
        })
        .nested("IcmpTypeCode", entry.icmp_type_code(), |code| {
            Object::new().number("Code", code.code()).number("Type", code.r#type()).build()
        })
        .build()
}

fn gateway_attachment_json(attachment: &InternetGatewayAttachment) -> Value {
    Object::new()
        .text("State", attachment.state().map(|state| state.as_str()))
        .text("VpcId", attachment.vpc_id())
        .build()
}

fn internet_gateway_json(gateway: &InternetGateway) -> Value {
    Object::new()
        .text("InternetGatewayId", gateway.internet_gateway_id())
        .text("OwnerId", gateway.owner_id())
        .list("Attachments", gateway.attachments(), gateway_attachment_json)
        .value("Tags", Some(tags!(gateway.tags())))
        .build()
}

fn egress_only_gateway_json(gateway: &EgressOnlyInternetGateway) -> Value {
    Object::new()
        .text("EgressOnlyInternetGatewayId", gateway.egress_only_internet_gateway_id())
        .list("Attachments", gateway.attachments(), gateway_attachment_json)
        .value("Tags", Some(tags!(gateway.tags())))
        .build()
}

fn nat_gateway_json(gateway: &NatGateway) -> Value {
    Object::new()
        .text("NatGatewayId", gateway.nat_gateway_id())
        .text("VpcId", gateway.vpc_id())
        .text("SubnetId", gateway.subnet_id())
        .text("State", gateway.state().map(|state| state.as_str()))
        .text("ConnectivityType", gateway.connectivity_type().map(|kind| kind.as_str()))
        .time("CreateTime", gateway.create_time())
        .list("NatGatewayAddresses", gateway.nat_gateway_addresses(), |address| {
            Object::new()
                .text("AllocationId", address.allocation_id())
                .text("NetworkInterfaceId", address.network_interface_id())
                .text("PrivateIp", address.private_ip())
                .text("PublicIp", address.public_ip())
                .build()
        })
        .value("Tags", Some(tags!(gateway.tags())))
        .build()
}

fn group_json(group: &GroupIdentifier) -> Value {
    Object::new().text("GroupId", group.group_id()).text("GroupName", group.group_name()).build()
}

fn association_json(association: &NetworkInterfaceAssociation) -> Value {
    Object::new()
        .text("AllocationId", association.allocation_id())
        .text("AssociationId", association.association_id())
        .text("IpOwnerId", association.ip_owner_id())
        .text("PublicDnsName", association.public_dns_name())
        .text("PublicIp", association.public_ip())
        .build()
}

fn interface_json(interface: &NetworkInterface) -> Value {
    Object::new()
        .text("NetworkInterfaceId", interface.network_interface_id())
        .text("SubnetId", interface.subnet_id())
        .text("VpcId", interface.vpc_id())
        .text("AvailabilityZone", interface.availability_zone())
        .text("Description", interface.description())
        .text("InterfaceType", interface.interface_type().map(|kind| kind.as_str()))
        .text("OwnerId", interface.owner_id())
        .text("RequesterId", interface.requester_id())
        .flag("RequesterManaged", interface.requester_managed())
        .flag("SourceDestCheck", interface.source_dest_check())
        .text("Status", interface.status().map(|status| status.as_str()))
        .text("PrivateIpAddress", interface.private_ip_address())
        .text("PrivateDnsName", interface.private_dns_name())
        .list("Ipv6Addresses", interface.ipv6_addresses(), |address| {
            Object::new().text("Ipv6Address", address.ipv6_address()).build()
        })
        .list("Groups", interface.groups(), group_json)
        .nested("Association", interface.association(), association_json)
        .nested("Attachment", interface.attachment(), |attachment| {
            Object::new()
                .text("AttachmentId", attachment.attachment_id())
                .text("InstanceId", attachment.instance_id())
                .text("InstanceOwnerId", attachment.instance_owner_id())
                .number("DeviceIndex", attachment.device_index())
                .text("Status", attachment.status().map(|status| status.as_str()))
                .time("AttachTime", attachment.attach_time())
                .flag("DeleteOnTermination", attachment.delete_on_termination())
                .build()
        })
        .list("PrivateIpAddresses", interface.private_ip_addresses(), |address| {
            Object::new()
                .flag("Primary", address.primary())
                .text("PrivateIpAddress", address.private_ip_address())
                .nested("Association", address.association(), association_json)
                .build()
        })
        .value("TagSet", Some(tags!(interface.tag_set())))
        .build()
}

fn address_json(address: &Address) -> Value {
    Object::new()
        .text("PublicIp", address.public_ip())
        .text("AllocationId", address.allocation_id())
        .text("AssociationId", address.association_id())
        .text("Domain", address.domain().map(|domain| domain.as_str()))
        .text("InstanceId", address.instance_id())
        .text("NetworkInterfaceId", address.network_interface_id())
        .text("NetworkInterfaceOwnerId", address.network_interface_owner_id())
        .text("PrivateIpAddress", address.private_ip_address())
        .value("Tags", Some(tags!(address.tags())))
        .build()
}

fn peering_json(peering: &VpcPeeringConnection) -> Value {
    Object::new()
        .text("VpcPeeringConnectionId", peering.vpc_peering_connection_id())
        .nested("Status", peering.status(), |status| {
            Object::new()
                .text("Code", status.code().map(|code| code.as_str()))
                .text("Message", status.message())
                .build()
        })
        .time("ExpirationTime", peering.expiration_time())
        .nested("AccepterVpcInfo", peering.accepter_vpc_info(), peer_json)
        .nested("RequesterVpcInfo", peering.requester_vpc_info(), peer_json)
        .value("Tags", Some(tags!(peering.tags())))
        .build()
}

fn peer_json(peer: &VpcPeeringConnectionVpcInfo) -> Value {
    Object::new()
        .text("OwnerId", peer.owner_id())
        .text("VpcId", peer.vpc_id())
        .text("Region", peer.region())
        .text("CidrBlock", peer.cidr_block())
        .list("CidrBlockSet", peer.cidr_block_set(), |block| {
            Object::new().text("CidrBlock", block.cidr_block()).build()
        })
        .list("Ipv6CidrBlockSet", peer.ipv6_cidr_block_set(), |block| {
            Object::new().text("Ipv6CidrBlock", block.ipv6_cidr_block()).build()
        })
        .build()
}

fn prefix_list_json(list: &ManagedPrefixList) -> Value {
    Object::new()
        .text("PrefixListId", list.prefix_list_id())
        .text("PrefixListArn", list.prefix_list_arn())
        .text("PrefixListName", list.prefix_list_name())
        .text("AddressFamily", list.address_family())
        .text("State", list.state().map(|state| state.as_str()))
        .number("MaxEntries", list.max_entries())
        .number("Version", list.version())
        .text("OwnerId", list.owner_id())
        .value("Tags", Some(tags!(list.tags())))
        .build()
}
