package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Force-new attributes: internal/service/core of the provider's source.
var oci = cloudRules{
	login: login{
		ways: []way{
			{
				{"tenancy_ocid", "$TF_VAR_tenancy_ocid", "$OCI_TENANCY_OCID"},
				{"user_ocid", "$TF_VAR_user_ocid", "$OCI_USER_OCID"},
				{"fingerprint", "$TF_VAR_fingerprint", "$OCI_FINGERPRINT"},
				{"private_key", "private_key_path", "$TF_VAR_private_key", "$TF_VAR_private_key_path", "$OCI_PRIVATE_KEY", "$OCI_PRIVATE_KEY_PATH"},
			},
			{{"~/.oci/config"}},
		},
		also: [][]string{{"region", "$TF_VAR_region", "$OCI_REGION", "~/.oci/config"}},
		secrets: []string{
			"auth", "config_file_profile", "private_key_password", "token_exchange_client_secret", "$TF_VAR_private_key_password",
			"$OCI_PRIVATE_KEY_PASSWORD", "$OCI_AUTH", "$OCI_CONFIG_FILE_PROFILE",
		},
		malformed: ociKey,
	},
	common: map[string]value{
		"id":                  ociID,
		"state":               always("AVAILABLE"),
		"time_created":        always("2026-01-02 03:04:05.678 +0000 UTC"),
		"display_name":        func(r *request) any { return r.kind[len("oci_core_"):] + "-20260102" },
		"availability_domain": always("Uocm:EU-FRANKFURT-1-AD-1"),
		"destination_type":    always("CIDR_BLOCK"),
		"source_type":         always("CIDR_BLOCK"),
	},
	kinds: map[string]kindRules{
		"oci_core_vcn": {
			forceNew: []string{"cidr_block", "dns_label"},
			values: map[string]value{
				"cidr_block":               func(r *request) any { return strings.Join(first(r.self.texts("cidr_blocks")), "") },
				"cidr_blocks":              func(r *request) any { return []string{r.self.text("cidr_block")} },
				"default_route_table_id":   ociNamed("routetable"),
				"default_security_list_id": ociNamed("securitylist"),
				"default_dhcp_options_id":  ociNamed("dhcpoptions"),
			},
		},
		"oci_core_internet_gateway":       {forceNew: []string{"vcn_id"}},
		"oci_core_route_table":            {forceNew: []string{"vcn_id"}},
		"oci_core_route_table_attachment": {forceNew: []string{"subnet_id", "route_table_id"}, values: map[string]value{"id": joined("/", "subnet_id", "route_table_id")}},
		"oci_core_default_route_table":    ociDefault,
		"oci_core_default_security_list":  ociDefault,
		"oci_core_default_dhcp_options":   ociDefault,
		"oci_core_security_list":          {forceNew: []string{"vcn_id"}},
		"oci_core_network_security_group": {forceNew: []string{"vcn_id"}},
		"oci_core_subnet": {
			forceNew: []string{"availability_domain", "dns_label", "prohibit_internet_ingress", "prohibit_public_ip_on_vnic", "vcn_id"},
			values: map[string]value{
				"availability_domain": always(""), "virtual_router_ip": func(r *request) any { return gatewayOf(r.self.text("cidr_block")) },
				"route_table_id":  func(r *request) any { return r.other("vcn_id").text("default_route_table_id") },
				"dhcp_options_id": func(r *request) any { return r.other("vcn_id").text("default_dhcp_options_id") },
				"security_list_ids": func(r *request) any {
					return []string{r.other("vcn_id").text("default_security_list_id")}
				},
				"ipv4cidr_blocks":    func(r *request) any { return []string{r.self.text("cidr_block")} },
				"virtual_router_mac": func(r *request) any { return r.mac(":") },
			},
		},
		"oci_core_network_security_group_security_rule": {
			forceNew: []string{"network_security_group_id"},
			values:   map[string]value{"id": func(r *request) any { return strings.ToUpper(r.hex(6)) }, "is_valid": always(true)},
			checks:   []check{oneOf("direction", "INGRESS", "EGRESS"), oneOf("source_type", "CIDR_BLOCK", "SERVICE_CIDR_BLOCK", "NETWORK_SECURITY_GROUP")},
		},
		"oci_core_instance": {
			forceNew: []string{
				"availability_domain", "cluster_placement_group_id", "compute_cluster_id", "create_vnic_details.assign_ipv6ip",
				"create_vnic_details.private_ip", "create_vnic_details.private_ip_id", "create_vnic_details.security_attributes",
				"create_vnic_details.subnet_id", "create_vnic_details.vlan_id", "hostname_label", "image", "instance_configuration_id",
				"ipxe_script", "is_pv_encryption_in_transit_enabled", "launch_options.firmware", "launch_volume_attachments",
				// Of the metadata only these, by a CustomizeDiff.
				"metadata.ssh_authorized_keys", "metadata.user_data",
				"placement_constraint_details", "preemptible_instance_config", "source_details.boot_volume_vpus_per_gb", "subnet_id",
			},
			values: map[string]value{
				"state": always("RUNNING"), "region": func(r *request) any { return ociRegion(r) },
				"private_ip":                             ociPrivateAddress,
				"public_ip":                              ociPublicAddress,
				"create_vnic_details.private_ip":         ociPrivateAddress,
				"create_vnic_details.subnet_id":          same("subnet_id"),
				"subnet_id":                              func(r *request) any { return r.self.block("create_vnic_details").text("subnet_id") },
				"image":                                  func(r *request) any { return r.self.block("source_details").text("source_id") },
				"boot_volume_id":                         ociNamed("bootvolume"),
				"fault_domain":                           always("FAULT-DOMAIN-1"),
				"launch_mode":                            always("PARAVIRTUALIZED"),
				"source_details.boot_volume_size_in_gbs": always("47"),
				"source_details.boot_volume_vpus_per_gb": always("10"),
				"shape_config.ocpus":                     always(1), "shape_config.memory_in_gbs": always(16), "shape_config.vcpus": always(2),
				"display_name": always("instance"),
			},
			checks: []check{oneOf("state", "RUNNING", "STOPPED"), ociFlexShape},
		},
		"oci_core_volume": {
			forceNew: []string{"availability_domain", "backup_policy_id", "size_in_mbs", "source_details", "volume_backup_id", "xrc_kms_key_id"},
			values:   map[string]value{"size_in_gbs": always("50"), "vpus_per_gb": always("10"), "is_hydrated": always(true)},
		},
		"oci_core_volume_attachment": {
			forceNew: []string{
				"attachment_type", "device", "display_name", "encryption_in_transit_type", "instance_id", "is_agent_auto_iscsi_login_enabled",
				"is_pv_encryption_in_transit_enabled", "is_read_only", "is_shareable", "use_chap", "volume_id",
			},
			values: map[string]value{"state": always("ATTACHED")},
			checks: []check{oneOf("attachment_type", "iscsi", "paravirtualized", "service_determined", "emulated")},
		},
		"oci_core_vnic_attachment": {forceNew: []string{"instance_id"}, values: map[string]value{"vnic_id": ociNamed("vnic"), "state": always("ATTACHED")}},
		"oci_core_public_ip": {
			forceNew: []string{"lifetime", "public_ip_pool_id"},
			values:   map[string]value{"ip_address": func(r *request) any { return r.publicAddress() }, "scope": always("REGION")},
			checks:   []check{oneOf("lifetime", "EPHEMERAL", "RESERVED")},
		},
	},
	data: map[string]map[string]value{
		"oci_identity_availability_domain":  {"name": always("Uocm:EU-FRANKFURT-1-AD-1")},
		"oci_identity_availability_domains": {"availability_domains.name": always("Uocm:EU-FRANKFURT-1-AD-1")},
		"oci_identity_fault_domains":        {"fault_domains.name": always("FAULT-DOMAIN-1")},
		"oci_identity_regions":              {"regions.name": always("eu-frankfurt-1"), "regions.key": always("FRA")},
		"oci_core_image":                    {"id": ociImage, "operating_system": always("Canonical Ubuntu"), "operating_system_version": always("24.04")},
		"oci_core_images": {
			"images.id": ociImage, "images.operating_system": always("Canonical Ubuntu"), "images.operating_system_version": always("24.04"),
			"images.display_name": func(r *request) any { return "Canonical-Ubuntu-24.04-" + r.image(8) },
		},
		"oci_core_shapes": {"shapes.name": always("VM.Standard.E5.Flex"), "shapes.is_flexible": always(true), "shapes.ocpus": always(2), "shapes.memory_in_gbs": always(16)},
	},
}

