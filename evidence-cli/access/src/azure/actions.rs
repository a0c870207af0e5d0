//! Which actions give which capability, by kind of resource. Sources: "Azure permissions for Storage", "… for Security",
//! "… for Compute", "… for Analytics", "… for Monitor", "… for Networking", "… for Management and governance" (Azure
//! role-based access control documentation).

use cadastre_model::access::{Capability, Damage, Decision, Enabled};

/// Which of a role's lists decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plane {
    Control,
    Data,
}

/// One action and what it gives over a resource.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) action: &'static str,
    pub(super) plane: Plane,
    pub(super) gives: Option<Capability>,
    pub(super) enables: Option<Enabled>,
    pub(super) damage: Option<Damage>,
    pub(super) disguised: bool,
    /// What the resource's own settings make of it.
    pub(super) decision: Decision,
}

const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";

const fn entry(plane: Plane, action: &'static str, gives: Option<Capability>) -> Entry {
    Entry { action, plane, gives, enables: None, damage: None, disguised: false, decision: Decision::Allow }
}

const fn control(action: &'static str, gives: Capability) -> Entry {
    entry(Plane::Control, action, Some(gives))
}

const fn data(action: &'static str, gives: Capability) -> Entry {
    entry(Plane::Data, action, Some(gives))
}

impl Entry {
    const fn damaging(mut self, damage: Damage, disguised: bool) -> Self {
        self.damage = Some(damage);
        self.disguised = disguised;
        self
    }

    fn enabling(mut self, capability: Capability, action: &str) -> Self {
        self.enables = Some(Enabled { capability, action: action.to_owned() });
        self
    }
}

/// Blobs of an account or a container. An account key reads and writes everything ("Prevent Shared Key authorization for
/// an Azure Storage account").
pub(super) fn blobs(shared_key: bool) -> Vec<Entry> {
    use Capability::{ChangePolicy, ReadObjects, WriteObjects};
    const READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
    let mut entries = vec![
        data(READ, ReadObjects),
        data(
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/runAsSuperUser/action",
            ReadObjects,
        ),
        data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", WriteObjects),
        data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action", WriteObjects),
        data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action", WriteObjects),
        data("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete", WriteObjects)
            .damaging(Damage::Destroy, false),
        data(
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/deleteBlobVersion/action",
            WriteObjects,
        )
        .damaging(Damage::Destroy, false),
        data(
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/permanentDelete/action",
            WriteObjects,
        )
        .damaging(Damage::Destroy, false),
        data(
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/modifyPermissions/action",
            ChangePolicy,
        ),
        // Opens the firewall, allows account keys and public containers, changes the encryption key.
        control("Microsoft.Storage/storageAccounts/write", ChangePolicy),
        control("Microsoft.Storage/storageAccounts/blobServices/containers/write", ChangePolicy),
        control("Microsoft.Storage/storageAccounts/blobServices/containers/delete", WriteObjects)
            .damaging(Damage::Destroy, false),
        control("Microsoft.Storage/storageAccounts/delete", WriteObjects).damaging(Damage::Destroy, false),
        control("Microsoft.Storage/storageAccounts/managementPolicies/write", WriteObjects)
            .damaging(Damage::Destroy, true),
        control("Microsoft.Storage/storageAccounts/blobServices/write", WriteObjects)
            .damaging(Damage::Destroy, true),
        control(ASSIGN, ChangePolicy).enabling(ReadObjects, READ),
    ];
    if shared_key {
        for action in [
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/regenerateKey/action",
            "Microsoft.Storage/storageAccounts/listAccountSas/action",
            "Microsoft.Storage/storageAccounts/listServiceSas/action",
        ] {
            entries.push(control(action, ReadObjects));
            entries.push(control(action, WriteObjects));
        }
    }
    entries
}

