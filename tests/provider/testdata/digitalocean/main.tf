# Two nodes with a disk each on digitalocean, written by hand: the stand-in must carry them through a whole life.
terraform {
  required_providers {
    digitalocean = {
      source  = "digitalocean/digitalocean"
      version = "2.99.1"
    }
  }
}

variable "user_data" { default = "#cloud-config" }
variable "public_key" { default = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake" }
variable "clients" {
  type    = list(string)
  default = ["0.0.0.0/0", "::/0"]
}

provider "digitalocean" {}

locals { nodes = toset(["n11", "n12"]) }

data "digitalocean_image" "ubuntu" { slug = "ubuntu-24-04-x64" }

resource "digitalocean_ssh_key" "key" {
  name       = "test"
  public_key = var.public_key
}

resource "digitalocean_vpc" "net" {
  name     = "test"
  region   = "nyc3"
  ip_range = "10.0.0.0/24"
}

resource "digitalocean_droplet" "node" {
  for_each  = local.nodes
  name      = each.key
  image     = data.digitalocean_image.ubuntu.id
  size      = "s-4vcpu-8gb"
  region    = "nyc3"
  vpc_uuid  = digitalocean_vpc.net.id
  ssh_keys  = [digitalocean_ssh_key.key.id]
  user_data = var.user_data
  lifecycle { ignore_changes = [image, user_data, ssh_keys] }
}

resource "digitalocean_firewall" "nodes" {
  name        = "test"
  droplet_ids = [for node in digitalocean_droplet.node : node.id]
  inbound_rule {
    protocol         = "tcp"
    port_range       = "22"
    source_addresses = var.clients
  }
  outbound_rule {
    protocol              = "tcp"
    port_range            = "1-65535"
    destination_addresses = ["0.0.0.0/0", "::/0"]
  }
}

resource "digitalocean_volume" "data" {
  for_each = local.nodes
  name     = "test-${each.key}"
  region   = "nyc3"
  size     = 100
}

resource "digitalocean_volume_attachment" "data" {
  for_each   = local.nodes
  droplet_id = digitalocean_droplet.node[each.key].id
  volume_id  = digitalocean_volume.data[each.key].id
}

output "nodes" { value = { for name, node in digitalocean_droplet.node : name => node.ipv4_address } }
output "disks" { value = [for disk in digitalocean_volume.data : "/dev/disk/by-id/scsi-0DO_Volume_${disk.name}"] }
