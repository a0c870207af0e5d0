//! Resources that capabilities are about, with what actions give over each, and what their own settings grant.

use cadastre_model::Known;
use cadastre_model::access::Damage;
use cadastre_model::access::{Capability, CapabilityEdge, Decision, Destruction};
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::keys::{AccessPolicy, KeyVault};

use super::actions::{self, Entry};
use super::principal_id;
use crate::bulk::Edges;

/// A resource.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) id: String,
    pub(super) subscription: String,
    pub(super) entries: Vec<Entry>,
    /// Object ids of the identities that a machine runs as.
    pub(super) identities: &'a [String],
}

/// Every resource of the evidence that somebody may have a capability over.
pub(super) fn all(inventory: &AzureInventory) -> Vec<Target<'_>> {
    let mut targets = Vec::new();
    let mut add = |id: &str, subscription: &str, entries: Vec<Entry>| {
        targets.push(Target {
            id: id.to_owned(),
            subscription: subscription.to_owned(),
            entries,
            identities: &[],
        });
    };
    for account in &inventory.storage_accounts {
        add(&account.id, &account.subscription, actions::blobs(account.shared_key));
    }
    for container in &inventory.containers {
        let account = inventory.storage_accounts.iter().find(|account| account.id == container.account);
        let shared_key = account.is_none_or(|account| account.shared_key);
        let subscription = subscription_of(&container.id);
        add(&container.id, &subscription, actions::blobs(shared_key));
    }
    for key in &inventory.keys {
        // A vault that was not read may be of either kind.
        let vault = inventory.vaults.iter().find(|vault| vault.id == key.vault);
        let entries = actions::key(
            vault.is_none_or(|vault| vault.role_based),
            vault.is_some_and(|vault| vault.purge_protection),
        );
        add(&key.id, &subscription_of(&key.id), entries);
    }
    for machine in &inventory.machines {
        for disk in &machine.disks {
            add(disk, &machine.subscription, actions::disk());
        }
    }
    for setting in &inventory.diagnostic_settings {
        add(&setting.id, &subscription_of(&setting.id), actions::diagnostic_setting());
    }
    for group in &inventory.security_groups {
        add(&group.id, &subscription_of(&group.id), actions::security_group());
    }
    for namespace in &inventory.event_hubs {
        add(&namespace.id, &namespace.subscription, actions::event_hubs(namespace.roles_only));
    }
    for machine in &inventory.machines {
        targets.push(Target {
            id: machine.id.clone(),
            subscription: machine.subscription.clone(),
            entries: actions::machine(),
            identities: &machine.identities,
        });
    }
    targets
}

fn subscription_of(id: &str) -> String {
    id.split('/').nth(2).unwrap_or_default().to_owned()
}

/// Key permissions of access policies and what they give ("Assign a Key Vault access policy").
const PERMISSIONS: [(&str, Capability, Option<Damage>); 14] = [
    ("decrypt", Capability::Decrypt, None),
    ("unwrapkey", Capability::Decrypt, None),
    ("release", Capability::Decrypt, None),
    ("create", Capability::ManageKey, None),
    ("import", Capability::ManageKey, None),
    ("restore", Capability::ManageKey, None),
    ("recover", Capability::ManageKey, None),
    ("rotate", Capability::ManageKey, None),
    ("setrotationpolicy", Capability::ManageKey, None),
    ("update", Capability::ManageKey, Some(Damage::Destroy)),
    ("delete", Capability::ManageKey, Some(Damage::Destroy)),
    ("purge", Capability::ManageKey, Some(Damage::Destroy)),
    ("all", Capability::Decrypt, None),
    ("all", Capability::ManageKey, Some(Damage::Destroy)),
];

/// What access policies allow, in vaults where they decide.
pub(super) fn access_policies(inventory: &AzureInventory, edges: &mut Edges) {
    for vault in inventory.vaults.iter().filter(|vault| !vault.role_based) {
        for key in inventory.keys.iter().filter(|key| key.vault == vault.id) {
            for policy in &vault.policies {
                for (permission, capability, damage) in PERMISSIONS {
                    if policy.keys.iter().any(|own| own == permission) {
                        let damage = damage.filter(|_| permission != "purge" || !vault.purge_protection);
                        grant(vault, policy, &key.id, permission, capability, damage, edges);
                    }
                }
            }
        }
    }
}

fn grant(
    vault: &KeyVault,
    policy: &AccessPolicy,
    key: &str,
    permission: &str,
    capability: Capability,
    damage: Option<Damage>,
    edges: &mut Edges,
) {
    let decision = match &policy.application {
        None => Decision::Allow,
        Some(application) => Decision::Conditional(format!("through application `{application}`")),
    };
    let statements = vec![StatementRef {
        policy: format!("access policy of {}", vault.name).as_str().into(),
        record: policy.record.clone(),
        pointer: policy.pointer.as_str().into(),
    }];
    let principal = principal_id(&policy.principal);
    let action = format!("keys/{permission}");
    if let Some(damage) = damage {
        edges.destruction.push(Destruction {
            principal: principal.clone(),
            damage,
            target: key.to_owned(),
            action: action.clone(),
            disguised: permission == "update",
            decision: decision.clone(),
            statements: statements.clone(),
        });
    }
    edges.all.push(CapabilityEdge {
        principal,
        capability,
        target: key.to_owned(),
        decision,
        action,
        statements,
        choices: Vec::new(),
        enables: None,
        summary: false,
    });
}

/// Containers that anybody reads ("Overview: Remediating anonymous read access for blob data").
pub(super) fn public_containers(inventory: &AzureInventory, edges: &mut Edges) {
    for container in
        inventory.containers.iter().filter(|container| !container.public.eq_ignore_ascii_case("None"))
    {
        let account = inventory.storage_accounts.iter().find(|account| account.id == container.account);
        let decision = match account.map(|account| &account.public_containers) {
            Some(Known::Observed(false) | Known::Absent) => continue,
            Some(Known::Observed(true)) => Decision::Allow,
            Some(Known::Unknown(missing)) => Decision::Unknown(missing.clone()),
            None => Decision::Unknown("its storage account is not in the evidence".to_owned()),
        };
        let statements: Vec<StatementRef> = container
            .evidence
            .iter()
            .take(1)
            .map(|record| StatementRef {
                policy: format!("public access of {}", container.name).as_str().into(),
                record: record.clone(),
                pointer: "/response".into(),
            })
            .collect();
        for (target, decision) in [
            (&container.id, decision.clone()),
            (&container.account, decision.and(Decision::Conditional(format!("within `{}`", container.id)))),
        ] {
            edges.all.push(CapabilityEdge {
                principal: "*".to_owned(),
                capability: Capability::ReadObjects,
                target: target.clone(),
                decision,
                action: "anonymous read".to_owned(),
                statements: statements.clone(),
                choices: Vec::new(),
                enables: None,
                summary: false,
            });
        }
    }
}
