# One network without a way out: no public address, no address translation, no route but those between its subnets, and no outbound access of Azure's
# own. What is not listed is refused, in either direction, between machines of the network too.

resource "azurerm_resource_group" "this" {
  name     = "${var.name}-kafka"
  location = var.region
  tags     = local.tags
}

resource "azurerm_virtual_network" "this" {
  name                = "${var.name}-kafka"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  address_space       = [var.network]
  tags                = local.tags
}

resource "azurerm_subnet" "brokers" {
  name                            = "brokers"
  resource_group_name             = azurerm_resource_group.this.name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [local.broker_range]
  default_outbound_access_enabled = false
}

resource "azurerm_subnet" "endpoints" {
  name                              = "endpoints"
  resource_group_name               = azurerm_resource_group.this.name
  virtual_network_name              = azurerm_virtual_network.this.name
  address_prefixes                  = [local.endpoint_range]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled"
}

locals {
  tags           = { boundary = var.name }
  broker_range   = cidrsubnet(var.network, 8, 1)
  endpoint_range = cidrsubnet(var.network, 10, 1016)
}

resource "azurerm_network_security_group" "brokers" {
  name                = "${var.name}-brokers"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  tags                = local.tags

  security_rule {
    name                       = "clients"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefixes    = var.client_ranges
    source_port_range          = "*"
    destination_address_prefix = local.broker_range
    destination_port_range     = "9093"
  }

  security_rule {
    name                       = "between-brokers-in"
    priority                   = 110
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = local.broker_range
    source_port_range          = "*"
    destination_address_prefix = local.broker_range
    destination_port_range     = "9094"
  }

  security_rule {
    name                       = "nothing-else-in"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }

  security_rule {
    name                       = "between-brokers-out"
    priority                   = 100
    direction                  = "Outbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = local.broker_range
    source_port_range          = "*"
    destination_address_prefix = local.broker_range
    destination_port_range     = "9094"
  }

  security_rule {
    name                       = "objects-and-keys"
    priority                   = 110
    direction                  = "Outbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = local.broker_range
    source_port_range          = "*"
    destination_address_prefix = local.endpoint_range
    destination_port_range     = "443"
  }

  security_rule {
    name                       = "sequencer"
    priority                   = 120
    direction                  = "Outbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = local.broker_range
    source_port_range          = "*"
    destination_address_prefix = var.sequencer.range
    destination_port_range     = tostring(var.sequencer.port)
  }

  security_rule {
    name                       = "nothing-else-out"
    priority                   = 4096
    direction                  = "Outbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_network_security_group" "endpoints" {
  name                = "${var.name}-endpoints"
  resource_group_name = azurerm_resource_group.this.name
  location            = var.region
  tags                = local.tags

  security_rule {
    name                       = "brokers"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = local.broker_range
    source_port_range          = "*"
    destination_address_prefix = local.endpoint_range
    destination_port_range     = "443"
  }

  security_rule {
    name                       = "nothing-else-in"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }

  security_rule {
    name                       = "nothing-out"
    priority                   = 4096
    direction                  = "Outbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "brokers" {
  subnet_id                 = azurerm_subnet.brokers.id
  network_security_group_id = azurerm_network_security_group.brokers.id
}

resource "azurerm_subnet_network_security_group_association" "endpoints" {
  subnet_id                 = azurerm_subnet.endpoints.id
  network_security_group_id = azurerm_network_security_group.endpoints.id
}

# Whatever leaves the network's own range is dropped, peerings and learned routes apart: the internet is nobody's next hop.
resource "azurerm_route_table" "private" {
  name                          = "${var.name}-private"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = var.region
  bgp_route_propagation_enabled = true
  tags                          = local.tags

  route {
    name           = "no-internet"
    address_prefix = "0.0.0.0/0"
    next_hop_type  = "None"
  }
}

resource "azurerm_subnet_route_table_association" "brokers" {
  subnet_id      = azurerm_subnet.brokers.id
  route_table_id = azurerm_route_table.private.id
}

resource "azurerm_subnet_route_table_association" "endpoints" {
  subnet_id      = azurerm_subnet.endpoints.id
  route_table_id = azurerm_route_table.private.id
}
