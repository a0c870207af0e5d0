# The account with records: under the customer's key and encrypted twice, without account keys, reached through its private endpoint alone.

resource "azurerm_storage_account" "data" {
  name                              = "${var.name}kafkadata"
  resource_group_name               = azurerm_resource_group.this.name
  location                          = var.region
  account_kind                      = "StorageV2"
  account_tier                      = "Standard"
  account_replication_type          = "ZRS"
  infrastructure_encryption_enabled = true
  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  allowed_copy_scope                = "PrivateLink"
  local_user_enabled                = false
  sftp_enabled                      = false
  public_network_access_enabled     = false
  tags                              = local.tags
  depends_on                        = [azurerm_role_assignment.storage_key]

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.storage.id]
  }

  customer_managed_key {
    key_vault_key_id          = azurerm_key_vault_key.data.versionless_id
    user_assigned_identity_id = azurerm_user_assigned_identity.storage.id
  }

  # A deletion by mistake can be undone for a week, and for no longer: what was deleted is to be gone.
  blob_properties {
    versioning_enabled = false
    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 7
    }
  }
}

resource "azurerm_storage_container" "records" {
  name                  = "records"
  storage_account_id    = azurerm_storage_account.data.id
  container_access_type = "private"
}
