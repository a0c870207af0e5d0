output "endpoint_subnet" {
  value = aws_subnet.endpoints.id
}

output "address" {
  value = aws_instance.broker.private_ip
}
