//! Hand-derived answers. Sources: "Understand Azure role definitions", "Understand scope for Azure RBAC", "Understand Azure
//! deny assignments", "Azure role-based access control (Azure RBAC) vs. access policies", "Prevent Shared Key
//! authorization for an Azure Storage account" (Microsoft Learn).

use cadastre_model::Known;
use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::compute::VirtualMachine;
use cadastre_model::asset::azure::identity::{DenyAssignment, Permission, RoleAssignment, RoleDefinition};
use cadastre_model::asset::azure::keys::{AccessPolicy, KeyVault, VaultKey};
use cadastre_model::asset::azure::stores::{BlobContainer, StorageAccount};
use cadastre_model::asset::azure::{AzureInventory, Subscription};
use cadastre_model::record::RecordId;

use super::{Edges, evaluate};

const GROUP: &str = "/subscriptions/s/resourcegroups/g";
const ACCOUNT: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/a";
const CONTAINER: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/a/blobservices/default/containers/c";
const VAULT: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.keyvault/vaults/v";
const KEY: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.keyvault/vaults/v/keys/k";
const MACHINE: &str = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/m";
const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
const LIST_KEYS: &str = "Microsoft.Storage/storageAccounts/listKeys/action";
const UNWRAP: &str = "Microsoft.KeyVault/vaults/keys/unwrap/action";

