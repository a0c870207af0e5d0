//! Plans over the recorded Azure subscription: what each change does to the boundary, in both directions.

use cadastre_graph::{DriftKind, Severity};
use serde_json::{Value, json};

use cadastre_model::Outcome;
use cadastre_model::asset::azure::network::{Subnet, VirtualNetwork};

use crate::support::{
    Change, azure, change, check_in, create, graph, moves_in, project_in, project_over, silent_in, words,
};

const SUBSCRIPTION: &str = "3f2a1b0c-0000-4000-8000-000000000001";
const GROUP: &str =
    "/subscriptions/3f2a1b0c-0000-4000-8000-000000000001/resourceGroups/rg-payments/providers";
const VENDOR: &str = "c0000000-0000-4000-8000-0000000000c1";

fn id(rest: &str) -> String {
    format!("{GROUP}/{rest}")
}

fn brokers() -> String {
    id("Microsoft.Network/virtualNetworks/vnet-payments/subnets/brokers")
}

fn account() -> String {
    id("Microsoft.Storage/storageAccounts/paymentskafkadata")
}

fn vault() -> String {
    id("Microsoft.KeyVault/vaults/payments-keys")
}

fn destroy(address: &str, before: Value) -> Change {
    change(address, before, Value::Null)
}

/// A rule of the brokers' group as Terraform writes it.
fn rule(name: &str, priority: u16, access: &str, source: &str, port: &str) -> Change {
    create(
        &format!("azurerm_network_security_rule.{name}"),
        json!({"id": id(&format!("Microsoft.Network/networkSecurityGroups/nsg-brokers/securityRules/{name}")),
            "name": name, "resource_group_name": "rg-payments", "network_security_group_name": "nsg-brokers",
            "priority": priority, "direction": "Inbound", "access": access, "protocol": "Tcp",
            "source_port_range": "*", "source_port_ranges": [], "destination_port_range": port,
            "source_address_prefix": source, "source_address_prefixes": [], "destination_address_prefix": "*",
            "description": ""}),
    )
}

fn assignment(name: &str, scope: &str, principal: &str, role: &str) -> Change {
    create(
        &format!("azurerm_role_assignment.{name}"),
        json!({"scope": scope, "principal_id": principal, "role_definition_name": role, "condition": null}),
    )
    .unknown("role_definition_id", &[])
    .unknown("id", &[])
    .unknown("principal_type", &[])
}

fn storage(shared_key: bool, key: bool) -> Value {
    json!({"id": account(), "name": "paymentskafkadata", "resource_group_name": "rg-payments", "account_tier": "Standard",
        "account_replication_type": "ZRS", "shared_access_key_enabled": shared_key, "allow_nested_items_to_be_public": false,
        "https_traffic_only_enabled": true, "min_tls_version": "TLS1_2", "public_network_access_enabled": false,
        "customer_managed_key": if key { json!([{"key_vault_key_id": "https://payments-keys.vault.azure.net/keys/kafka-data"}]) } else { json!([]) }})
}

fn key_vault(roles: bool) -> Value {
    json!({"id": vault(), "name": "payments-keys", "resource_group_name": "rg-payments", "rbac_authorization_enabled": roles,
        "purge_protection_enabled": true, "soft_delete_retention_days": 90, "public_network_access_enabled": false,
        "network_acls": [{"default_action": "Deny", "bypass": "AzureServices"}]})
}

fn opened(moves: &crate::support::Moves, severity: Severity, message: &str) {
    let said = moves.there.iter().any(|drift| {
        drift.severity == severity && drift.kind == DriftKind::Opened && drift.message.starts_with(message)
    });
    assert!(said, "`{message}` is not said as {severity:?}:\n{}", words(&moves.there));
}

fn closed(moves: &crate::support::Moves, message: &str) {
    let said = moves
        .back
        .iter()
        .any(|drift| drift.severity == Severity::Information && drift.message.starts_with(message));
    assert!(said, "`{message}` is not said of taking it back:\n{}", words(&moves.back));
}

const KEY: &str = "microsoft.keyvault/vaults/payments-keys/keys/kafka-data";
const LOWER: &str =
    "/subscriptions/3f2a1b0c-0000-4000-8000-000000000001/resourcegroups/rg-payments/providers";

