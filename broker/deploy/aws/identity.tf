# One role for brokers, with what they do and nothing else, and one document for those who may open sessions on them.

locals {
  broker_role      = "arn:aws:iam::${var.account_id}:role/${aws_iam_role.broker.name}"
  data_bucket_name = "${var.name}-kafka-data-${var.account_id}"
  log_bucket_name  = "${var.name}-kafka-logs-${var.account_id}"
  data_bucket      = "arn:aws:s3:::${local.data_bucket_name}"
  log_bucket       = "arn:aws:s3:::${local.log_bucket_name}"
  trail            = "arn:aws:cloudtrail:${var.region}:${var.account_id}:trail/${var.name}-trail"
  audit_group_name = "/kafka/${var.name}/audit"
  audit_group      = "arn:aws:logs:${var.region}:${var.account_id}:log-group:${local.audit_group_name}"
  session_channel  = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
}

resource "aws_iam_role" "broker" {
  name                 = "${var.name}-kafka-broker"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_instance_profile" "broker" {
  name = "${var.name}-kafka-broker"
  role = aws_iam_role.broker.name
}

resource "aws_iam_role_policy" "broker" {
  name = "records-logs-and-sessions"
  role = aws_iam_role.broker.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Records"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = "${local.data_bucket}/*"
      },
      {
        Sid      = "ListRecords"
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = local.data_bucket
      },
      {
        Sid      = "Audit"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = "${local.audit_group}:*"
      },
      {
        Sid      = "Sessions"
        Effect   = "Allow"
        Action   = concat(["ssm:UpdateInstanceInformation"], local.session_channel)
        Resource = "*"
      },
    ]
  })
}

# Sessions are for declared operators, on brokers of this boundary. The role that carries it is not made here.
resource "aws_iam_policy" "operator" {
  name = "${var.name}-kafka-operator"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Sessions"
        Effect    = "Allow"
        Action    = "ssm:StartSession"
        Resource  = "arn:aws:ec2:${var.region}:${var.account_id}:instance/*"
        Condition = { StringEquals = { "ssm:resourceTag/boundary" = var.name } }
      },
      {
        Sid      = "OwnSessions"
        Effect   = "Allow"
        Action   = ["ssm:TerminateSession", "ssm:ResumeSession"]
        Resource = "arn:aws:ssm:${var.region}:${var.account_id}:session/$${aws:userid}-*"
      },
    ]
  })
}

resource "aws_iam_policy_attachment" "operator" {
  name       = "${var.name}-kafka-operator"
  policy_arn = aws_iam_policy.operator.arn
  roles      = [for arn in var.operators : reverse(split("/", arn))[0]]
}