fn record() -> RecordId {
    serde_json::from_value(serde_json::Value::from("sha256:00")).unwrap()
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn permission(actions: &[&str], not_actions: &[&str], data: &[&str], not_data: &[&str]) -> Permission {
    Permission {
        actions: texts(actions),
        not_actions: texts(not_actions),
        data_actions: texts(data),
        not_data_actions: texts(not_data),
        condition: None,
    }
}

fn role(id: &str, permissions: Vec<Permission>) -> RoleDefinition {
    RoleDefinition {
        id: id.to_owned(),
        name: id.to_owned(),
        kind: "CustomRole".to_owned(),
        permissions,
        record: record(),
        pointer: format!("/response/value/{id}"),
        evidence: EvidenceIds::new(),
    }
}

fn assignment(scope: &str, principal: &str, definition: &str) -> RoleAssignment {
    RoleAssignment {
        id: format!("{scope}/{principal}/{definition}"),
        scope: scope.to_owned(),
        principal: principal.to_owned(),
        principal_kind: "User".to_owned(),
        definition: definition.to_owned(),
        listed_in: "s".to_owned(),
        condition: None,
        record: record(),
        pointer: "/response/value/0".to_owned(),
        evidence: EvidenceIds::new(),
    }
}

fn denial(scope: &str, principals: &[&str], excluded: &[&str], actions: Permission) -> DenyAssignment {
    DenyAssignment {
        id: "d".to_owned(),
        name: "d".to_owned(),
        scope: scope.to_owned(),
        listed_in: "s".to_owned(),
        not_below: false,
        permissions: vec![actions],
        principals: texts(principals),
        excluded: texts(excluded),
        groups: false,
        condition: None,
        record: record(),
        pointer: String::new(),
        evidence: EvidenceIds::new(),
    }
}

/// One subscription with an account, a container, a vault with a key, and a machine.
fn world() -> AzureInventory {
    let evidence = EvidenceIds::new;
    AzureInventory {
        subscriptions: vec![Subscription {
            id: "s".to_owned(),
            tenant: Known::Observed("t".to_owned()),
            role_definitions: Known::Observed(()),
            role_assignments: Known::Observed(()),
            deny_assignments: Known::Observed(()),
            interfaces: Known::Observed(()),
            evidence: evidence(),
        }],
        storage_accounts: vec![StorageAccount {
            id: ACCOUNT.to_owned(),
            name: "a".to_owned(),
            subscription: "s".to_owned(),
            region: "westeurope".to_owned(),
            key_source: "Microsoft.Storage".to_owned(),
            key: None,
            key_version: None,
            shared_key: true,
            public_containers: Known::Observed(false),
            https_only: true,
            minimum_tls: None,
            public_access: true,
            open_by_default: true,
            replication: "Standard_LRS".to_owned(),
            evidence: evidence(),
        }],
        containers: vec![BlobContainer {
            id: CONTAINER.to_owned(),
            name: "c".to_owned(),
            account: ACCOUNT.to_owned(),
            public: "None".to_owned(),
            immutable: false,
            evidence: EvidenceIds::from([record()]),
        }],
        vaults: vec![KeyVault {
            id: VAULT.to_owned(),
            name: "v".to_owned(),
            subscription: "s".to_owned(),
            region: "westeurope".to_owned(),
            uri: "https://v.vault.azure.net/".to_owned(),
            role_based: true,
            policies: vec![AccessPolicy {
                principal: "p".to_owned(),
                application: None,
                keys: texts(&["get", "unwrapkey", "purge"]),
                record: record(),
                pointer: "/response/value/0/properties/accessPolicies/0".to_owned(),
            }],
            kept_days: Some(90),
            purge_protection: true,
            public_access: false,
            open_by_default: false,
            evidence: evidence(),
        }],
        keys: vec![VaultKey {
            id: KEY.to_owned(),
            name: "k".to_owned(),
            vault: VAULT.to_owned(),
            kind: Known::Absent,
            enabled: Known::Observed(true),
            expires: Known::Absent,
            rotation_days: Known::Absent,
            evidence: evidence(),
        }],
        machines: vec![VirtualMachine {
            id: MACHINE.to_owned(),
            name: "m".to_owned(),
            subscription: "s".to_owned(),
            region: "westeurope".to_owned(),
            interfaces: Vec::new(),
            identities: texts(&["identity"]),
            disks: Vec::new(),
            evidence: evidence(),
        }],
        ..AzureInventory::default()
    }
}

fn edges(inventory: &AzureInventory) -> Edges {
    let mut edges = Edges::default();
    evaluate(inventory, &mut edges);
    edges
}

/// Who has a capability over a target, and how certainly: all ways taken together.
#[track_caller]
fn check(
    inventory: &AzureInventory,
    principal: &str,
    capability: Capability,
    target: &str,
    expected: &Decision,
) {
    let decision = edges(inventory)
        .all
        .into_iter()
        .filter(|edge| edge.principal == principal && edge.target == target && edge.capability == capability)
        .map(|edge| edge.decision)
        .fold(Decision::Deny, Decision::or);
    assert_eq!(&decision, expected);
}

fn with(roles: Vec<RoleDefinition>, assignments: Vec<RoleAssignment>) -> AzureInventory {
    AzureInventory { role_definitions: roles, role_assignments: assignments, ..world() }
}

use Capability::{Assume, ChangePolicy, Decrypt, OperateHost, ReadObjects};

#[test]
fn data_is_read_by_data_actions_and_not_by_wildcards_of_the_control_plane() {
    let reader = || role("reader", vec![permission(&["*/read"], &[], &[], &[])]);
    let blobs = || role("blobs", vec![permission(&[], &[], &["Microsoft.Storage/*/blobs/*"], &[])]);
    let inventory = with(
        vec![reader(), blobs()],
        vec![assignment(GROUP, "p", "reader"), assignment(GROUP, "q", "blobs")],
    );
    check(&inventory, "entra:p", ReadObjects, ACCOUNT, &Decision::Deny);
    check(&inventory, "entra:q", ReadObjects, ACCOUNT, &Decision::Allow);
    check(&inventory, "entra:q", ReadObjects, CONTAINER, &Decision::Allow);
}

#[test]
fn not_actions_take_out_of_their_own_permission_and_deny_nothing() {
    let contributor = role("c", vec![permission(&["*"], &["Microsoft.Authorization/*/Write"], &[], &[])]);
    let admin = role("u", vec![permission(&["Microsoft.Authorization/*"], &[], &[], &[])]);
    let one = with(vec![contributor.clone()], vec![assignment("/", "p", "c")]);
    check(&one, "entra:p", ReadObjects, ACCOUNT, &Decision::Allow);
    let assigns = |inventory: &AzureInventory| {
        let all = edges(inventory).all;
        all.iter().any(|edge| edge.action == "Microsoft.Authorization/roleAssignments/write")
    };
    assert!(!assigns(&one));
    let both = with(vec![contributor, admin], vec![assignment("/", "p", "c"), assignment("/", "p", "u")]);
    assert!(assigns(&both));
}

#[test]
fn assignments_hold_at_their_scope_and_below_and_for_a_part_from_below() {
    let blobs = || vec![role("blobs", vec![permission(&[], &[], &[READ], &[])])];
    let at = |scope: &str| with(blobs(), vec![assignment(scope, "p", "blobs")]);
    for scope in
        ["/", "/providers/microsoft.management/managementgroups/corp", "/subscriptions/s", GROUP, ACCOUNT]
    {
        check(&at(scope), "entra:p", ReadObjects, CONTAINER, &Decision::Allow);
    }
    check(&at("/subscriptions/s/resourcegroups/g2"), "entra:p", ReadObjects, ACCOUNT, &Decision::Deny);
    check(&at("/subscriptions/s/resourcegroups/"), "entra:p", ReadObjects, ACCOUNT, &Decision::Deny);
    let part = Decision::Conditional(format!("within `{CONTAINER}`"));
    check(&at(CONTAINER), "entra:p", ReadObjects, ACCOUNT, &part);
    let mut elsewhere = at("/");
    elsewhere.role_assignments.iter_mut().for_each(|own| own.listed_in = "other".to_owned());
    check(&elsewhere, "entra:p", ReadObjects, ACCOUNT, &Decision::Deny);
}

#[test]
fn account_keys_read_everything_unless_they_are_switched_off() {
    let keys = || vec![role("keys", vec![permission(&[LIST_KEYS], &[], &[], &[])])];
    let mut inventory = with(keys(), vec![assignment(ACCOUNT, "p", "keys")]);
    check(&inventory, "entra:p", ReadObjects, ACCOUNT, &Decision::Allow);
    check(&inventory, "entra:p", ReadObjects, CONTAINER, &Decision::Allow);
    inventory.storage_accounts.iter_mut().for_each(|account| account.shared_key = false);
    check(&inventory, "entra:p", ReadObjects, ACCOUNT, &Decision::Deny);
}

#[test]
fn who_decides_about_keys_is_either_roles_or_access_policies() {
    let crypto = || vec![role("crypto", vec![permission(&[], &[], &[UNWRAP], &[])])];
    let mut inventory = with(crypto(), vec![assignment(VAULT, "q", "crypto")]);
    check(&inventory, "entra:q", Decrypt, KEY, &Decision::Allow);
    check(&inventory, "entra:p", Decrypt, KEY, &Decision::Deny);
    inventory.vaults.iter_mut().for_each(|vault| vault.role_based = false);
    check(&inventory, "entra:q", Decrypt, KEY, &Decision::Deny);
    check(&inventory, "entra:p", Decrypt, KEY, &Decision::Allow);
}

#[test]
fn whoever_writes_access_policies_or_assignments_gains_the_keys() {
    let writer = || vec![role("w", vec![permission(&["Microsoft.KeyVault/vaults/write"], &[], &[], &[])])];
    let enabling = |inventory: &AzureInventory| {
        let all = edges(inventory).all;
        all.iter()
            .filter(|edge| edge.capability == ChangePolicy && edge.target == KEY)
            .filter_map(|edge| edge.enables.as_ref().map(|enabled| enabled.capability))
            .collect::<Vec<_>>()
    };
    let mut inventory = with(writer(), vec![assignment(VAULT, "p", "w")]);
    assert_eq!(enabling(&inventory), []);
    inventory.vaults.iter_mut().for_each(|vault| vault.role_based = false);
    assert_eq!(enabling(&inventory), [Decrypt]);
    let owner = vec![role("o", vec![permission(&["*"], &[], &[], &[])])];
    assert_eq!(enabling(&with(owner, vec![assignment(VAULT, "p", "o")])), [Decrypt]);
}

#[test]
fn whoever_runs_commands_on_a_machine_is_whom_it_runs_as() {
    let run = "Microsoft.Compute/virtualMachines/runCommand/action";
    let inventory = with(
        vec![role("run", vec![permission(&[run], &[], &[], &[])])],
        vec![assignment(MACHINE, "p", "run")],
    );
    check(&inventory, "entra:p", OperateHost, MACHINE, &Decision::Allow);
    check(&inventory, "entra:p", Assume, "entra:identity", &Decision::Allow);
}

#[test]
fn conditions_stay_as_they_are_written() {
    let mut inventory = with(
        vec![role("blobs", vec![permission(&[], &[], &[READ], &[])])],
        vec![assignment(ACCOUNT, "p", "blobs")],
    );
    inventory
        .role_assignments
        .iter_mut()
        .for_each(|own| own.condition = Some("(@Resource[x]\n  y 'z')".to_owned()));
    check(
        &inventory,
        "entra:p",
        ReadObjects,
        ACCOUNT,
        &Decision::Conditional("(@Resource[x] y 'z')".to_owned()),
    );
}

#[test]
fn deny_assignments_outweigh_roles_for_those_they_bind() {
    let blobs = || {
        with(
            vec![role("blobs", vec![permission(&[], &[], &[READ], &[])])],
            vec![assignment(GROUP, "p", "blobs")],
        )
    };
    let everybody = "00000000-0000-0000-0000-000000000000";
    let data = || permission(&[], &[], &["*"], &[]);
    let denied = |denial: DenyAssignment| AzureInventory { deny_assignments: vec![denial], ..blobs() };
    check(
        &denied(denial(ACCOUNT, &[everybody], &[], data())),
        "entra:p",
        ReadObjects,
        ACCOUNT,
        &Decision::Deny,
    );
    check(&denied(denial(ACCOUNT, &["p"], &[], data())), "entra:p", ReadObjects, ACCOUNT, &Decision::Deny);
    check(
        &denied(denial(ACCOUNT, &[everybody], &["p"], data())),
        "entra:p",
        ReadObjects,
        ACCOUNT,
        &Decision::Allow,
    );
    check(&denied(denial(ACCOUNT, &["q"], &[], data())), "entra:p", ReadObjects, ACCOUNT, &Decision::Allow);
    let control = permission(&["*"], &[], &[], &[]);
    check(&denied(denial(ACCOUNT, &["p"], &[], control)), "entra:p", ReadObjects, ACCOUNT, &Decision::Allow);
    let taken_out = permission(&[], &[], &["*"], &["*/blobs/read"]);
    check(
        &denied(denial(ACCOUNT, &["p"], &[], taken_out)),
        "entra:p",
        ReadObjects,
        ACCOUNT,
        &Decision::Allow,
    );
    let here_only = DenyAssignment { not_below: true, ..denial(GROUP, &["p"], &[], data()) };
    check(&denied(here_only), "entra:p", ReadObjects, ACCOUNT, &Decision::Allow);
    let of_groups = DenyAssignment { groups: true, ..denial(ACCOUNT, &["some-group"], &[], data()) };
    let open = Decision::Unknown("whether deny assignment `d` binds it".to_owned());
    check(&denied(of_groups), "entra:p", ReadObjects, ACCOUNT, &open);
}

#[test]
fn what_was_not_read_is_unknown_and_never_a_yes_or_a_no() {
    let mut inventory = with(
        vec![role("blobs", vec![permission(&[], &[], &[READ], &[])])],
        vec![assignment(GROUP, "p", "blobs")],
    );
    inventory.role_assignments.push(assignment(GROUP, "q", "not-read"));
    let told = |inventory: &AzureInventory, text: &str| {
        edges(inventory).unknown.iter().any(|(target, missing)| target == ACCOUNT && missing.contains(text))
    };
    assert!(told(&inventory, "role definition `not-read`"));
    let subscription = inventory.subscriptions.first_mut().unwrap();
    subscription.deny_assignments = Known::Unknown("denied".to_owned());
    subscription.role_assignments = Known::Unknown("cut short".to_owned());
    check(&inventory, "entra:p", ReadObjects, ACCOUNT, &Decision::Unknown("denied".to_owned()));
    assert!(told(&inventory, "role assignments of its subscription: cut short"));
}

#[test]
fn anybody_reads_a_public_container_where_the_account_allows_it() {
    let mut inventory = world();
    inventory.containers.iter_mut().for_each(|container| container.public = "Blob".to_owned());
    check(&inventory, "*", ReadObjects, CONTAINER, &Decision::Deny);
    inventory
        .storage_accounts
        .iter_mut()
        .for_each(|account| account.public_containers = Known::Observed(true));
    check(&inventory, "*", ReadObjects, CONTAINER, &Decision::Allow);
}
