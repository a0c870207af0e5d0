//! Assets of Azure subscriptions. One noun a file; the shapes are those of `docs/formats/azure-records.md`.

mod assignments;
mod definitions;
mod event_hubs;
mod fields;
mod interfaces;
mod load_balancers;
mod machines;
mod networks;
mod private_links;
mod routes;
mod rules;
mod storage;
mod subscriptions;
mod vaults;

use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::declaration::Declaration;

use crate::reader::Reader;

/// Reads everything of Azure; nothing where nothing is declared or recorded.
pub(crate) fn read(reader: &mut Reader<'_>, declaration: &Declaration) -> AzureInventory {
    let public_addresses = interfaces::public_addresses(reader);
    AzureInventory {
        subscriptions: subscriptions::read(reader, declaration),
        networks: networks::read(reader),
        security_groups: rules::security_groups(reader),
        route_tables: routes::read(reader),
        interfaces: interfaces::read(reader),
        nat_gateways: interfaces::nat_gateways(reader),
        public_addresses,
        load_balancers: load_balancers::read(reader),
        private_endpoints: private_links::endpoints(reader),
        private_link_services: private_links::services(reader),
        service_tags: rules::service_tags(reader),
        machines: machines::read(reader),
        role_definitions: definitions::read(reader),
        role_assignments: assignments::read(reader),
        deny_assignments: assignments::denials(reader),
        vaults: vaults::read(reader),
        keys: vaults::keys(reader),
        storage_accounts: storage::accounts(reader),
        containers: storage::containers(reader),
        diagnostic_settings: storage::diagnostic_settings(reader),
        event_hubs: event_hubs::read(reader),
    }
}
