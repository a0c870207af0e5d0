output "brokers" {
  description = "Private addresses of brokers, for clients and for `bootstrap` in boundary.yaml."
  value       = [for zone in [module.zone_a, module.zone_b, module.zone_c] : "${zone.address}:9093"]
}

output "data_key" {
  description = "The key that records are encrypted under."
  value       = aws_kms_key.data.arn
}

output "data_bucket" {
  description = "Where records rest."
  value       = local.data_bucket
}

output "key_alarms" {
  description = "Where it is told that a key was disabled or is to be deleted; somebody has to subscribe."
  value       = aws_sns_topic.key_alarms.arn
}
