package main

import (
	"fmt"
	"strings"
)

// Force-new attributes: internal/services of the provider's source.
var azurerm = cloudRules{
	login: login{
		ways: []way{
			{
				{"client_id", "$ARM_CLIENT_ID", "client_id_file_path", "$ARM_CLIENT_ID_FILE_PATH"},
				{
					"client_secret", "$ARM_CLIENT_SECRET", "client_secret_file_path", "$ARM_CLIENT_SECRET_FILE_PATH", "client_certificate",
					"$ARM_CLIENT_CERTIFICATE", "client_certificate_path", "$ARM_CLIENT_CERTIFICATE_PATH", "use_oidc", "$ARM_USE_OIDC",
				},
				{"tenant_id", "$ARM_TENANT_ID"},
			},
			{{"use_msi", "$ARM_USE_MSI"}},
			{{"~/.azure/azureProfile.json"}},
		},
		also: [][]string{{"subscription_id", "$ARM_SUBSCRIPTION_ID", "~/.azure/azureProfile.json"}},
		secrets: []string{
			"client_certificate_password", "$ARM_CLIENT_CERTIFICATE_PASSWORD", "oidc_token", "$ARM_OIDC_TOKEN", "oidc_request_token",
			"$ARM_OIDC_REQUEST_TOKEN",
		},
	},
	kinds: map[string]kindRules{
		"azurerm_resource_group": {
			forceNew: []string{"name", "location"},
			values:   map[string]value{"id": func(r *request) any { return azureGroup(r, r.self.text("name")) }},
		},
		"azurerm_virtual_network": azureKind("Microsoft.Network/virtualNetworks", nil),
		"azurerm_subnet": {
			forceNew: []string{"name", "resource_group_name", "virtual_network_name"},
			values:   map[string]value{"id": azureChild("Microsoft.Network/virtualNetworks", "virtual_network_name", "subnets")},
		},
		"azurerm_network_security_group": azureKind("Microsoft.Network/networkSecurityGroups", nil),
		"azurerm_network_security_rule": {
			forceNew: []string{"name", "resource_group_name", "network_security_group_name"},
			values:   map[string]value{"id": azureChild("Microsoft.Network/networkSecurityGroups", "network_security_group_name", "securityRules")},
			checks: []check{
				oneOf("direction", "Inbound", "Outbound"), oneOf("access", "Allow", "Deny"),
				oneOf("protocol", "*", "Tcp", "Udp", "Icmp", "Ah", "Esp"), atLeast("priority", 100),
				exactlyOne("source_address_prefix", "source_address_prefixes", "source_application_security_group_ids"),
			},
		},
		"azurerm_subnet_network_security_group_association": {
			forceNew: []string{"subnet_id", "network_security_group_id"},
			values:   map[string]value{"id": same("subnet_id")},
		},
		"azurerm_public_ip": azureKind("Microsoft.Network/publicIPAddresses", map[string]value{
			"ip_address": func(r *request) any { return r.publicAddress() },
		}, "edge_zone", "ip_tags", "ip_version", "public_ip_prefix_id", "sku", "sku_tier", "zones"),
		"azurerm_network_interface": azureKind("Microsoft.Network/networkInterfaces", map[string]value{
			"mac_address":                         func(r *request) any { return strings.ToUpper(r.mac("-")) },
			"private_ip_address":                  azureNICAddress,
			"private_ip_addresses":                func(r *request) any { return []any{azureNICAddress(r)} },
			"ip_configuration.private_ip_address": azureNICAddress,
			"ip_configuration.primary":            always(true),
		}, "edge_zone"),
		"azurerm_network_interface_security_group_association": {
			forceNew: []string{"network_interface_id", "network_security_group_id"},
			values:   map[string]value{"id": joined("|", "network_interface_id", "network_security_group_id")},
		},
		"azurerm_linux_virtual_machine": withChecks(azureKind("Microsoft.Compute/virtualMachines", map[string]value{
			"virtual_machine_id": uuid, "computer_name": same("name"), "os_disk.disk_size_gb": always(30),
			"os_managed_disk_id": azureOSDisk, "os_disk.id": azureOSDisk,
			"os_disk.name":         func(r *request) any { return r.self.text("name") + "_OsDisk_1_" + r.hex(32) },
			"private_ip_address":   func(r *request) any { return azureVMInterface(r).text("private_ip_address") },
			"private_ip_addresses": func(r *request) any { return []any{azureVMInterface(r).text("private_ip_address")} },
			"public_ip_address":    func(r *request) any { return azureVMPublicAddress(r) },
			"public_ip_addresses":  azureVMPublicAddresses,
			// The provider's defaults.
			"allow_extension_operations": always(true), "disable_password_authentication": always(true), "provision_vm_agent": always(true),
			"patch_mode": always("ImageDefault"), "patch_assessment_mode": always("ImageDefault"), "disk_controller_type": always("SCSI"),
		},
			"admin_password", "admin_ssh_key", "admin_username", "availability_set_id", "computer_name", "custom_data",
			"disable_password_authentication", "edge_zone", "eviction_policy", "os_disk.diff_disk_settings", "os_disk.name",
			"os_disk.secure_vm_disk_encryption_set_id", "os_disk.security_encryption_type", "os_disk.storage_account_type",
			"os_managed_disk_id", "plan", "platform_fault_domain", "priority", "provision_vm_agent", "secure_boot_enabled",
			"source_image_id", "source_image_reference", "vtpm_enabled", "zone"),
			exactlyOne("source_image_id", "source_image_reference", "os_managed_disk_id"),
			oneOf("priority", "Regular", "Spot"), oneOf("eviction_policy", "Deallocate", "Delete")),
		"azurerm_managed_disk": azureKind("Microsoft.Compute/disks", map[string]value{
			"disk_iops_read_write": always(500), "disk_mbps_read_write": always(100), "disk_size_gb": always(30), "tier": always("P10"), "max_shares": always(1),
		}, "create_option", "edge_zone", "hyper_v_generation", "image_reference_id", "logical_sector_size", "performance_plus_enabled",
			"secure_vm_disk_encryption_set_id", "security_type", "source_resource_id", "source_uri", "storage_account_id",
			"trusted_launch_enabled", "upload_size_bytes", "zone"),
		"azurerm_virtual_machine_data_disk_attachment": {
			forceNew: []string{"create_option", "lun", "managed_disk_id", "virtual_machine_id"},
			values: map[string]value{"id": func(r *request) any {
				return r.self.text("virtual_machine_id") + "/dataDisks/" + baseName(r.self.text("managed_disk_id"))
			}},
		},
		"azurerm_availability_set": azureKind("Microsoft.Compute/availabilitySets", nil,
			"managed", "platform_fault_domain_count", "platform_update_domain_count", "proximity_placement_group_id"),
		"azurerm_proximity_placement_group":         azureKind("Microsoft.Compute/proximityPlacementGroups", nil, "zone"),
		"azurerm_ssh_public_key":                    azureKind("Microsoft.Compute/sshPublicKeys", nil),
		"azurerm_nat_gateway":                       azureKind("Microsoft.Network/natGateways", map[string]value{"resource_guid": uuid}, "sku_name", "zones"),
		"azurerm_nat_gateway_public_ip_association": {forceNew: []string{"nat_gateway_id", "public_ip_address_id"}, values: map[string]value{"id": joined("|", "nat_gateway_id", "public_ip_address_id")}},
		"azurerm_subnet_nat_gateway_association":    {forceNew: []string{"nat_gateway_id", "subnet_id"}, values: map[string]value{"id": same("subnet_id")}},
	},
	data: map[string]map[string]value{
		"azurerm_platform_image": {
			"version": func(r *request) any { return "24.04." + r.image(9) },
			"id": func(r *request) any {
				return "/subscriptions/" + azureSubscription(r) + "/providers/Microsoft.Compute/locations/images/" + r.image(9)
			},
		},
		"azurerm_subscription": {
			"id":              func(r *request) any { return "/subscriptions/" + azureSubscription(r) },
			"subscription_id": func(r *request) any { return azureSubscription(r) },
		},
		"azurerm_client_config": {"subscription_id": func(r *request) any { return azureSubscription(r) }},
		"azurerm_location":      {"zone_mappings.logical_zone": always("1")},
	},
}

