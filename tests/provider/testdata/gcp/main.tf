# Two nodes with a disk each on gcp, written by hand: the stand-in must carry them through a whole life.
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "7.45.0"
    }
  }
}

variable "user_data" { default = "#cloud-config" }
variable "public_key" { default = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake" }
variable "clients" {
  type    = list(string)
  default = ["0.0.0.0/0"]
}
variable "power" { default = "RUNNING" }

provider "google" {
  region = "europe-west4"
  zone   = "europe-west4-a"
}

locals { nodes = { n11 = "10.0.0.11", n12 = "10.0.0.12" } }

data "google_compute_image" "ubuntu" {
  project = "ubuntu-os-cloud"
  family  = "ubuntu-2404-lts-amd64"
}

resource "google_compute_network" "net" {
  name                    = "test"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "net" {
  name          = "test"
  network       = google_compute_network.net.id
  ip_cidr_range = "10.0.0.0/24"
}

resource "google_compute_firewall" "clients" {
  name          = "test-clients"
  network       = google_compute_network.net.id
  direction     = "INGRESS"
  source_ranges = var.clients
  target_tags   = ["test"]
  allow {
    protocol = "tcp"
    ports    = ["22", "8563"]
  }
}

resource "google_compute_firewall" "nodes" {
  name        = "test-nodes"
  network     = google_compute_network.net.id
  source_tags = ["test"]
  target_tags = ["test"]
  allow { protocol = "all" }
}

resource "google_compute_address" "node" {
  for_each = local.nodes
  name     = each.key
}

resource "google_compute_disk" "data" {
  for_each = local.nodes
  name     = "${each.key}-data"
  type     = "pd-ssd"
  size     = 100
}

resource "google_compute_instance" "node" {
  for_each                  = local.nodes
  name                      = each.key
  machine_type              = "e2-standard-4"
  allow_stopping_for_update = true
  desired_status            = var.power
  tags                      = ["test"]
  labels                    = { deployment = "test" }
  boot_disk {
    initialize_params {
      image = data.google_compute_image.ubuntu.self_link
      size  = 50
    }
  }
  attached_disk {
    source      = google_compute_disk.data[each.key].self_link
    device_name = "exasol-data-01"
  }
  network_interface {
    subnetwork = google_compute_subnetwork.net.id
    network_ip = each.value
    access_config { nat_ip = google_compute_address.node[each.key].address }
  }
  metadata = {
    ssh-keys  = "ubuntu:${var.public_key}"
    user-data = var.user_data
  }
  lifecycle { ignore_changes = [boot_disk[0].initialize_params[0].image, metadata["user-data"]] }
}

output "nodes" { value = { for name, node in google_compute_instance.node : name => node.network_interface[0].access_config[0].nat_ip } }
output "disks" { value = [for node in google_compute_instance.node : "/dev/disk/by-id/google-${node.attached_disk[0].device_name}"] }
