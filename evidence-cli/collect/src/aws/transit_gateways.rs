//! Transit gateways: what is attached to them, and where their route tables lead.

use aws_sdk_ec2::types::builders::FilterBuilder;
use aws_sdk_ec2::types::{
    Filter, TransitGateway, TransitGatewayAttachment, TransitGatewayRoute, TransitGatewayRouteTable,
    TransitGatewayVpcAttachment,
};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use serde_json::{Value, json};

use super::Account;
use super::call::{IN_FLIGHT, list};
use super::shape::{Object, tags};
use crate::CollectError;

/// Collects a region's transit gateways, their attachments and their route tables.
pub(super) async fn collect(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    try_join!(
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeTransitGateways",
            describe_transit_gateways,
            "TransitGateways",
            transit_gateways,
            gateway_json
        ),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeTransitGatewayAttachments",
            describe_transit_gateway_attachments,
            "TransitGatewayAttachments",
            transit_gateway_attachments,
            attachment_json
        ),
        list!(
            account,
            region,
            ec2,
            "ec2:DescribeTransitGatewayVpcAttachments",
            describe_transit_gateway_vpc_attachments,
            "TransitGatewayVpcAttachments",
            transit_gateway_vpc_attachments,
            vpc_attachment_json
        ),
        route_tables(account, region),
    )?;
    Ok(())
}

/// Route tables, and the routes in each.
async fn route_tables(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let ec2 = account.session.ec2(region);
    let pages = list!(
        account,
        region,
        ec2,
        "ec2:DescribeTransitGatewayRouteTables",
        describe_transit_gateway_route_tables,
        "TransitGatewayRouteTables",
        transit_gateway_route_tables,
        route_table_json
    )
    .await?;
    let tables = pages
        .iter()
        .flat_map(|page| page.transit_gateway_route_tables())
        .filter_map(TransitGatewayRouteTable::transit_gateway_route_table_id);
    stream::iter(tables)
        .map(|table| routes(account, region, &ec2, table))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

/// The call wants a filter; every route has one of the two states. It has no pages, and says when it left routes out.
async fn routes(
    account: &Account<'_>,
    region: &str,
    ec2: &aws_sdk_ec2::Client,
    table: &str,
) -> Result<(), CollectError> {
    let states = ["active", "blackhole"];
    let filter = states.into_iter().fold(Filter::builder().name("state"), FilterBuilder::values);
    let request = json!({
        "TransitGatewayRouteTableId": table,
        "Filters": [{"Name": "state", "Values": states}],
    });
    account
        .ask(
            account.about_in(region, "ec2:SearchTransitGatewayRoutes", table, request),
            ec2.search_transit_gateway_routes()
                .transit_gateway_route_table_id(table)
                .filters(filter.build())
                .send(),
            |answer| {
                Object::new()
                    .list("Routes", answer.routes(), route_json)
                    .flag("AdditionalRoutesAvailable", answer.additional_routes_available())
                    .build()
            },
        )
        .await?;
    Ok(())
}

fn gateway_json(gateway: &TransitGateway) -> Value {
    Object::new()
        .text("TransitGatewayId", gateway.transit_gateway_id())
        .text("TransitGatewayArn", gateway.transit_gateway_arn())
        .text("State", gateway.state().map(|state| state.as_str()))
        .text("OwnerId", gateway.owner_id())
        .text("Description", gateway.description())
        .time("CreationTime", gateway.creation_time())
        .nested("Options", gateway.options(), |options| {
            Object::new()
                .number("AmazonSideAsn", options.amazon_side_asn())
                .text(
                    "AutoAcceptSharedAttachments",
                    options.auto_accept_shared_attachments().map(|value| value.as_str()),
                )
                .text(
                    "DefaultRouteTableAssociation",
                    options.default_route_table_association().map(|value| value.as_str()),
                )
                .text(
                    "DefaultRouteTablePropagation",
                    options.default_route_table_propagation().map(|value| value.as_str()),
                )
                .texts("TransitGatewayCidrBlocks", options.transit_gateway_cidr_blocks())
                .build()
        })
        .value("Tags", Some(tags!(gateway.tags())))
        .build()
}

fn attachment_json(attachment: &TransitGatewayAttachment) -> Value {
    Object::new()
        .text("TransitGatewayAttachmentId", attachment.transit_gateway_attachment_id())
        .text("TransitGatewayId", attachment.transit_gateway_id())
        .text("TransitGatewayOwnerId", attachment.transit_gateway_owner_id())
        .text("ResourceOwnerId", attachment.resource_owner_id())
        .text("ResourceType", attachment.resource_type().map(|kind| kind.as_str()))
        .text("ResourceId", attachment.resource_id())
        .text("State", attachment.state().map(|state| state.as_str()))
        .nested("Association", attachment.association(), |association| {
            Object::new()
                .text("TransitGatewayRouteTableId", association.transit_gateway_route_table_id())
                .text("State", association.state().map(|state| state.as_str()))
                .build()
        })
        .time("CreationTime", attachment.creation_time())
        .value("Tags", Some(tags!(attachment.tags())))
        .build()
}

fn vpc_attachment_json(attachment: &TransitGatewayVpcAttachment) -> Value {
    Object::new()
        .text("TransitGatewayAttachmentId", attachment.transit_gateway_attachment_id())
        .text("TransitGatewayId", attachment.transit_gateway_id())
        .text("VpcId", attachment.vpc_id())
        .text("VpcOwnerId", attachment.vpc_owner_id())
        .text("State", attachment.state().map(|state| state.as_str()))
        .texts("SubnetIds", attachment.subnet_ids())
        .value("Tags", Some(tags!(attachment.tags())))
        .build()
}

fn route_table_json(table: &TransitGatewayRouteTable) -> Value {
    Object::new()
        .text("TransitGatewayRouteTableId", table.transit_gateway_route_table_id())
        .text("TransitGatewayId", table.transit_gateway_id())
        .text("State", table.state().map(|state| state.as_str()))
        .flag("DefaultAssociationRouteTable", table.default_association_route_table())
        .flag("DefaultPropagationRouteTable", table.default_propagation_route_table())
        .value("Tags", Some(tags!(table.tags())))
        .build()
}

fn route_json(route: &TransitGatewayRoute) -> Value {
    Object::new()
        .text("DestinationCidrBlock", route.destination_cidr_block())
        .text("PrefixListId", route.prefix_list_id())
        .text("State", route.state().map(|state| state.as_str()))
        .text("Type", route.r#type().map(|kind| kind.as_str()))
        .list("TransitGatewayAttachments", route.transit_gateway_attachments(), |attachment| {
            Object::new()
                .text("TransitGatewayAttachmentId", attachment.transit_gateway_attachment_id())
                .text("ResourceType", attachment.resource_type().map(|kind| kind.as_str()))
                .text("ResourceId", attachment.resource_id())
                .build()
        })
        .build()
}
