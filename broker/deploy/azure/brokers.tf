# Three machines, one in each zone, called one by one: what a plan says of each is then known before it is applied. Disks and what passes between
# machine and disk are encrypted under the customer's key, and what the broker writes there and to the store by the broker itself.

resource "azurerm_disk_encryption_set" "brokers" {
  name                      = "${var.name}-brokers"
  resource_group_name       = azurerm_resource_group.this.name
  location                  = var.region
  key_vault_key_id          = azurerm_key_vault_key.data.versionless_id
  encryption_type           = "EncryptionAtRestWithPlatformAndCustomerKeys"
  auto_key_rotation_enabled = true
  tags                      = local.tags
  depends_on                = [azurerm_role_assignment.storage_key]

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.storage.id]
  }
}

module "broker_1" {
  source        = "./broker"
  number        = 1
  address       = cidrhost(local.broker_range, 11)
  subnet        = azurerm_subnet.brokers.id
  identity      = azurerm_user_assigned_identity.broker.id
  configuration = local.configuration
}

module "broker_2" {
  source        = "./broker"
  number        = 2
  address       = cidrhost(local.broker_range, 12)
  subnet        = azurerm_subnet.brokers.id
  identity      = azurerm_user_assigned_identity.broker.id
  configuration = local.configuration
}

module "broker_3" {
  source        = "./broker"
  number        = 3
  address       = cidrhost(local.broker_range, 13)
  subnet        = azurerm_subnet.brokers.id
  identity      = azurerm_user_assigned_identity.broker.id
  configuration = local.configuration
}

locals {
  configuration = {
    name                = var.name
    resource_group      = azurerm_resource_group.this.name
    region              = var.region
    image               = var.image
    machine_size        = var.machine_size
    log_bytes           = var.log_bytes
    disk_encryption_set = azurerm_disk_encryption_set.brokers.id
    emergency_ssh_key   = var.emergency_ssh_key
    client_id           = azurerm_user_assigned_identity.broker.client_id
    key                 = azurerm_key_vault_key.data.versionless_id
    account             = azurerm_storage_account.data.name
    container           = azurerm_storage_container.records.name
    sequencer           = var.sequencer.url
  }
}
