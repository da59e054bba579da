# Two nodes with a disk each on azure, written by hand: the stand-in must carry them through a whole life.
terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "5.2.0"
    }
  }
}

variable "user_data" { default = "#cloud-config" }
variable "public_key" { default = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake" }
variable "clients" {
  type    = list(string)
  default = ["0.0.0.0/0"]
}

provider "azurerm" {
  resource_providers_to_register = ["Microsoft.Compute", "Microsoft.Network"]
}

locals { nodes = { n11 = "10.0.0.11", n12 = "10.0.0.12" } }

resource "azurerm_resource_group" "test" {
  name     = "test"
  location = "northeurope"
}

resource "azurerm_virtual_network" "net" {
  name                = "test"
  resource_group_name = azurerm_resource_group.test.name
  location            = azurerm_resource_group.test.location
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "net" {
  name                 = "test"
  resource_group_name  = azurerm_resource_group.test.name
  virtual_network_name = azurerm_virtual_network.net.name
  address_prefixes     = ["10.0.0.0/24"]
}

resource "azurerm_network_security_group" "nodes" {
  name                = "test"
  resource_group_name = azurerm_resource_group.test.name
  location            = azurerm_resource_group.test.location
}

resource "azurerm_network_security_rule" "clients" {
  name                        = "clients"
  resource_group_name         = azurerm_resource_group.test.name
  network_security_group_name = azurerm_network_security_group.nodes.name
  priority                    = 100
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_port_range           = "*"
  source_address_prefixes     = var.clients
  destination_port_ranges     = ["22", "8563"]
  destination_address_prefix  = "*"
}

resource "azurerm_public_ip" "node" {
  for_each            = local.nodes
  name                = each.key
  resource_group_name = azurerm_resource_group.test.name
  location            = azurerm_resource_group.test.location
  allocation_method   = "Static"
}

resource "azurerm_network_interface" "node" {
  for_each                       = local.nodes
  name                           = each.key
  resource_group_name            = azurerm_resource_group.test.name
  location                       = azurerm_resource_group.test.location
  accelerated_networking_enabled = true
  ip_configuration {
    name                          = "node"
    subnet_id                     = azurerm_subnet.net.id
    private_ip_address_allocation = "Static"
    private_ip_address            = each.value
    public_ip_address_id          = azurerm_public_ip.node[each.key].id
  }
}

resource "azurerm_network_interface_security_group_association" "node" {
  for_each                  = local.nodes
  network_interface_id      = azurerm_network_interface.node[each.key].id
  network_security_group_id = azurerm_network_security_group.nodes.id
}

resource "azurerm_linux_virtual_machine" "node" {
  for_each              = local.nodes
  name                  = each.key
  resource_group_name   = azurerm_resource_group.test.name
  location              = azurerm_resource_group.test.location
  size                  = "Standard_D2s_v5"
  admin_username        = "ubuntu"
  network_interface_ids = [azurerm_network_interface.node[each.key].id]
  custom_data           = base64encode(var.user_data)
  admin_ssh_key {
    username   = "ubuntu"
    public_key = var.public_key
  }
  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Premium_LRS"
    disk_size_gb         = 50
  }
  source_image_reference {
    publisher = "Canonical"
    offer     = "ubuntu-24_04-lts"
    sku       = "server"
    version   = "latest"
  }
  boot_diagnostics {}
  lifecycle { ignore_changes = [source_image_reference, custom_data, admin_ssh_key] }
  depends_on = [azurerm_network_interface_security_group_association.node]
}

resource "azurerm_managed_disk" "data" {
  for_each             = local.nodes
  name                 = "${each.key}-data"
  resource_group_name  = azurerm_resource_group.test.name
  location             = azurerm_resource_group.test.location
  storage_account_type = "Premium_LRS"
  create_option        = "Empty"
  disk_size_gb         = 100
}

resource "azurerm_virtual_machine_data_disk_attachment" "data" {
  for_each           = local.nodes
  virtual_machine_id = azurerm_linux_virtual_machine.node[each.key].id
  managed_disk_id    = azurerm_managed_disk.data[each.key].id
  lun                = 0
  caching            = "None"
}

output "nodes" { value = { for name, node in azurerm_linux_virtual_machine.node : name => node.public_ip_address } }
output "disks" { value = [for disk in azurerm_virtual_machine_data_disk_attachment.data : "/dev/disk/azure/data/by-lun/${disk.lun}"] }
