# Two nodes with a disk each on exoscale, written by hand: the stand-in must carry them through a whole life.
terraform {
  required_providers {
    exoscale = {
      source  = "exoscale/exoscale"
      version = "0.70.0"
    }
  }
}

variable "user_data" { default = "#cloud-config" }
variable "public_key" { default = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake" }
variable "clients" {
  type    = list(string)
  default = ["0.0.0.0/0", "::/0"]
}
variable "power" { default = "running" }

provider "exoscale" {}

locals {
  zone  = "ch-gva-2"
  nodes = { n11 = "10.0.0.11", n12 = "10.0.0.12" }
}

data "exoscale_template" "ubuntu" {
  zone = local.zone
  name = "Linux Ubuntu 24.04 LTS 64-bit"
}

resource "exoscale_ssh_key" "key" {
  name       = "test"
  public_key = var.public_key
}

resource "exoscale_private_network" "net" {
  zone     = local.zone
  name     = "test"
  start_ip = "10.0.0.100"
  end_ip   = "10.0.0.200"
  netmask  = "255.255.255.0"
}

resource "exoscale_security_group" "nodes" { name = "test" }

resource "exoscale_security_group_rule" "clients" {
  for_each          = toset(var.clients)
  security_group_id = exoscale_security_group.nodes.id
  type              = "INGRESS"
  protocol          = "TCP"
  cidr              = each.key
  start_port        = 22
  end_port          = 22
}

resource "exoscale_anti_affinity_group" "nodes" { name = "test" }

resource "exoscale_block_storage_volume" "data" {
  for_each = local.nodes
  zone     = local.zone
  name     = "${each.key}-data"
  size     = 100
}

resource "exoscale_compute_instance" "node" {
  for_each                 = local.nodes
  zone                     = local.zone
  name                     = each.key
  type                     = "standard.large"
  template_id              = data.exoscale_template.ubuntu.id
  disk_size                = 50
  ssh_keys                 = [exoscale_ssh_key.key.name]
  security_group_ids       = [exoscale_security_group.nodes.id]
  anti_affinity_group_ids  = [exoscale_anti_affinity_group.nodes.id]
  block_storage_volume_ids = [exoscale_block_storage_volume.data[each.key].id]
  user_data                = var.user_data
  state                    = var.power
  network_interface {
    network_id = exoscale_private_network.net.id
    ip_address = each.value
  }
  lifecycle { ignore_changes = [template_id, user_data, ssh_keys] }
}

output "nodes" { value = { for name, node in exoscale_compute_instance.node : name => node.public_ip_address } }
output "disks" { value = [for disk in exoscale_block_storage_volume.data : "/dev/disk/by-id/virtio-${substr(disk.id, 0, 17)}"] }
