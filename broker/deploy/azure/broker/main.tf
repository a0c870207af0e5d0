# One broker, without a public address, an extension, or a password.

locals {
  name = "${var.configuration.name}-broker-${var.number}"
}

resource "azurerm_network_interface" "this" {
  name                = local.name
  resource_group_name = var.configuration.resource_group
  location            = var.configuration.region
  tags                = { boundary = var.configuration.name }

  ip_configuration {
    name                          = "private"
    subnet_id                     = var.subnet
    private_ip_address_allocation = "Static"
    private_ip_address            = var.address
  }
}

resource "azurerm_linux_virtual_machine" "this" {
  name                            = local.name
  resource_group_name             = var.configuration.resource_group
  location                        = var.configuration.region
  zone                            = tostring(var.number)
  size                            = var.configuration.machine_size
  source_image_id                 = var.configuration.image
  network_interface_ids           = [azurerm_network_interface.this.id]
  admin_username                  = "emergency"
  disable_password_authentication = true
  allow_extension_operations      = false
  encryption_at_host_enabled      = true
  secure_boot_enabled             = true
  vtpm_enabled                    = true
  tags                            = { boundary = var.configuration.name }

  custom_data = base64encode(templatefile("${path.module}/server.properties.tftpl", merge(var.configuration, { broker = var.number })))

  admin_ssh_key {
    username   = "emergency"
    public_key = var.configuration.emergency_ssh_key
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identity]
  }

  os_disk {
    name                   = local.name
    caching                = "None"
    storage_account_type   = "Premium_LRS"
    disk_size_gb           = var.configuration.log_bytes
    disk_encryption_set_id = var.configuration.disk_encryption_set
  }
}
