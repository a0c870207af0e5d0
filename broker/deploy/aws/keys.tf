# Two keys, for records and for logs. Their policies name everybody: nobody holds anything by an identity policy alone, and whoever administers a
# key cannot use it.

locals {
  key_use = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"]
  key_administration = [
    "kms:Describe*", "kms:Get*", "kms:List*", "kms:EnableKey", "kms:DisableKey", "kms:EnableKeyRotation", "kms:DisableKeyRotation",
    "kms:RotateKeyOnDemand", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:TagResource", "kms:UntagResource",
    "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias", "kms:RevokeGrant", "kms:UpdateKeyDescription",
  ]
}

resource "aws_kms_key" "data" {
  description             = "Records, write-ahead logs and volumes of ${var.name}"
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AdministersAndNeverUses"
        Effect    = "Allow"
        Principal = { AWS = var.key_administrators }
        Action    = local.key_administration
        Resource  = "*"
      },
      {
        Sid       = "BrokersUse"
        Effect    = "Allow"
        Principal = { AWS = local.broker_role }
        Action    = local.key_use
        Resource  = "*"
      },
      {
        Sid       = "VolumesOfBrokers"
        Effect    = "Allow"
        Principal = { AWS = local.broker_role }
        Action    = "kms:CreateGrant"
        Resource  = "*"
        Condition = {
          Bool         = { "kms:GrantIsForAWSResource" = "true" }
          StringEquals = { "kms:ViaService" = "ec2.${var.region}.amazonaws.com" }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name}-data"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_kms_key" "logs" {
  description             = "Trail, flow logs and audit of ${var.name}"
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AdministersAndNeverUses"
        Effect    = "Allow"
        Principal = { AWS = var.key_administrators }
        Action    = local.key_administration
        Resource  = "*"
      },
      {
        Sid       = "LogAdministratorsRead"
        Effect    = "Allow"
        Principal = { AWS = var.log_administrators }
        Action    = ["kms:Decrypt", "kms:DescribeKey"]
        Resource  = "*"
      },
      {
        Sid       = "TheTrailEncrypts"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail } }
      },
      {
        Sid       = "FlowLogsEncrypt"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = ["kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "TheAuditGroupEncrypts"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = local.audit_group } }
      },
    ]
  })
}

resource "aws_kms_alias" "logs" {
  name          = "alias/${var.name}-logs"
  target_key_id = aws_kms_key.logs.key_id
}

# Whoever disables a key, or has it deleted, is heard of. Who listens subscribes to the topic; a message names the event and the key, and no record.
resource "aws_sns_topic" "key_alarms" {
  name = "${var.name}-key-alarms"
}

resource "aws_sns_topic_policy" "key_alarms" {
  arn = aws_sns_topic.key_alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheRulePublishes"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.key_alarms.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.key_alarms.arn } }
    }]
  })
}

resource "aws_cloudwatch_event_rule" "key_alarms" {
  name        = "${var.name}-key-alarms"
  description = "A key was disabled, its deletion was scheduled, or who may use it was changed"
  event_pattern = jsonencode({
    source      = ["aws.kms"]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource = ["kms.amazonaws.com"]
      eventName   = ["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "CreateGrant"]
    }
  })
}

resource "aws_cloudwatch_event_target" "key_alarms" {
  rule      = aws_cloudwatch_event_rule.key_alarms.name
  target_id = "topic"
  arn       = aws_sns_topic.key_alarms.arn
}