/// A key of a vault. In a vault with access policies the data actions decide nothing, and whoever writes policies lets in
/// whom it likes ("Azure role-based access control (Azure RBAC) vs. access policies").
pub(super) fn key(role_based: bool, purge_protection: bool) -> Vec<Entry> {
    use Capability::{ChangePolicy, Decrypt, ManageKey};
    const DECRYPT: &str = "Microsoft.KeyVault/vaults/keys/decrypt/action";
    let mut entries = vec![
        control("Microsoft.KeyVault/vaults/delete", ManageKey).damaging(Damage::Destroy, false),
        control("Microsoft.KeyVault/vaults/keys/write", ManageKey),
        control(ASSIGN, ChangePolicy).enabling(Decrypt, DECRYPT),
    ];
    if !purge_protection {
        entries.push(
            control("Microsoft.KeyVault/locations/deletedVaults/purge/action", ManageKey)
                .damaging(Damage::Destroy, false),
        );
    }
    if role_based {
        entries.extend([
            // Opens the firewall; who decides about keys takes role assignments as well.
            control("Microsoft.KeyVault/vaults/write", ManageKey),
            data(DECRYPT, Decrypt),
            data("Microsoft.KeyVault/vaults/keys/unwrap/action", Decrypt),
            data("Microsoft.KeyVault/vaults/keys/release/action", Decrypt),
            data("Microsoft.KeyVault/vaults/keys/create/action", ManageKey),
            data("Microsoft.KeyVault/vaults/keys/import/action", ManageKey),
            data("Microsoft.KeyVault/vaults/keys/restore/action", ManageKey),
            data("Microsoft.KeyVault/vaults/keys/recover/action", ManageKey),
            data("Microsoft.KeyVault/vaults/keys/rotate/action", ManageKey),
            // Disables it, and sets when it expires.
            data("Microsoft.KeyVault/vaults/keys/update/action", ManageKey).damaging(Damage::Destroy, true),
            data("Microsoft.KeyVault/vaults/keyrotationpolicies/write", ManageKey),
            data("Microsoft.KeyVault/vaults/keys/delete", ManageKey).damaging(Damage::Destroy, false),
        ]);
        let purge = data("Microsoft.KeyVault/vaults/keys/purge/action", ManageKey);
        entries.push(if purge_protection { purge } else { purge.damaging(Damage::Destroy, false) });
    } else {
        for action in ["Microsoft.KeyVault/vaults/write", "Microsoft.KeyVault/vaults/accessPolicies/write"] {
            entries.push(control(action, ChangePolicy).enabling(Decrypt, DECRYPT));
        }
    }
    entries
}

/// A virtual machine ("Run scripts in your VM by using managed Run Commands", "Sign in to a Linux virtual machine by using
/// Microsoft Entra ID").
pub(super) fn machine() -> Vec<Entry> {
    use Capability::{ChangePolicy, OperateHost};
    const RUN: &str = "Microsoft.Compute/virtualMachines/runCommand/action";
    vec![
        control(RUN, OperateHost),
        control("Microsoft.Compute/virtualMachines/runCommands/write", OperateHost),
        control("Microsoft.Compute/virtualMachines/extensions/write", OperateHost),
        control("Microsoft.Compute/virtualMachines/write", OperateHost),
        control("Microsoft.SerialConsole/serialPorts/connect/action", OperateHost),
        data("Microsoft.Compute/virtualMachines/login/action", OperateHost),
        data("Microsoft.Compute/virtualMachines/loginAsAdmin/action", OperateHost),
        entry(Plane::Control, "Microsoft.Compute/virtualMachines/delete", None)
            .damaging(Damage::Destroy, false),
        control(ASSIGN, ChangePolicy).enabling(OperateHost, RUN),
    ]
}

/// A managed disk: what it holds can be downloaded ("Secure downloads and uploads of Azure managed disks").
pub(super) fn disk() -> Vec<Entry> {
    use Capability::{ChangePolicy, ReadObjects, WriteObjects};
    const EXPORT: &str = "Microsoft.Compute/disks/beginGetAccess/action";
    vec![
        control(EXPORT, ReadObjects),
        data("Microsoft.Compute/disks/download/action", ReadObjects),
        control("Microsoft.Compute/disks/write", WriteObjects),
        control("Microsoft.Compute/disks/delete", WriteObjects).damaging(Damage::Destroy, false),
        control(ASSIGN, ChangePolicy).enabling(ReadObjects, EXPORT),
    ]
}

/// A diagnostic setting: without it nothing more is logged.
pub(super) fn diagnostic_setting() -> Vec<Entry> {
    use Capability::AlterLogs;
    vec![
        control("Microsoft.Insights/diagnosticSettings/delete", AlterLogs).damaging(Damage::Blind, false),
        control("Microsoft.Insights/diagnosticSettings/write", AlterLogs).damaging(Damage::Blind, true),
    ]
}

/// A network security group.
pub(super) fn security_group() -> Vec<Entry> {
    use Capability::ChangePolicy;
    vec![
        control("Microsoft.Network/networkSecurityGroups/write", ChangePolicy),
        control("Microsoft.Network/networkSecurityGroups/securityRules/write", ChangePolicy),
    ]
}

/// An Event Hubs namespace ("Authorize access to Event Hubs resources using Microsoft Entra ID").
pub(super) fn event_hubs(roles_only: bool) -> Vec<Entry> {
    use Capability::{ChangePolicy, ReadRecords, WriteRecords};
    const RECEIVE: &str = "Microsoft.EventHub/namespaces/messages/receive/action";
    let mut entries = vec![
        data(RECEIVE, ReadRecords),
        data("Microsoft.EventHub/namespaces/messages/send/action", WriteRecords),
        control("Microsoft.EventHub/namespaces/write", ChangePolicy),
        control(ASSIGN, ChangePolicy).enabling(ReadRecords, RECEIVE),
        entry(Plane::Control, "Microsoft.EventHub/namespaces/delete", None).damaging(Damage::Destroy, false),
    ];
    if !roles_only {
        for action in [
            "Microsoft.EventHub/namespaces/authorizationRules/listkeys/action",
            "Microsoft.EventHub/namespaces/authorizationRules/regenerateKeys/action",
        ] {
            entries.push(control(action, ReadRecords));
            entries.push(control(action, WriteRecords));
        }
    }
    entries
}
