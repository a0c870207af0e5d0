# One vault with two keys in hardware, for records and for logs. Who may do what is a matter of roles alone; the vault answers from inside the network
# and to Azure's own storage service, and a deleted key can be brought back for 90 days by nobody's leave but a key administrator's.

resource "azurerm_key_vault" "this" {
  name                          = "${var.name}-kafka-keys"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = var.region
  tenant_id                     = var.tenant_id
  sku_name                      = "premium"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = false
  tags                          = local.tags

  network_acls {
    default_action = "Deny"
    bypass         = "AzureServices"
  }
}

resource "azurerm_key_vault_key" "data" {
  name         = "data"
  key_vault_id = azurerm_key_vault.this.id
  key_type     = "RSA-HSM"
  key_size     = 4096
  key_opts     = ["wrapKey", "unwrapKey"]
  tags         = local.tags
  depends_on   = [azurerm_role_assignment.key_administrators]

  rotation_policy {
    automatic {
      time_after_creation = "P365D"
    }
  }
}

resource "azurerm_key_vault_key" "logs" {
  name         = "logs"
  key_vault_id = azurerm_key_vault.this.id
  key_type     = "RSA-HSM"
  key_size     = 4096
  key_opts     = ["wrapKey", "unwrapKey"]
  tags         = local.tags
  depends_on   = [azurerm_role_assignment.key_administrators]

  rotation_policy {
    automatic {
      time_after_creation = "P365D"
    }
  }
}

# Whoever changes the vault, its keys or who may use them is heard of.
resource "azurerm_monitor_action_group" "keys" {
  name                = "${var.name}-keys"
  resource_group_name = azurerm_resource_group.this.name
  short_name          = "keys"
  tags                = local.tags

  email_receiver {
    name          = "rota"
    email_address = var.alarm_address
  }
}

resource "azurerm_monitor_activity_log_alert" "vault" {
  name                = "${var.name}-vault-changed"
  resource_group_name = azurerm_resource_group.this.name
  location            = "global"
  scopes              = [azurerm_key_vault.this.id]
  description         = "The vault was changed or deleted"
  tags                = local.tags

  criteria {
    category          = "Administrative"
    resource_provider = "Microsoft.KeyVault"
  }

  action {
    action_group_id = azurerm_monitor_action_group.keys.id
  }
}

resource "azurerm_monitor_activity_log_alert" "roles" {
  name                = "${var.name}-roles-changed"
  resource_group_name = azurerm_resource_group.this.name
  location            = "global"
  scopes              = [azurerm_resource_group.this.id]
  description         = "Somebody was given a role, or lost one"
  tags                = local.tags

  criteria {
    category          = "Administrative"
    resource_provider = "Microsoft.Authorization"
  }

  action {
    action_group_id = azurerm_monitor_action_group.keys.id
  }
}
