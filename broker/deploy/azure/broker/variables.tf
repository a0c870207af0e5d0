variable "number" {
  description = "Which broker, and which zone."
  type        = number
}

variable "address" {
  description = "Its private address."
  type        = string
}

variable "subnet" {
  description = "Where it lies."
  type        = string
}

variable "identity" {
  description = "What it runs as."
  type        = string
}

variable "configuration" {
  description = "What all brokers have in common."
  type = object({
    name                = string
    resource_group      = string
    region              = string
    image               = string
    machine_size        = string
    log_bytes           = number
    disk_encryption_set = string
    emergency_ssh_key   = string
    client_id           = string
    key                 = string
    account             = string
    container           = string
    sequencer           = string
  })
}
