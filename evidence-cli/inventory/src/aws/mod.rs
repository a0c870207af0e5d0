//! Assets of AWS accounts. One noun a file; the shapes are those of `docs/formats/aws-records.md`.

mod accounts;
mod addresses;
mod arn;
mod buckets;
mod certificate_authorities;
mod endpoint_services;
mod endpoints;
mod event_rules;
mod flow_logs;
mod gateways;
mod images;
mod instance_profiles;
mod instances;
mod interfaces;
mod keys;
mod launch_templates;
mod log_groups;
mod msk_clusters;
mod network_acls;
mod organizations;
mod peerings;
mod prefix_lists;
mod principals;
mod route_tables;
mod rules;
mod secrets;
mod security_groups;
mod snapshots;
mod subnets;
mod tags;
mod trails;
mod transit_route_tables;
mod volumes;
mod vpcs;

use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;

use crate::reader::Reader;

/// Reads everything but the Kafka clusters.
pub(crate) fn read(reader: &mut Reader<'_>, declaration: &Declaration) -> Inventory {
    let keys = keys::read(reader);
    let known_keys = keys::KeyIndex::new(&keys);
    let profiles = instance_profiles::InstanceProfiles::read(reader);
    let addresses = addresses::Addresses::read(reader);
    let interfaces = interfaces::read(reader, &addresses);
    let (principals, groups) = principals::read(reader);
    Inventory {
        accounts: accounts::read(reader, declaration),
        principals,
        groups,
        buckets: buckets::read(reader, &known_keys),
        volumes: volumes::read(reader, &known_keys),
        snapshots: snapshots::read(reader, &known_keys),
        instances: instances::read(reader, &profiles, &addresses, &interfaces),
        images: images::read(reader),
        launch_templates: launch_templates::read(reader, &profiles),
        vpcs: vpcs::read(reader),
        subnets: subnets::read(reader),
        route_tables: route_tables::read(reader),
        transit_route_tables: transit_route_tables::read(reader),
        prefix_lists: prefix_lists::read(reader),
        security_groups: security_groups::read(reader),
        network_acls: network_acls::read(reader),
        gateways: gateways::read(reader),
        endpoints: endpoints::read(reader),
        endpoint_services: endpoint_services::read(reader),
        peerings: peerings::read(reader),
        flow_logs: flow_logs::read(reader),
        trails: trails::read(reader),
        log_groups: log_groups::read(reader, &known_keys),
        event_rules: event_rules::read(reader),
        msk_clusters: msk_clusters::read(reader),
        secrets: secrets::read(reader, &known_keys),
        certificate_authorities: certificate_authorities::read(reader),
        keys,
        interfaces,
        ..Inventory::default()
    }
}
