# Three zones, one broker in each, called one by one: what a plan says of each is then known before it is applied.

locals {
  configuration = {
    name        = var.name
    region      = var.region
    key         = aws_kms_key.data.arn
    data_bucket = local.data_bucket_name
    sequencer   = var.sequencer.url
  }
}

module "zone_a" {
  source           = "./zone"
  name             = var.name
  zone             = "${var.region}${var.zones[0]}"
  number           = 1
  network          = var.network
  vpc              = aws_vpc.this.id
  route_table      = aws_route_table.private.id
  security_group   = aws_security_group.brokers.id
  instance_profile = aws_iam_instance_profile.broker.name
  image            = var.image
  instance_type    = var.instance_type
  log_bytes        = var.log_bytes
  key              = aws_kms_key.data.arn
  configuration    = local.configuration
}

module "zone_b" {
  source           = "./zone"
  name             = var.name
  zone             = "${var.region}${var.zones[1]}"
  number           = 2
  network          = var.network
  vpc              = aws_vpc.this.id
  route_table      = aws_route_table.private.id
  security_group   = aws_security_group.brokers.id
  instance_profile = aws_iam_instance_profile.broker.name
  image            = var.image
  instance_type    = var.instance_type
  log_bytes        = var.log_bytes
  key              = aws_kms_key.data.arn
  configuration    = local.configuration
}

module "zone_c" {
  source           = "./zone"
  name             = var.name
  zone             = "${var.region}${var.zones[2]}"
  number           = 3
  network          = var.network
  vpc              = aws_vpc.this.id
  route_table      = aws_route_table.private.id
  security_group   = aws_security_group.brokers.id
  instance_profile = aws_iam_instance_profile.broker.name
  image            = var.image
  instance_type    = var.instance_type
  log_bytes        = var.log_bytes
  key              = aws_kms_key.data.arn
  configuration    = local.configuration
}
