variable "name" {
  description = "What everything is called after: lower case, digits and hyphens."
  type        = string
  default     = "payments"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name is lower case, begins with a letter, and has at most 21 characters"
  }
}

variable "account_id" {
  description = "The account that holds the data plane; no other is touched."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is twelve digits"
  }
}

variable "region" {
  description = "Where data, keys and logs lie."
  type        = string
  default     = "eu-central-1"
}

variable "network" {
  description = "The range of the network; brokers get one subnet in each zone, private endpoints one more."
  type        = string
  default     = "10.20.0.0/16"
}

variable "zones" {
  description = "Letters of three zones; one broker runs in each."
  type        = list(string)
  default     = ["a", "b", "c"]
  validation {
    condition     = length(distinct(var.zones)) == 3
    error_message = "there are three zones"
  }
}

variable "client_ranges" {
  description = "Private ranges that producers and consumers connect from."
  type        = list(string)
  default     = ["10.20.32.0/22"]
  validation {
    condition     = !contains(var.client_ranges, "0.0.0.0/0")
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

variable "instance_type" {
  description = "What each broker runs on."
  type        = string
  default     = "m7g.large"
}

variable "log_bytes" {
  description = "Size of each broker's volume, in GiB."
  type        = number
  default     = 100
}

variable "key_administrators" {
  description = "Roles that administer keys and never use them. Whoever applies this has to be one of them, or be given the policy by one."
  type        = list(string)
  validation {
    condition     = length(var.key_administrators) >= 1
    error_message = "somebody administers the keys"
  }
}

variable "log_administrators" {
  description = "Roles that read and look after the log bucket; neither brokers nor their operators."
  type        = list(string)
}

variable "operators" {
  description = "Roles that start sessions on brokers; each session is on the trail."
  type        = list(string)
}

variable "log_retention_days" {
  description = "How long logs are locked."
  type        = number
  default     = 400
}