// The default route table and security list exist already: Terraform takes them over.
var ociDefault = kindRules{
	forceNew: []string{"manage_default_resource_id"},
	values: map[string]value{
		"id":             same("manage_default_resource_id"),
		"compartment_id": always("ocid1.tenancy.oc1..test"),
	},
}

func ociID(r *request) any {
	kind := strings.TrimPrefix(strings.TrimPrefix(r.kind, "oci_core_"), "oci_identity_")
	return ociName(r, strings.ReplaceAll(kind, "_", ""))
}

func ociNamed(kind string) value { return func(r *request) any { return ociName(r, kind) } }

func ociName(r *request, kind string) string {
	return fmt.Sprintf("ocid1.%s.oc1.%s.a%s", kind, ociRegion(r), r.hex(59))
}

func ociRegion(r *request) string {
	if region := r.setting("region", "TF_VAR_region", "OCI_REGION"); region != "" {
		return region
	}
	return "eu-frankfurt-1"
}

func ociImage(r *request) any {
	return fmt.Sprintf("ocid1.image.oc1.%s.a%s", ociRegion(r), r.image(59))
}

func ociPrivateAddress(r *request) any {
	vnic := r.self.block("create_vnic_details")
	if fixed := vnic.text("private_ip"); fixed != "" {
		return fixed
	}
	return r.privateAddress(r.cloud.find(vnic.text("subnet_id")).text("cidr_block"))
}

func ociPublicAddress(r *request) any {
	vnic := r.self.block("create_vnic_details")
	closed := r.cloud.find(vnic.text("subnet_id")).yes("prohibit_public_ip_on_vnic", false)
	if vnic.text("assign_public_ip") == "false" || closed {
		return ""
	}
	return r.publicAddress()
}

// ociKey: the key is PEM text, or the path of a file that exists.
func ociKey(settings object) error {
	r := request{settings: settings}
	if path := r.setting("private_key_path", "TF_VAR_private_key_path", "OCI_PRIVATE_KEY_PATH"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return errors.New("can not read the file that private_key_path names")
		}
	}
	if key := r.setting("private_key", "TF_VAR_private_key", "OCI_PRIVATE_KEY"); key != "" && !strings.Contains(key, "PRIVATE KEY") {
		return errors.New("private_key is no PEM text")
	}
	return nil
}

// ociFlexShape: a flexible shape has no size of its own.
func ociFlexShape(config object) string {
	_, known := config["shape_config"]
	if strings.HasSuffix(config.text("shape"), ".Flex") && known && len(config.blocks("shape_config")) == 0 {
		return "shape_config is required for flexible shapes"
	}
	return ""
}

func first(texts []string) []string { return texts[:min(1, len(texts))] }