#[test]
fn a_role_that_is_assigned_to_the_vendor_by_name() {
    let moves = moves_in(azure(), &[assignment("vendor", &vault(), VENDOR, "Key Vault Crypto User")]);
    opened(&moves, Severity::High, &format!("entra:{VENDOR} can now decrypt with {LOWER}/{KEY}"));
    closed(&moves, &format!("entra:{VENDOR} can no longer decrypt with {LOWER}/{KEY}"));
}

#[test]
fn a_role_by_its_id_opens_plaintext_to_somebody_outside() {
    // Without account keys, the vendor's other role reads nothing.
    let role = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    );
    let roles = create(
        "azurerm_role_assignment.vendor",
        json!({"scope": account(), "principal_id": VENDOR, "role_definition_id": role,
            "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/x", account())}),
    );
    let closing = change("azurerm_storage_account.data", storage(true, true), storage(false, true));
    let without = project_in(azure(), std::slice::from_ref(&closing));
    let closed_graph = graph(&without.after, &azure().declaration);
    let with = project_in(azure(), &[closing, roles]);
    let drift = cadastre_graph::diff(&closed_graph, &graph(&with.after, &azure().declaration));
    let critical = drift.iter().find(|drift| drift.severity == Severity::Critical).unwrap();
    assert_eq!(
        critical.message,
        format!("entra:{VENDOR} can now reach plaintext of {}", account().to_lowercase())
    );
}

#[test]
fn account_keys_that_are_switched_off() {
    let change = change("azurerm_storage_account.data", storage(true, true), storage(false, true));
    let store = account().to_lowercase();
    let moves = moves_in(azure(), &[change]);
    let there = words(&moves.there);
    assert!(there.contains(&format!("entra:{VENDOR} can no longer read objects of {store}")), "{there}");
    assert!(
        words(&moves.back).contains(&format!("Critical entra:{VENDOR} can now reach plaintext of {store}"))
    );
}

#[test]
fn a_store_that_loses_its_key() {
    let change = change("azurerm_storage_account.data", storage(true, true), storage(true, false));
    let moves = moves_in(azure(), &[change]);
    let expected = format!("High {} is no longer encrypted by {LOWER}/{KEY}", account().to_lowercase());
    assert!(words(&moves.there).contains(&expected), "{}", words(&moves.there));
    assert!(words(&moves.back).contains(&format!("is now encrypted by {LOWER}/{KEY}")));
    // The resource that does nothing else says the same.
    let values = json!({"storage_account_id": account(), "key_vault_id": vault(), "key_name": "kafka-data"});
    let moves = moves_in(azure(), &[destroy("azurerm_storage_account_customer_managed_key.data", values)]);
    assert!(words(&moves.there).contains(&expected), "{}", words(&moves.there));
}

#[test]
fn a_vault_that_goes_back_to_access_policies_and_names_the_vendor() {
    let policy =
        json!({"key_vault_id": vault(), "object_id": VENDOR, "key_permissions": ["Get", "UnwrapKey"]});
    let moves = moves_in(
        azure(),
        &[
            change("azurerm_key_vault.keys", key_vault(true), key_vault(false)),
            create("azurerm_key_vault_access_policy.vendor", policy),
        ],
    );
    opened(&moves, Severity::High, &format!("entra:{VENDOR} can now decrypt with {LOWER}/{KEY}"));
    closed(&moves, &format!("entra:{VENDOR} can no longer decrypt with {LOWER}/{KEY}"));
}

#[test]
fn a_custom_role_that_grows() {
    let values = |action: &str| {
        let id = format!(
            "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/e0000000-0000-4000-8000-0000000000e1"
        );
        json!({"name": "Conditional Blob Reader", "role_definition_resource_id": id, "permissions": [{"actions": [],
            "not_actions": [], "data_actions": [format!("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{action}")],
            "not_data_actions": []}]})
    };
    let moves = moves_in(azure(), &[change("azurerm_role_definition.reader", values("read"), values("*"))]);
    let automation = "entra:d0000000-0000-4000-8000-0000000000d1";
    opened(&moves, Severity::Medium, &format!("{automation} can now write or delete objects of"));
    closed(&moves, &format!("{automation} can no longer write or delete objects of"));
}

/// The first broker's interface, with or without a public address.
fn interface(public: Option<&str>) -> Value {
    json!({"id": id("Microsoft.Network/networkInterfaces/nic-kafka-1"), "name": "nic-kafka-1",
        "resource_group_name": "rg-payments", "location": "westeurope",
        "ip_configuration": [{"name": "ipconfig1", "subnet_id": brokers(), "private_ip_address": "10.40.1.11",
            "private_ip_address_allocation": "Dynamic", "public_ip_address_id": public}]})
}

