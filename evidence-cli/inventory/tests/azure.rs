//! What answers of Azure Resource Manager amount to, over the fixture that `fixtures/azure` holds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use cadastre_inventory::build;
use cadastre_model::asset::azure::network::{AdminAccess, NextHop, Peer};
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;
use cadastre_model::{Known, Outcome, Record, Timestamp};
use cadastre_offline::OfflineFile;
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "3f2a1b0c-0000-4000-8000-000000000001";

fn declaration() -> Declaration {
    let text = format!(
        "schema: cadastre/boundary/v1\nname: t\noperating-model: self-managed\narchitecture: shared-storage\n\
         accounts:\n- {{id: {}, provider: azure, purpose: data-plane}}\n",
        SUBSCRIPTION.to_uppercase()
    );
    Declaration::parse(&text, "boundary.yaml").unwrap()
}

fn files() -> Vec<OfflineFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/azure/evidence");
    let mut files = Vec::new();
    let mut waiting = vec![root.clone()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            files.push(OfflineFile {
                path: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
                content: std::fs::read(&path).unwrap(),
                written_at: Timestamp::from_seconds(1_800_000_000).unwrap(),
            });
        }
    }
    files
}

fn records(files: &[OfflineFile]) -> Vec<Record> {
    let read = cadastre_offline::read(files).unwrap();
    assert_eq!(read.skipped, []);
    read.records
}

fn inventory(files: &[OfflineFile]) -> Inventory {
    build(&records(files), &declaration()).0
}

/// The fixture with the content of one file changed.
fn changed(end: &str, change: impl Fn(&mut Value)) -> Vec<OfflineFile> {
    let mut files = files();
    let file = files.iter_mut().find(|file| file.path.ends_with(end)).unwrap();
    let mut value: Value = serde_json::from_slice(&file.content).unwrap();
    change(&mut value);
    file.content = serde_json::to_vec(&value).unwrap();
    files
}

#[test]
fn ids_that_differ_in_case_alone_are_one_thing() {
    let azure = inventory(&files()).azure;
    let machine = azure.machines.iter().find(|machine| machine.name == "kafka-1").unwrap();
    let nic = azure.interfaces.iter().find(|nic| nic.name == "nic-kafka-1").unwrap();
    assert_eq!(nic.machine.as_deref(), Some(machine.id.as_str()));
    let subnets = || azure.networks.iter().flat_map(|network| &network.subnets);
    let guarded: Vec<_> = subnets().filter_map(|subnet| subnet.security_group.as_deref()).collect();
    assert_eq!(guarded.len(), 2);
    assert!(guarded.iter().all(|group| azure.security_groups.iter().any(|known| known.id == **group)));
}

#[test]
fn every_page_of_a_list_counts_and_a_missing_one_leaves_it_unknown() {
    let whole = inventory(&files());
    let names: Vec<&str> = whole.azure.networks.iter().map(|network| network.name.as_str()).collect();
    assert_eq!(names, ["vnet-clients", "vnet-payments"]);
    assert_eq!(whole.unreadable, []);
    let first: Vec<_> =
        files().into_iter().filter(|file| !file.path.ends_with("virtualNetworks@2.json")).collect();
    let (_, coverage) = build(&records(&first), &declaration());
    let questions = coverage.of("Microsoft.Network/virtualNetworks/read");
    assert_eq!(questions.iter().map(|question| question.outcome).collect::<Vec<_>>(), [Outcome::Truncated]);
}

#[test]
fn rules_routes_and_admin_rules_are_read_as_azure_words_them() {
    let azure = inventory(&files()).azure;
    let group = azure.security_groups.iter().find(|group| group.name == "nsg-brokers").unwrap();
    assert_eq!(group.rules.len(), 9);
    let ssh = group.rules.iter().find(|rule| rule.name == "ssh-from-jump").unwrap();
    assert!(
        matches!(ssh.matches.sources.as_slice(), [Peer::ApplicationGroup(id)] if id.ends_with("/asg-jump"))
    );
    assert_eq!((ssh.matches.protocol, ssh.matches.ports.first().unwrap().from), (Some(6), 22));
    let routes = &azure.route_tables.first().unwrap().routes;
    assert_eq!(routes.first().map(|route| route.next_hop), Some(NextHop::None));
    let network = azure.networks.iter().find(|network| network.name == "vnet-payments").unwrap();
    let Known::Observed(rules) = &network.admin_rules else { unreachable!("{:?}", network.admin_rules) };
    assert_eq!(rules.first().map(|rule| rule.access), Some(AdminAccess::Deny));
}

#[test]
fn what_az_prints_flattened_is_read_like_what_the_api_answers() {
    let flattened = changed("networkInterfaces.json", |value| {
        let items = value.get_mut("value").unwrap().as_array_mut().unwrap();
        for item in items.iter_mut() {
            let properties = item.as_object_mut().unwrap().remove("properties").unwrap();
            item.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
        }
        *value = Value::Array(items.clone());
    });
    let strip = |mut inventory: Inventory| {
        for nic in &mut inventory.azure.interfaces {
            nic.evidence.clear();
        }
        inventory.azure.interfaces
    };
    assert_eq!(strip(inventory(&flattened)), strip(inventory(&files())));
}

#[test]
fn a_refused_list_is_unknown_and_never_empty() {
    let mut refused = files();
    let file = refused.iter_mut().find(|file| file.path.ends_with("roleAssignments.json")).unwrap();
    file.content = b"ERROR: (AuthorizationFailed) The client may not do this.".to_vec();
    let read = inventory(&refused);
    let subscription = read.azure.subscriptions.first().unwrap();
    assert_eq!(subscription.id, SUBSCRIPTION);
    assert!(subscription.role_assignments.missing().unwrap().contains("denied"), "{subscription:?}");
    assert_eq!(subscription.role_definitions, Known::Observed(()));
}

#[test]
fn what_cannot_be_read_is_named_and_does_not_hide_the_rest() {
    let damaged = changed("networkSecurityGroups.json", |value| {
        *value.pointer_mut("/value/0/properties/securityRules/0/properties/destinationPortRange").unwrap() =
            json!("9093-77777");
    });
    let read = inventory(&damaged);
    assert_eq!(read.azure.security_groups.len(), 1);
    let named: Vec<&str> = read.unreadable.iter().map(|entry| entry.pointer.as_str()).collect();
    assert_eq!(named, ["/response/value/0/properties/securityRules/0/properties"]);
}

#[test]
fn secrets_in_answers_are_dropped() {
    let with = changed("virtualMachines.json", |value| {
        let machine = value.pointer_mut("/value/0/properties").unwrap().as_object_mut().unwrap();
        machine.insert(
            "osProfile".to_owned(),
            json!({"adminPassword": "hunter2", "customData": "aHVudGVyMg=="}),
        );
    });
    let text = serde_json::to_string(&records(&with)).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg=="));
}

#[test]
fn keys_carry_their_rotation_and_vaults_who_decides() {
    let azure = inventory(&files()).azure;
    let key = azure.keys.iter().find(|key| key.name == "kafka-data").unwrap();
    assert_eq!(key.rotation_days, Known::Observed(90));
    assert_eq!(key.kind, Known::Observed("RSA-HSM".to_owned()));
    let old = azure.keys.iter().find(|key| key.name == "old").unwrap();
    assert!(old.rotation_days.missing().is_some() && old.kind.missing().is_some());
    let by_roles: Vec<bool> = azure.vaults.iter().map(|vault| vault.role_based).collect();
    assert_eq!(by_roles, [false, true]);
}
