//! Gateways: internet, egress-only, NAT, and attachments to transit gateways.

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
    gateways
        .extend(reader.assets(attachments, "TransitGatewayAttachments", |_, attachment| transit(attachment)));
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
        public,
        evidence: EvidenceIds::new(),
    }))
}

fn transit(attachment: &Node<'_>) -> Read<Option<Gateway>> {
    if attachment.optional_text("State")?.is_some_and(|state| GONE.contains(&state)) {
        return Ok(None);
    }
    let vpc = match attachment.text("ResourceType")? {
        "vpc" => Some(attachment.owned_text("ResourceId")?),
        _ => None,
    };
    Ok(Some(Gateway {
        id: attachment.owned_text("TransitGatewayAttachmentId")?,
        kind: GatewayKind::TransitAttachment,
        vpc,
        subnet: None,
        transit_gateway: Some(attachment.owned_text("TransitGatewayId")?),
        public: false,
        evidence: EvidenceIds::new(),
    }))
}
