# Activity log, key uses, object access and flow logs, in an account of their own. What Azure Monitor appends there nobody can change or delete before
# its time.

resource "azurerm_storage_account" "logs" {
  name                              = "${var.name}kafkalogs"
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
  local_user_enabled                = false
  sftp_enabled                      = false
  public_network_access_enabled     = false
  tags                              = local.tags
  depends_on                        = [azurerm_role_assignment.archive_key]

  # Azure Monitor and Network Watcher write as trusted services.
  network_rules {
    default_action             = "Deny"
    bypass                     = ["AzureServices"]
    ip_rules                   = []
    virtual_network_subnet_ids = []
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.archive.id]
  }

  customer_managed_key {
    key_vault_key_id          = azurerm_key_vault_key.logs.versionless_id
    user_assigned_identity_id = azurerm_user_assigned_identity.archive.id
  }

  # Flow logs are written again and again while an hour lasts, which an immutable container refuses: each state of theirs is kept as a version.
  blob_properties {
    versioning_enabled = true
    delete_retention_policy {
      days = 365
    }
    container_delete_retention_policy {
      days = 365
    }
  }
}

locals {
  # The containers that Azure Monitor writes into, by the category of the log.
  archives = {
    activity       = "insights-activity-logs"
    key_use        = "insights-logs-auditevent"
    object_reads   = "insights-logs-storageread"
    object_writes  = "insights-logs-storagewrite"
    object_deletes = "insights-logs-storagedelete"
  }
}

resource "azurerm_storage_container" "archives" {
  for_each              = local.archives
  name                  = each.value
  storage_account_id    = azurerm_storage_account.logs.id
  container_access_type = "private"
}

resource "azurerm_storage_container_immutability_policy" "archives" {
  for_each                              = local.archives
  storage_container_resource_manager_id = azurerm_storage_container.archives[each.key].id
  immutability_period_in_days           = var.log_retention_days
  locked                                = true
  protected_append_writes_enabled       = true
  protected_append_writes_all_enabled   = false
}

resource "azurerm_monitor_diagnostic_setting" "activity" {
  name               = "${var.name}-activity"
  target_resource_id = "/subscriptions/${var.subscription_id}"
  storage_account_id = azurerm_storage_account.logs.id
  depends_on         = [azurerm_storage_container_immutability_policy.archives]

  enabled_log {
    category = "Administrative"
  }
  enabled_log {
    category = "Security"
  }
  enabled_log {
    category = "Policy"
  }
}

resource "azurerm_monitor_diagnostic_setting" "keys" {
  name               = "${var.name}-keys"
  target_resource_id = azurerm_key_vault.this.id
  storage_account_id = azurerm_storage_account.logs.id
  depends_on         = [azurerm_storage_container_immutability_policy.archives]

  enabled_log {
    category = "AuditEvent"
  }
}

resource "azurerm_monitor_diagnostic_setting" "data_objects" {
  name               = "${var.name}-data-objects"
  target_resource_id = "${azurerm_storage_account.data.id}/blobServices/default"
  storage_account_id = azurerm_storage_account.logs.id
  depends_on         = [azurerm_storage_container_immutability_policy.archives]

  enabled_log {
    category = "StorageRead"
  }
  enabled_log {
    category = "StorageWrite"
  }
  enabled_log {
    category = "StorageDelete"
  }
}

resource "azurerm_monitor_diagnostic_setting" "logs_objects" {
  name               = "${var.name}-logs-objects"
  target_resource_id = "${azurerm_storage_account.logs.id}/blobServices/default"
  storage_account_id = azurerm_storage_account.logs.id
  depends_on         = [azurerm_storage_container_immutability_policy.archives]

  enabled_log {
    category = "StorageRead"
  }
  enabled_log {
    category = "StorageWrite"
  }
  enabled_log {
    category = "StorageDelete"
  }
}

resource "azurerm_network_watcher_flow_log" "this" {
  name                 = "${var.name}-kafka"
  network_watcher_name = var.network_watcher.name
  resource_group_name  = var.network_watcher.resource_group
  target_resource_id   = azurerm_virtual_network.this.id
  storage_account_id   = azurerm_storage_account.logs.id
  location             = var.region
  enabled              = true
  version              = 2
  tags                 = local.tags

  retention_policy {
    enabled = true
    days    = min(var.log_retention_days, 365)
  }
}
