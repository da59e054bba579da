# Two nodes with a disk each on hetzner, written by hand: the stand-in must carry them through a whole life.
terraform {
  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = "1.68.0"
    }
  }
}

variable "user_data" { default = "#cloud-config" }
variable "public_key" { default = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake" }
variable "clients" {
  type    = list(string)
  default = ["0.0.0.0/0", "::/0"]
}

provider "hcloud" {}

locals { nodes = { n11 = "10.0.0.11", n12 = "10.0.0.12" } }

data "hcloud_image" "ubuntu" {
  name              = "ubuntu-24.04"
  with_architecture = "x86"
  most_recent       = true
}

resource "hcloud_ssh_key" "key" {
  name       = "test"
  public_key = var.public_key
}

resource "hcloud_network" "net" {
  name     = "test"
  ip_range = "10.0.0.0/16"
}

resource "hcloud_network_subnet" "net" {
  network_id   = hcloud_network.net.id
  type         = "cloud"
  network_zone = "eu-central"
  ip_range     = "10.0.0.0/24"
}

resource "hcloud_firewall" "nodes" {
  name = "test"
  rule {
    direction  = "in"
    protocol   = "tcp"
    port       = "22"
    source_ips = var.clients
  }
}

resource "hcloud_placement_group" "nodes" {
  name = "test"
  type = "spread"
}

resource "hcloud_server" "node" {
  for_each           = local.nodes
  name               = each.key
  server_type        = "cpx32"
  image              = data.hcloud_image.ubuntu.id
  location           = "nbg1"
  ssh_keys           = [hcloud_ssh_key.key.id]
  firewall_ids       = [hcloud_firewall.nodes.id]
  placement_group_id = hcloud_placement_group.nodes.id
  user_data          = var.user_data
  public_net { ipv4_enabled = true }
  network {
    subnet_id = hcloud_network_subnet.net.id
    ip        = each.value
  }
  lifecycle { ignore_changes = [image, user_data, ssh_keys, location] }
}

resource "hcloud_volume" "data" {
  for_each = local.nodes
  name     = "${each.key}-data"
  size     = 100
  location = "nbg1"
}

resource "hcloud_volume_attachment" "data" {
  for_each  = local.nodes
  server_id = hcloud_server.node[each.key].id
  volume_id = hcloud_volume.data[each.key].id
  automount = false
}

output "nodes" { value = { for name, node in hcloud_server.node : name => node.ipv4_address } }
output "disks" { value = [for disk in hcloud_volume.data : disk.linux_device] }
