//! Route tables of transit gateways.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{TransitRoute, TransitRouteTable};

use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every route table of a transit gateway.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<TransitRouteTable> {
    reader.assets("ec2:DescribeTransitGatewayRouteTables", "TransitGatewayRouteTables", |reader, table| {
        let id = table.owned_text("TransitGatewayRouteTableId")?;
        let mut evidence = EvidenceIds::new();
        let search = "ec2:SearchTransitGatewayRoutes";
        let routes = reader.known(search, &id, &mut evidence, |pages| {
            let page = pages.only()?;
            if page.optional_boolean("AdditionalRoutesAvailable")?.unwrap_or(false) {
                return Err(page.defect("every route in one answer"));
            }
            let mut routes = pages.all("Routes", route)?;
            routes.sort();
            Ok(Some(routes))
        });
        Ok(Some(TransitRouteTable {
            transit_gateway: table.owned_text("TransitGatewayId")?,
            id,
            routes,
            evidence,
        }))
    })
}

fn route(route: &Node<'_>) -> Read<TransitRoute> {
    let mut attachments = route.texts_of("TransitGatewayAttachments", "TransitGatewayAttachmentId")?;
    attachments.sort();
    Ok(TransitRoute {
        destination: route.range("DestinationCidrBlock")?,
        attachments,
        blackhole: route.text("State")? == "blackhole",
    })
}