/// A public address for a broker, a way back for answers, and a rule that lets everybody in.
fn way_in(source: &str) -> Vec<Change> {
    let address = id("Microsoft.Network/publicIPAddresses/pip-kafka");
    vec![
        create(
            "azurerm_public_ip.kafka",
            json!({"id": address, "name": "pip-kafka", "resource_group_name": "rg-payments", "sku": "Standard",
                "ip_address": "198.51.100.77"}),
        ),
        change("azurerm_network_interface.kafka", interface(None), interface(Some(&address))),
        destroy(
            "azurerm_route.none",
            json!({"id": id("Microsoft.Network/routeTables/rt-brokers/routes/no-internet"), "name": "no-internet",
                "resource_group_name": "rg-payments", "route_table_name": "rt-brokers",
                "address_prefix": "0.0.0.0/0", "next_hop_type": "None"}),
        ),
        rule("everybody", 90, "Allow", source, "9093"),
    ]
}

#[test]
fn a_broker_becomes_reachable_from_the_internet() {
    let moves = moves_in(azure(), &way_in("Internet"));
    let machine = format!("{LOWER}/microsoft.compute/virtualmachines/kafka-1");
    opened(&moves, Severity::High, &format!("{machine} became reachable from the internet"));
    closed(&moves, &format!("{machine} is no longer reachable from the internet"));
}

#[test]
fn each_part_of_a_way_in_is_needed_for_it() {
    let all = way_in("Internet");
    for missing in ["azurerm_network_interface.kafka", "azurerm_network_security_rule.everybody"] {
        let changes: Vec<Change> = all.iter().filter(|change| change.address != missing).cloned().collect();
        let projection = project_in(azure(), &changes);
        let drift = cadastre_graph::diff(&azure().graph, &graph(&projection.after, &azure().declaration));
        assert!(
            !words(&drift).contains("became reachable from the internet"),
            "{missing}: {}",
            words(&drift)
        );
    }
    let mut changes = all;
    changes.push(rule("nobody", 80, "Deny", "*", "9000-9999"));
    let projection = project_in(azure(), &changes);
    let drift = cadastre_graph::diff(&azure().graph, &graph(&projection.after, &azure().declaration));
    assert!(!words(&drift).contains("became reachable from the internet"), "{}", words(&drift));
}

/// The networks after some changes, without the records that show them.
fn networks(evidence: &cadastre_model::evidence::Evidence) -> Vec<VirtualNetwork> {
    let inventory = cadastre_assess::inventory(evidence.records(), &azure().declaration);
    assert_eq!(inventory.unreadable, []);
    let mut networks = inventory.azure.networks;
    networks.iter_mut().for_each(|network| network.evidence.clear());
    networks
}

fn broker_subnet(networks: &[VirtualNetwork]) -> Subnet {
    let subnets = networks.iter().flat_map(|network| &network.subnets);
    subnets.into_iter().find(|subnet| subnet.id.ends_with("/subnets/brokers")).unwrap().clone()
}

#[test]
fn what_is_attached_to_a_subnet_goes_and_comes_and_the_subnet_stays() {
    let before = networks(&azure().evidence);
    let subnet = broker_subnet(&before);
    let group = json!({"id": brokers(), "subnet_id": brokers(),
        "network_security_group_id": id("Microsoft.Network/networkSecurityGroups/nsg-brokers")});
    let table = json!({"id": brokers(), "subnet_id": brokers(),
        "route_table_id": id("Microsoft.Network/routeTables/rt-brokers")});
    let going = [
        destroy("azurerm_subnet_network_security_group_association.brokers", group.clone()),
        destroy("azurerm_subnet_route_table_association.brokers", table.clone()),
    ];
    let gone = project_in(azure(), &going);
    let after = networks(&gone.after);
    let expected = Subnet { security_group: None, route_table: None, ..subnet.clone() };
    assert_eq!(broker_subnet(&after), expected);
    let coming = [
        create("azurerm_subnet_network_security_group_association.brokers", group),
        create("azurerm_subnet_route_table_association.brokers", table),
    ];
    let back = project_over(&gone.after, &azure().declaration, &coming);
    assert_eq!(networks(&back.after), before);
}

