# Two nodes with a disk each on oci, written by hand: the stand-in must carry them through a whole life.
terraform {
  required_providers {
    oci = {
      source  = "oracle/oci"
      version = "8.28.0"
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

provider "oci" {}

locals {
  compartment = "ocid1.compartment.oc1..test"
  shape       = "VM.Standard.E5.Flex"
  nodes       = { n11 = "10.0.0.11", n12 = "10.0.0.12" }
}

data "oci_identity_availability_domains" "all" { compartment_id = local.compartment }

data "oci_core_images" "ubuntu" {
  compartment_id           = local.compartment
  operating_system         = "Canonical Ubuntu"
  operating_system_version = "24.04"
  shape                    = local.shape
  sort_by                  = "TIMECREATED"
  sort_order               = "DESC"
}

resource "oci_core_vcn" "net" {
  compartment_id = local.compartment
  cidr_blocks    = ["10.0.0.0/16"]
}

resource "oci_core_internet_gateway" "net" {
  compartment_id = local.compartment
  vcn_id         = oci_core_vcn.net.id
}

resource "oci_core_default_route_table" "net" {
  manage_default_resource_id = oci_core_vcn.net.default_route_table_id
  route_rules {
    destination       = "0.0.0.0/0"
    network_entity_id = oci_core_internet_gateway.net.id
  }
}

resource "oci_core_default_security_list" "net" {
  manage_default_resource_id = oci_core_vcn.net.default_security_list_id
  egress_security_rules {
    destination = "0.0.0.0/0"
    protocol    = "all"
  }
}

resource "oci_core_subnet" "net" {
  compartment_id = local.compartment
  vcn_id         = oci_core_vcn.net.id
  cidr_block     = "10.0.0.0/24"
}

resource "oci_core_network_security_group" "nodes" {
  compartment_id = local.compartment
  vcn_id         = oci_core_vcn.net.id
}

resource "oci_core_network_security_group_security_rule" "clients" {
  for_each                  = toset(var.clients)
  network_security_group_id = oci_core_network_security_group.nodes.id
  direction                 = "INGRESS"
  protocol                  = "6"
  source                    = each.key
  source_type               = "CIDR_BLOCK"
  tcp_options {
    destination_port_range {
      min = 22
      max = 22
    }
  }
}

resource "oci_core_instance" "node" {
  for_each            = local.nodes
  compartment_id      = local.compartment
  availability_domain = data.oci_identity_availability_domains.all.availability_domains[0].name
  shape               = local.shape
  state               = var.power
  shape_config {
    ocpus         = 2
    memory_in_gbs = 16
  }
  create_vnic_details {
    subnet_id        = oci_core_subnet.net.id
    assign_public_ip = "true"
    private_ip       = each.value
    nsg_ids          = [oci_core_network_security_group.nodes.id]
    hostname_label   = each.key
  }
  source_details {
    source_type             = "image"
    source_id               = data.oci_core_images.ubuntu.images[0].id
    boot_volume_size_in_gbs = "50"
  }
  metadata = {
    ssh_authorized_keys = var.public_key
    user_data           = base64encode(var.user_data)
  }
  instance_options { are_legacy_imds_endpoints_disabled = true }
  lifecycle {
    ignore_changes = [
      source_details[0].source_id, metadata["user_data"], metadata["ssh_authorized_keys"], availability_domain,
    ]
  }
}

resource "oci_core_volume" "data" {
  for_each            = local.nodes
  compartment_id      = local.compartment
  availability_domain = data.oci_identity_availability_domains.all.availability_domains[0].name
  size_in_gbs         = "100"
}

resource "oci_core_volume_attachment" "data" {
  for_each        = local.nodes
  attachment_type = "paravirtualized"
  instance_id     = oci_core_instance.node[each.key].id
  volume_id       = oci_core_volume.data[each.key].id
  device          = "/dev/oracleoci/oraclevdb"
}

output "nodes" { value = { for name, node in oci_core_instance.node : name => node.public_ip } }
output "disks" { value = [for disk in oci_core_volume_attachment.data : disk.device] }
