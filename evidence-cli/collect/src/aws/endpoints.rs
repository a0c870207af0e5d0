//! EC2 private endpoints: the ways out to AWS's services, and the ways in that this account offers to others.

use aws_sdk_ec2::types::{AllowedPrincipal, ServiceConfiguration, VpcEndpoint, VpcEndpointConnection};
use futures::try_join;
use serde_json::{Value, json};

use super::Account;
use super::call::{PAGE, list};
use super::shape::{Object, tags};
use crate::CollectError;

/// Collects a region's endpoints and endpoint services.
pub(super) async fn collect(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    try_join!(endpoints(account, region), endpoint_services(account, region))?;
    Ok(())
}

async fn endpoints(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    list!(
        account,
        region,
        ec2,
        "ec2:DescribeVpcEndpoints",
        describe_vpc_endpoints,
        "VpcEndpoints",
        vpc_endpoints,
        endpoint_json
    )
    .await?;
    Ok(())
}

async fn endpoint_services(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    let (pages, _) = try_join!(
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeVpcEndpointServiceConfigurations",
            describe_vpc_endpoint_service_configurations,
            "ServiceConfigurations",
            service_configurations,
            service_json
        ),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeVpcEndpointConnections",
            describe_vpc_endpoint_connections,
            "VpcEndpointConnections",
            vpc_endpoint_connections,
            connection_json
        ),
    )?;
    let services = pages
        .iter()
        .flat_map(|page| page.service_configurations())
        .filter_map(|service| service.service_id());
    for service in services {
        let subject = account.ec2_arn(region, &format!("vpc-endpoint-service/{service}"));
        account
            .ask_pages(
                account.about_in(
                    region,
                    "ec2:DescribeVpcEndpointServicePermissions",
                    subject,
                    json!({"ServiceId": service}),
                ),
                |token| {
                    ec2.describe_vpc_endpoint_service_permissions()
                        .service_id(service)
                        .max_results(PAGE)
                        .set_next_token(token)
                        .send()
                },
                |page| page.next_token(),
                |page| {
                    Object::new().list("AllowedPrincipals", page.allowed_principals(), allowed_json).build()
                },
            )
            .await?;
    }
    Ok(())
}

fn endpoint_json(endpoint: &VpcEndpoint) -> Value {
    Object::new()
        .text("VpcEndpointId", endpoint.vpc_endpoint_id())
        .text("VpcEndpointType", endpoint.vpc_endpoint_type().map(|kind| kind.as_str()))
        .text("VpcId", endpoint.vpc_id())
        .text("ServiceName", endpoint.service_name())
        .text("State", endpoint.state().map(|state| state.as_str()))
        .text("OwnerId", endpoint.owner_id())
        .document("PolicyDocument", endpoint.policy_document())
        .texts("RouteTableIds", endpoint.route_table_ids())
        .texts("SubnetIds", endpoint.subnet_ids())
        .texts("NetworkInterfaceIds", endpoint.network_interface_ids())
        .list("Groups", endpoint.groups(), |group| {
            Object::new().text("GroupId", group.group_id()).text("GroupName", group.group_name()).build()
        })
        .flag("PrivateDnsEnabled", endpoint.private_dns_enabled())
        .flag("RequesterManaged", endpoint.requester_managed())
        .text("IpAddressType", endpoint.ip_address_type().map(|kind| kind.as_str()))
        .list("DnsEntries", endpoint.dns_entries(), |entry| {
            Object::new()
                .text("DnsName", entry.dns_name())
                .text("HostedZoneId", entry.hosted_zone_id())
                .build()
        })
        .time("CreationTimestamp", endpoint.creation_timestamp())
        .text("ServiceRegion", endpoint.service_region())
        .value("Tags", Some(tags!(endpoint.tags())))
        .build()
}

fn service_json(service: &ServiceConfiguration) -> Value {
    Object::new()
        .text("ServiceId", service.service_id())
        .text("ServiceName", service.service_name())
        .text("ServiceState", service.service_state().map(|state| state.as_str()))
        .list("ServiceType", service.service_type(), |kind| {
            Object::new().text("ServiceType", kind.service_type().map(|kind| kind.as_str())).build()
        })
        .flag("AcceptanceRequired", service.acceptance_required())
        .flag("ManagesVpcEndpoints", service.manages_vpc_endpoints())
        .texts("NetworkLoadBalancerArns", service.network_load_balancer_arns())
        .texts("GatewayLoadBalancerArns", service.gateway_load_balancer_arns())
        .texts("AvailabilityZones", service.availability_zones())
        .texts("BaseEndpointDnsNames", service.base_endpoint_dns_names())
        .text("PrivateDnsName", service.private_dns_name())
        .list("SupportedRegions", service.supported_regions(), |region| {
            Object::new().text("Region", region.region()).build()
        })
        .value("Tags", Some(tags!(service.tags())))
        .build()
}

fn allowed_json(principal: &AllowedPrincipal) -> Value {
    Object::new()
        .text("PrincipalType", principal.principal_type().map(|kind| kind.as_str()))
        .text("Principal", principal.principal())
        .text("ServiceId", principal.service_id())
        .text("ServicePermissionId", principal.service_permission_id())
        .build()
}

fn connection_json(connection: &VpcEndpointConnection) -> Value {
    Object::new()
        .text("ServiceId", connection.service_id())
        .text("VpcEndpointId", connection.vpc_endpoint_id())
        .text("VpcEndpointOwner", connection.vpc_endpoint_owner())
        .text("VpcEndpointState", connection.vpc_endpoint_state().map(|state| state.as_str()))
        .text("VpcEndpointConnectionId", connection.vpc_endpoint_connection_id())
        .text("VpcEndpointRegion", connection.vpc_endpoint_region())
        .texts("NetworkLoadBalancerArns", connection.network_load_balancer_arns())
        .time("CreationTimestamp", connection.creation_timestamp())
        .value("Tags", Some(tags!(connection.tags())))
        .build()
}