// azureKind is a resource of a resource group: its id, and the attributes that all such have.
func azureKind(collection string, values map[string]value, forceNew ...string) kindRules {
	rules := kindRules{
		forceNew: append([]string{"name", "resource_group_name", "location"}, forceNew...),
		values: map[string]value{"id": func(r *request) any {
			return azureGroup(r, r.self.text("resource_group_name")) + "/providers/" + collection + "/" + r.self.text("name")
		}},
	}
	for name, rule := range values {
		rules.values[name] = rule
	}
	return rules
}

func withChecks(rules kindRules, checks ...check) kindRules {
	rules.checks = checks
	return rules
}

func azureSubscription(r *request) string { return r.setting("subscription_id", "ARM_SUBSCRIPTION_ID") }

func azureGroup(r *request, name string) string {
	return fmt.Sprintf("/subscriptions/%s/resourceGroups/%s", azureSubscription(r), name)
}

// azureChild is the id of what belongs to another resource, such as a subnet.
func azureChild(parents, parent, collection string) value {
	return func(r *request) any {
		return fmt.Sprintf("%s/providers/%s/%s/%s/%s", azureGroup(r, r.self.text("resource_group_name")),
			parents, r.self.text(parent), collection, r.self.text("name"))
	}
}

func azureNICAddress(r *request) any {
	configuration := r.self.block("ip_configuration")
	if fixed := configuration.text("private_ip_address"); fixed != "" {
		return fixed
	}
	for _, cidr := range r.cloud.find(configuration.text("subnet_id")).texts("address_prefixes") {
		return r.privateAddress(cidr)
	}
	return r.privateAddress("")
}

func azureVMInterface(r *request) object {
	for _, id := range r.self.texts("network_interface_ids") {
		return r.cloud.find(id)
	}
	return nil
}

func azureVMPublicAddress(r *request) string {
	address := azureVMInterface(r).block("ip_configuration").text("public_ip_address_id")
	return r.cloud.find(address).text("ip_address")
}

func azureVMPublicAddresses(r *request) any {
	if address := azureVMPublicAddress(r); address != "" {
		return []string{address}
	}
	return []string{}
}

func azureOSDisk(r *request) any {
	return azureGroup(r, r.self.text("resource_group_name")) + "/providers/Microsoft.Compute/disks/" + r.self.text("name") + "_OsDisk_1"
}
