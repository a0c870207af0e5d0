//! Gateways: internet, egress-only, NAT, and attachments to transit gateways.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{Gateway, GatewayKind};

use crate::node::{Node, Read};
use crate::reader::Reader;

/// States in which a thing is gone though its service still lists it.
const GONE: &[&str] = &["deleted", "deleting", "failed", "rejected", "detached", "detaching"];

/// Reads the gateways of every kind.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Gateway> {
    let mut gateways = reader.assets("ec2:DescribeInternetGateways", "InternetGateways", |_, gateway| {
        attached(gateway, "InternetGatewayId", GatewayKind::Internet).map(Some)
    });
    let egress_only = "ec2:DescribeEgressOnlyInternetGateways";
    gateways.extend(reader.assets(egress_only, "EgressOnlyInternetGateways", |_, gateway| {
        attached(gateway, "EgressOnlyInternetGatewayId", GatewayKind::EgressOnly).map(Some)
    }));
    gateways.extend(reader.assets("ec2:DescribeNatGateways", "NatGateways", |_, gateway| nat(gateway)));
    let attachments = "ec2:DescribeTransitGatewayAttachments";
    let subnets = attachment_subnets(reader);
    gateways.extend(
        reader
            .assets(attachments, "TransitGatewayAttachments", |_, attachment| transit(attachment, &subnets)),
    );
    gateways.sort_by(|a, b| a.id.cmp(&b.id));
    gateways
}

fn attached(gateway: &Node<'_>, id: &str, kind: GatewayKind) -> Read<Gateway> {
    let mut vpc = None;
    for attachment in gateway.list("Attachments")? {
        if !attachment.optional_text("State")?.is_some_and(|state| GONE.contains(&state)) {
            vpc = Some(attachment.owned_text("VpcId")?);
        }
    }
    Ok(Gateway {
        id: gateway.owned_text(id)?,
        kind,
        vpc,
        subnet: None,
        transit_gateway: None,
        subnets: Known::Absent,
        transit_table: None,
        public: false,
        evidence: EvidenceIds::new(),
    })
}

fn nat(gateway: &Node<'_>) -> Read<Option<Gateway>> {
    if gateway.optional_text("State")?.is_some_and(|state| GONE.contains(&state)) {
        return Ok(None);
    }
    let public = match gateway.optional_text("ConnectivityType")? {
        Some(kind) => kind == "public",
        None => !gateway.texts_of("NatGatewayAddresses", "PublicIp")?.is_empty(),
    };
    Ok(Some(Gateway {
        id: gateway.owned_text("NatGatewayId")?,
        kind: GatewayKind::Nat,
        vpc: gateway.optional_owned_text("VpcId")?,
        subnet: gateway.optional_owned_text("SubnetId")?,
        transit_gateway: None,
        subnets: Known::Absent,
        transit_table: None,
        public,
        evidence: EvidenceIds::new(),
    }))
}

/// The subnets of every attachment that the evidence describes as one of a VPC.
fn attachment_subnets(reader: &mut Reader<'_>) -> BTreeMap<String, Vec<String>> {
    let mut subnets = BTreeMap::new();
    for item in reader.items("ec2:DescribeTransitGatewayVpcAttachments", "TransitGatewayVpcAttachments") {
        let read = item
            .owned_text("TransitGatewayAttachmentId")
            .and_then(|id| Ok(Some((id, item.texts("SubnetIds")?))));
        subnets.extend(reader.accept(read));
    }
    subnets
}

fn transit(attachment: &Node<'_>, subnets: &BTreeMap<String, Vec<String>>) -> Read<Option<Gateway>> {
    if attachment.optional_text("State")?.is_some_and(|state| GONE.contains(&state)) {
        return Ok(None);
    }
    let vpc = match attachment.text("ResourceType")? {
        "vpc" => Some(attachment.owned_text("ResourceId")?),
        _ => None,
    };
    let id = attachment.owned_text("TransitGatewayAttachmentId")?;
    let subnets = match subnets.get(&id) {
        Some(subnets) => Known::Observed(subnets.clone()),
        None if vpc.is_none() => Known::Absent,
        None => Known::Unknown("ec2:DescribeTransitGatewayVpcAttachments does not show it".to_owned()),
    };
    let transit_table = match attachment.optional_object("Association")? {
        Some(association) => match association.optional_text("State")? {
            Some("associated") | None => association.optional_owned_text("TransitGatewayRouteTableId")?,
            Some(_) => None,
        },
        None => None,
    };
    Ok(Some(Gateway {
        id,
        kind: GatewayKind::TransitAttachment,
        vpc,
        subnet: None,
        transit_gateway: Some(attachment.owned_text("TransitGatewayId")?),
        subnets,
        transit_table,
        public: false,
        evidence: EvidenceIds::new(),
    }))
}