#[test]
fn a_peering_and_a_new_subnet_are_read_as_azure_will_answer() {
    let before = networks(&azure().evidence);
    let peering = id("Microsoft.Network/virtualNetworks/vnet-payments/virtualNetworkPeerings/to-clients");
    let values = json!({"id": peering, "name": "to-clients", "virtual_network_name": "vnet-payments",
        "resource_group_name": "rg-payments", "allow_virtual_network_access": true,
        "remote_virtual_network_id": id("Microsoft.Network/virtualNetworks/vnet-clients")});
    let gone = project_in(azure(), &[destroy("azurerm_virtual_network_peering.clients", values.clone())]);
    let payments = |networks: &[VirtualNetwork]| {
        networks.iter().find(|network| network.name == "vnet-payments").unwrap().clone()
    };
    assert_eq!(payments(&networks(&gone.after)).peerings, []);
    let back = project_over(
        &gone.after,
        &azure().declaration,
        &[create("azurerm_virtual_network_peering.clients", values)],
    );
    assert_eq!(back.unresolved, []);
    assert_eq!(networks(&back.after), before);
    let subnet = create(
        "azurerm_subnet.new",
        json!({"name": "new", "virtual_network_name": "vnet-payments", "resource_group_name": "rg-payments",
            "address_prefixes": ["10.40.9.0/24"], "default_outbound_access_enabled": false}),
    )
    .unknown("id", &[]);
    let with = networks(&project_in(azure(), &[subnet]).after);
    let found = payments(&with).subnets.iter().find(|subnet| subnet.name == "new").unwrap().clone();
    assert_eq!(found.id, format!("{LOWER}/microsoft.network/virtualnetworks/vnet-payments/subnets/new"));
    assert_eq!(payments(&with).subnets.len(), payments(&before).subnets.len() + 1);
}

#[test]
fn endpoints_machines_and_diagnostic_settings_appear_and_go() {
    let endpoint = json!({"id": id("Microsoft.Network/privateEndpoints/pe-data"), "name": "pe-data",
        "subnet_id": id("Microsoft.Network/virtualNetworks/vnet-payments/subnets/endpoints"),
        "network_interface": [{"id": id("Microsoft.Network/networkInterfaces/nic-pe-data"), "name": "nic-pe-data"}],
        "private_service_connection": [{"name": "c", "is_manual_connection": false,
            "private_connection_resource_id": account(), "subresource_names": ["blob"]}]});
    check_in(
        azure(),
        &[destroy("azurerm_private_endpoint.data", endpoint)],
        &["privateendpoints/pe-data is gone from the data plane"],
        &["privateendpoints/pe-data is new in the data plane"],
    );
    let logs = id("Microsoft.Storage/storageAccounts/paymentslogs");
    let setting = json!({"name": "audit", "target_resource_id": vault(), "storage_account_id": logs,
        "enabled_log": [{"category": null, "category_group": "audit"}]});
    check_in(
        azure(),
        &[destroy("azurerm_monitor_diagnostic_setting.keys", setting)],
        &["diagnosticsettings/audit is gone from the data plane"],
        &["diagnosticsettings/audit is new in the data plane"],
    );
    let nic = id("Microsoft.Network/networkInterfaces/nic-new");
    let machine = json!({"id": id("Microsoft.Compute/virtualMachines/kafka-9"), "name": "kafka-9",
        "resource_group_name": "rg-payments", "location": "westeurope", "network_interface_ids": [nic],
        "os_disk": [{"id": id("Microsoft.Compute/disks/kafka-9-os")}], "identity": [{"type": "UserAssigned",
            "identity_ids": [id("Microsoft.ManagedIdentity/userAssignedIdentities/id-kafka")]}]});
    let interface = json!({"id": nic, "name": "nic-new", "resource_group_name": "rg-payments", "ip_configuration": [
        {"name": "a", "subnet_id": brokers(), "private_ip_address": "10.40.1.50"}]});
    check_in(
        azure(),
        &[
            create("azurerm_network_interface.new", interface),
            create("azurerm_linux_virtual_machine.new", machine),
        ],
        &[
            "kafka-9 is new in the data plane",
            "kafka-9 now runs as entra:b0000000-0000-4000-8000-0000000000b1",
        ],
        &["kafka-9 is gone from the data plane"],
    );
}

