variable "name" {
  description = "What everything is called after."
  type        = string
}

variable "zone" {
  description = "The zone: eu-central-1a."
  type        = string
}

variable "number" {
  description = "1, 2 or 3: the broker's number, and the place of its subnets."
  type        = number
}

variable "network" {
  description = "The range of the network."
  type        = string
}

variable "vpc" {
  description = "The network."
  type        = string
}

variable "route_table" {
  description = "The private route table."
  type        = string
}

variable "security_group" {
  description = "The brokers' security group."
  type        = string
}

variable "instance_profile" {
  description = "The brokers' instance profile."
  type        = string
}

variable "image" {
  description = "The machine image."
  type        = string
}

variable "instance_type" {
  description = "What the broker runs on."
  type        = string
}

variable "log_bytes" {
  description = "Size of the broker's volume, in GiB."
  type        = number
}

variable "key" {
  description = "The key of the broker's volume."
  type        = string
}

variable "configuration" {
  description = "What the broker is told, without its number and zone."
  type        = map(string)
}
