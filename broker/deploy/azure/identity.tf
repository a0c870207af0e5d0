# Identities of brokers and of the two storage accounts, and roles with what each does and nothing else. Azure's own roles for blobs and keys allow more
# (deleting containers, making delegation keys for others), so that these are written out.

resource "azurerm_user_assigned_identity" "broker" {
  name                = "${var.name}-kafka-broker"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  tags                = local.tags
}

# What the storage service unwraps the keys of the data account with, and what encrypts the disks of brokers.
resource "azurerm_user_assigned_identity" "storage" {
  name                = "${var.name}-kafka-storage"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  tags                = local.tags
}

# The same for the log archive.
resource "azurerm_user_assigned_identity" "archive" {
  name                = "${var.name}-kafka-archive"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  tags                = local.tags
}

locals {
  group_id = "/subscriptions/${var.subscription_id}/resourceGroups/${var.name}-kafka"
}

resource "azurerm_role_definition" "records" {
  name        = "${var.name}: reads and writes records"
  scope       = local.group_id
  description = "Blobs of one container; not the container, not its policies, and no delegation key"
  permissions {
    data_actions = [
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
    ]
  }
  assignable_scopes = [local.group_id]
}

resource "azurerm_role_definition" "key_use" {
  name        = "${var.name}: wraps and unwraps with a key"
  scope       = local.group_id
  description = "What brokers and storage do with a key; nothing that changes it"
  permissions {
    data_actions = [
      "Microsoft.KeyVault/vaults/keys/read",
      "Microsoft.KeyVault/vaults/keys/wrap/action",
      "Microsoft.KeyVault/vaults/keys/unwrap/action",
    ]
  }
  assignable_scopes = [local.group_id]
}

resource "azurerm_role_definition" "key_administration" {
  name        = "${var.name}: administers keys and never uses them"
  scope       = local.group_id
  description = "Keys are made, rotated, disabled and deleted with it; nothing is encrypted or decrypted, and no backup leaves the vault"
  permissions {
    data_actions = [
      "Microsoft.KeyVault/vaults/keys/read",
      "Microsoft.KeyVault/vaults/keys/create/action",
      "Microsoft.KeyVault/vaults/keys/update/action",
      "Microsoft.KeyVault/vaults/keys/rotate/action",
      "Microsoft.KeyVault/vaults/keys/delete",
      "Microsoft.KeyVault/vaults/keys/recover/action",
      "Microsoft.KeyVault/vaults/keyrotationpolicies/read",
      "Microsoft.KeyVault/vaults/keyrotationpolicies/write",
    ]
  }
  assignable_scopes = [local.group_id]
}

resource "azurerm_role_definition" "archive_reading" {
  name        = "${var.name}: reads the log archive"
  scope       = local.group_id
  description = "Reads what was logged; writes and deletes nothing"
  permissions {
    actions      = ["Microsoft.Storage/storageAccounts/blobServices/containers/read"]
    data_actions = ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"]
  }
  assignable_scopes = [local.group_id]
}

resource "azurerm_role_definition" "operation" {
  name        = "${var.name}: starts and restarts brokers"
  scope       = local.group_id
  description = "Machines are started, restarted and looked at; no command runs on them, no disk is read, and no record is seen"
  permissions {
    actions = [
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Compute/virtualMachines/instanceView/read",
      "Microsoft.Compute/virtualMachines/start/action",
      "Microsoft.Compute/virtualMachines/restart/action",
    ]
  }
  assignable_scopes = [local.group_id]
}

resource "azurerm_role_assignment" "broker_records" {
  scope              = azurerm_storage_container.records.id
  role_definition_id = azurerm_role_definition.records.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.broker.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "broker_key" {
  scope              = azurerm_key_vault_key.data.resource_versionless_id
  role_definition_id = azurerm_role_definition.key_use.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.broker.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "storage_key" {
  scope              = azurerm_key_vault_key.data.resource_versionless_id
  role_definition_id = azurerm_role_definition.key_use.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.storage.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "archive_key" {
  scope              = azurerm_key_vault_key.logs.resource_versionless_id
  role_definition_id = azurerm_role_definition.key_use.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.archive.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "key_administrators" {
  for_each           = toset(var.key_administrators)
  scope              = azurerm_key_vault.this.id
  role_definition_id = azurerm_role_definition.key_administration.role_definition_resource_id
  principal_id       = each.value
  principal_type     = "Group"
}

resource "azurerm_role_assignment" "log_administrators" {
  for_each           = toset(var.log_administrators)
  scope              = azurerm_storage_account.logs.id
  role_definition_id = azurerm_role_definition.archive_reading.role_definition_resource_id
  principal_id       = each.value
  principal_type     = "Group"
}

resource "azurerm_role_assignment" "operators" {
  for_each           = toset(var.operators)
  scope              = azurerm_resource_group.this.id
  role_definition_id = azurerm_role_definition.operation.role_definition_resource_id
  principal_id       = each.value
  principal_type     = "Group"
}
