# One network without a way out: no internet gateway, no address translation, no public address.

resource "aws_vpc" "this" {
  cidr_block           = var.network
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-private" }
}

# Whatever is started without a group of its own reaches nothing.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
}

resource "aws_security_group" "brokers" {
  name        = "${var.name}-brokers"
  description = "Brokers: clients in, each other, private endpoints out"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Private endpoints: brokers in, nothing out"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each          = toset(var.client_ranges)
  security_group_id = aws_security_group.brokers.id
  description       = "Clients"
  cidr_ipv4         = each.value
  from_port         = 9093
  to_port           = 9093
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "between_brokers" {
  security_group_id            = aws_security_group.brokers.id
  description                  = "Other brokers"
  referenced_security_group_id = aws_security_group.brokers.id
  from_port                    = 9094
  to_port                      = 9094
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "between_brokers" {
  security_group_id            = aws_security_group.brokers.id
  description                  = "Other brokers"
  referenced_security_group_id = aws_security_group.brokers.id
  from_port                    = 9094
  to_port                      = 9094
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  security_group_id            = aws_security_group.brokers.id
  description                  = "Keys, tokens, logs and sessions"
  referenced_security_group_id = aws_security_group.endpoints.id
  from_port                    = 443
  to_port                      = 443
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "objects" {
  security_group_id = aws_security_group.brokers.id
  description       = "Objects, through the gateway endpoint"
  prefix_list_id    = aws_vpc_endpoint.objects.prefix_list_id
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "sequencer" {
  security_group_id = aws_security_group.brokers.id
  description       = "The sequencer's database"
  cidr_ipv4         = var.sequencer.range
  from_port         = var.sequencer.port
  to_port           = var.sequencer.port
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "Brokers"
  referenced_security_group_id = aws_security_group.brokers.id
  from_port                    = 443
  to_port                      = 443
  ip_protocol                  = "tcp"
}
