package main

// Force-new attributes: exoscale/ and pkg/resources/ of the provider's source.
var exoscale = cloudRules{
	login: login{
		ways: []way{{
			{"key", "$EXOSCALE_API_KEY", "$EXOSCALE_KEY"},
			{"secret", "$EXOSCALE_API_SECRET", "$EXOSCALE_SECRET", "$EXOSCALE_SECRET_KEY"},
		}},
	},
	kinds: map[string]kindRules{
		"exoscale_ssh_key": {forceNew: []string{"name", "public_key"}, values: map[string]value{"id": same("name")}},
		"exoscale_private_network": {
			forceNew: []string{"zone"},
		},
		"exoscale_security_group": {forceNew: []string{"name", "description"}},
		"exoscale_security_group_rule": {
			forceNew: []string{
				"cidr", "description", "end_port", "icmp_code", "icmp_type", "protocol", "public_security_group", "security_group_id",
				"start_port", "type", "user_security_group_id",
			},
			values: map[string]value{"protocol": always("TCP")},
			checks: []check{
				oneOf("type", "INGRESS", "EGRESS"),
				oneOf("protocol", "tcp", "udp", "icmp", "icmpv6", "ah", "esp", "gre", "ipip", "TCP", "UDP", "ICMP", "ICMPv6", "ICMPV6", "AH", "ESP", "GRE", "IPIP"),
				exactlyOne("cidr", "public_security_group", "user_security_group_id"),
			},
		},
		"exoscale_compute_instance": {
			forceNew: []string{"anti_affinity_group_ids", "deploy_target_id", "enable_secure_boot", "ssh_key", "ssh_keys", "template_id", "zone"},
			values: map[string]value{
				"public_ip_address":            exoscaleAddress,
				"state":                        always("running"),
				"network_interface.ip_address": func(r *request) any { return exoscaleLease(r, r.here.text("network_id")) },
			},
			checks: []check{atLeast("disk_size", 10)},
		},
		"exoscale_block_storage_volume": {
			forceNew: []string{"zone"},
			values:   map[string]value{"blocksize": always(4096), "state": always("detached")},
			checks:   []check{atLeast("size", 10)},
		},
		"exoscale_block_storage_volume_snapshot": {forceNew: []string{"volume", "zone"}, values: map[string]value{"state": always("created")}},
		"exoscale_anti_affinity_group":           {forceNew: []string{"name", "description"}},
		"exoscale_elastic_ip": {
			forceNew: []string{"address_family", "zone"},
			values: map[string]value{
				"ip_address": func(r *request) any { return r.publicAddress() }, "address_family": always("inet4"),
				"cidr": func(r *request) any { return r.self.text("ip_address") + "/32" },
			},
		},
	},
	data: map[string]map[string]value{
		"exoscale_template": {
			"id": func(r *request) any { return asUUID(r.image(32)) }, "name": always("Linux Ubuntu 24.04 LTS 64-bit"),
			"default_user": always("ubuntu"), "visibility": always("public"),
		},
		"exoscale_zones": {"zones": always([]string{"ch-gva-2", "ch-dk-2", "de-fra-1", "at-vie-1"})},
	},
}

func exoscaleAddress(r *request) any {
	if r.self.yes("private", false) {
		return ""
	}
	return r.publicAddress()
}

// exoscaleLease: a managed network gives addresses from its own range.
func exoscaleLease(r *request, network string) any {
	if start := r.cloud.find(network).text("start_ip"); start != "" {
		return r.privateAddress(start + "/24")
	}
	return ""
}
