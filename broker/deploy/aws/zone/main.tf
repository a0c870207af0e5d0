# One zone: a subnet for a broker, one for private endpoints, and the broker, without a public address. Its volume is encrypted by the data key, and
# what the broker writes there and to the store by the broker itself.

resource "aws_subnet" "brokers" {
  vpc_id                  = var.vpc
  availability_zone       = var.zone
  cidr_block              = cidrsubnet(var.network, 8, var.number)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-brokers-${var.number}" }
}

resource "aws_subnet" "endpoints" {
  vpc_id                  = var.vpc
  availability_zone       = var.zone
  cidr_block              = cidrsubnet(var.network, 10, 1015 + var.number)
  map_public_ip_on_launch = false
  tags                    = { Name = "${var.name}-endpoints-${var.number}" }
}

resource "aws_route_table_association" "brokers" {
  subnet_id      = aws_subnet.brokers.id
  route_table_id = var.route_table
}

resource "aws_route_table_association" "endpoints" {
  subnet_id      = aws_subnet.endpoints.id
  route_table_id = var.route_table
}

resource "aws_instance" "broker" {
  ami                         = var.image
  instance_type               = var.instance_type
  subnet_id                   = aws_subnet.brokers.id
  private_ip                  = cidrhost(cidrsubnet(var.network, 8, var.number), 10)
  vpc_security_group_ids      = [var.security_group]
  iam_instance_profile        = var.instance_profile
  associate_public_ip_address = false
  ebs_optimized               = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    kms_key_id  = var.key
    volume_type = "gp3"
    volume_size = var.log_bytes
  }

  user_data_replace_on_change = true
  user_data                   = templatefile("${path.module}/server.properties.tftpl", merge(var.configuration, { broker = var.number, zone = var.zone }))

  tags = { Name = "${var.name}-broker-${var.number}" }
}
