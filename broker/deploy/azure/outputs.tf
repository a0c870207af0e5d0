output "brokers" {
  description = "Private addresses of brokers, for clients and for `bootstrap` in boundary.yaml."
  value       = [for broker in [module.broker_1, module.broker_2, module.broker_3] : "${broker.address}:9093"]
}

output "identities" {
  description = "Object ids that boundary.yaml declares as `entra:…`: Entra chooses them when the identities are made."
  value = {
    broker  = azurerm_user_assigned_identity.broker.principal_id
    storage = azurerm_user_assigned_identity.storage.principal_id
    archive = azurerm_user_assigned_identity.archive.principal_id
  }
}

output "data_key" {
  description = "The key that records are encrypted under."
  value       = azurerm_key_vault_key.data.versionless_id
}

output "data_account" {
  description = "Where records rest."
  value       = azurerm_storage_account.data.id
}