#[test]
fn what_is_known_only_after_apply_stays_open_and_what_is_not_read_is_named() {
    let unknown = create(
        "azurerm_network_interface.new",
        json!({"name": "nic-new", "resource_group_name": "rg-payments",
            "ip_configuration": [{"name": "a", "subnet_id": brokers()}]}),
    );
    let unknown = Change {
        unknown: json!({"ip_configuration": [{"private_ip_address": true}], "id": true}),
        ..unknown
    };
    let nobody = assignment("nobody", &account(), "x", "Storage Blob Data Reader of ours");
    let projection =
        project_in(azure(), &[unknown, nobody, create("azurerm_lb.front", json!({"name": "front"}))]);
    let open: Vec<(&str, &str)> =
        projection.unresolved.iter().map(|one| (one.address.as_str(), one.argument.as_str())).collect();
    assert_eq!(
        open,
        [
            ("azurerm_network_interface.new", "ip_configuration.private_ip_address"),
            ("azurerm_role_assignment.nobody", "role_definition_id"),
        ]
    );
    let named: Vec<(&str, &str)> =
        projection.not_examined.iter().map(|one| (one.address.as_str(), one.reason.as_str())).collect();
    assert_eq!(named, [("azurerm_lb.front", "no rule reads resources of this type")]);
    let (_, coverage) = cadastre_inventory::build(projection.after.records(), &azure().declaration);
    for operation in
        ["Microsoft.Network/networkInterfaces/read", "Microsoft.Authorization/roleAssignments/read"]
    {
        let failed = coverage.of(operation).iter().any(|question| question.outcome == Outcome::Failed);
        assert!(failed, "{operation} counts as answered");
    }
}

#[test]
fn a_plan_alone_follows_references_to_what_does_not_exist_yet() {
    let mut changes = vec![
        create(
            "azurerm_key_vault.new",
            json!({"name": "fresh-keys", "resource_group_name": "rg-payments", "rbac_authorization_enabled": true}),
        )
        .unknown("id", &[]),
        create("azurerm_key_vault_key.new", json!({"name": "data", "key_type": "RSA"}))
            .unknown("id", &[])
            .unknown("key_vault_id", &["azurerm_key_vault.new.id", "azurerm_key_vault.new"]),
        create(
            "azurerm_role_definition.reader",
            json!({"name": "reader of ours", "permissions": [{"actions": ["*/read"], "not_actions": [],
                "data_actions": [], "not_data_actions": []}]}),
        )
        .unknown("role_definition_resource_id", &[])
        .unknown("role_definition_id", &[]),
    ];
    changes.push(assignment("reader", "", VENDOR, "reader of ours").unknown(
        "scope",
        &["azurerm_key_vault_key.new.resource_versionless_id", "azurerm_key_vault_key.new"],
    ));
    let plan = crate::support::plan(&changes);
    let projection =
        plan.project(None, &azure().declaration, azure().evidence.manifest().finished_at).unwrap();
    assert_eq!(projection.unresolved, []);
    let inventory = cadastre_assess::inventory(projection.after.records(), &azure().declaration).azure;
    let key = &inventory.keys[0];
    assert_eq!(key.id, format!("{LOWER}/microsoft.keyvault/vaults/fresh-keys/keys/data"));
    let (role, held) = (&inventory.role_definitions[0], &inventory.role_assignments[0]);
    assert_eq!((&held.scope, &held.definition), (&key.id, &role.id));
    assert_eq!(role.id, "azurerm_role_definition.reader");
}

#[test]
fn what_changes_nothing_says_nothing() {
    let tagged = |tags: Value| {
        let mut account = storage(true, true);
        account["tags"] = tags;
        account
    };
    silent_in(
        azure(),
        &[change("azurerm_storage_account.data", tagged(json!({})), tagged(json!({"team": "payments"})))],
    );
    silent_in(
        azure(),
        &[create("azurerm_resource_group.more", json!({"name": "more", "location": "westeurope"}))],
    );
    // A rule that another one outweighs, and a deny of what nobody could do.
    silent_in(azure(), &[rule("nobody", 4090, "Deny", "*", "*")]);
    // References that go in circles lead nowhere.
    let circle = create("azurerm_key_vault_key.a", json!({"name": "a"}))
        .unknown("key_vault_id", &["azurerm_key_vault_key.a.id", "azurerm_key_vault_key.a"]);
    assert_eq!(project_in(azure(), &[circle]).unresolved.len(), 1);
}
