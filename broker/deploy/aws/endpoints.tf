# Private ways to objects, keys, tokens, logs and sessions. Each lets through what brokers need, and nobody else.

resource "aws_vpc_endpoint" "objects" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
  tags              = { Name = "${var.name}-objects" }
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "BrokersToTheDataBucket"
      Effect    = "Allow"
      Principal = { AWS = local.broker_role }
      Action    = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket"]
      Resource  = [local.data_bucket, "${local.data_bucket}/*"]
    }]
  })
}

locals {
  interface_endpoints = {
    kms = [{
      Sid       = "BrokersUseTheDataKey"
      Effect    = "Allow"
      Principal = { AWS = local.broker_role }
      Action    = local.key_use
      Resource  = ["arn:aws:kms:${var.region}:${var.account_id}:key/*"]
    }]
    sts = [{
      Sid       = "BrokersAskWhoTheyAre"
      Effect    = "Allow"
      Principal = { AWS = local.broker_role }
      Action    = ["sts:GetCallerIdentity"]
      Resource  = ["*"]
    }]
    logs = [{
      Sid       = "BrokersWriteTheirLogs"
      Effect    = "Allow"
      Principal = { AWS = local.broker_role }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
      Resource  = ["${local.audit_group}:*"]
    }]
    ssm = [{
      Sid       = "BrokersTakeSessions"
      Effect    = "Allow"
      Principal = { AWS = local.broker_role }
      Action    = ["ssm:UpdateInstanceInformation"]
      Resource  = ["*"]
    }]
    ssmmessages = [{
      Sid       = "BrokersTakeSessions"
      Effect    = "Allow"
      Principal = { AWS = local.broker_role }
      Action    = local.session_channel
      Resource  = ["*"]
    }]
  }
}

resource "aws_vpc_endpoint" "services" {
  for_each            = local.interface_endpoints
  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [module.zone_a.endpoint_subnet, module.zone_b.endpoint_subnet, module.zone_c.endpoint_subnet]
  security_group_ids  = [aws_security_group.endpoints.id]
  policy              = jsonencode({ Version = "2012-10-17", Statement = each.value })
  tags                = { Name = "${var.name}-${each.key}" }
}
