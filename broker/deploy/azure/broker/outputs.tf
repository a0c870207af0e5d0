output "address" {
  value = var.address
}
