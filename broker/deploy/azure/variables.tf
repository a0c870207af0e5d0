variable "name" {
  description = "What everything is called after: lower case and digits, for a storage account's name has nothing else."
  type        = string
  default     = "payments"
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.name))
    error_message = "name is lower case, begins with a letter, and has at most 12 characters"
  }
}

variable "subscription_id" {
  description = "The subscription that holds the data plane; no other is touched."
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f-]{36}$", var.subscription_id))
    error_message = "subscription_id is a UUID in lower case"
  }
}

variable "tenant_id" {
  description = "The Entra tenant of the subscription."
  type        = string
}

variable "region" {
  description = "Where data, keys and logs lie; a region with three zones."
  type        = string
  default     = "germanywestcentral"
}

variable "network" {
  description = "The range of the virtual network: a subnet for brokers, and one for private endpoints."
  type        = string
  default     = "10.40.0.0/16"
}

variable "client_ranges" {
  description = "Private ranges that producers and consumers connect from."
  type        = list(string)
  default     = ["10.50.0.0/22"]
  validation {
    condition     = !contains(var.client_ranges, "0.0.0.0/0") && !contains(var.client_ranges, "*")
    error_message = "clients come from private ranges"
  }
}

variable "sequencer" {
  description = "The PostgreSQL database that orders the cluster's records: its private range, its port, and its address as libpq takes it, without a password."
  type = object({
    range = string
    port  = optional(number, 5432)
    url   = string
  })
}

variable "image" {
  description = "The machine image that brokers start from, with the broker installed (broker/deploy/systemd)."
  type        = string
}

variable "machine_size" {
  description = "What each broker runs on; a size that encrypts at the host."
  type        = string
  default     = "Standard_D2s_v5"
}

variable "log_bytes" {
  description = "Size of each broker's disk, in GiB."
  type        = number
  default     = 128
}

variable "emergency_ssh_key" {
  description = "Azure gives no machine without a way in: the public half of a key whose private half is kept under seal. No rule lets anybody in by it."
  type        = string
}

variable "key_administrators" {
  description = "Object ids of the groups that administer keys and never use them. Whoever applies this has to be in one of them."
  type        = list(string)
  validation {
    condition     = length(var.key_administrators) >= 1
    error_message = "somebody administers the keys"
  }
}

variable "log_administrators" {
  description = "Object ids of the groups that read the log archive; neither brokers nor their operators."
  type        = list(string)
}

variable "operators" {
  description = "Object ids of the groups that start and restart brokers; they see no record."
  type        = list(string)
}

variable "log_retention_days" {
  description = "How long logs cannot be changed or deleted."
  type        = number
  default     = 400
}

variable "alarm_address" {
  description = "Who hears that a key or its vault was changed: the address of a rota."
  type        = string
}

variable "network_watcher" {
  description = "Azure keeps one network watcher for each region of a subscription, and makes it by itself."
  type        = object({ name = string, resource_group = string })
  default     = { name = "NetworkWatcher_germanywestcentral", resource_group = "NetworkWatcherRG" }
}
