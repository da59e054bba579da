package main

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"
)

const awsAccount = "123456789012"

// Force-new attributes: internal/service/ec2 of the provider's source.
var aws = cloudRules{
	login: login{
		ways: []way{
			{{"access_key", "$AWS_ACCESS_KEY_ID"}, {"secret_key", "$AWS_SECRET_ACCESS_KEY"}},
			{{"profile", "$AWS_PROFILE"}, {"~/.aws/credentials", "~/.aws/config", "$AWS_SHARED_CREDENTIALS_FILE", "$AWS_CONFIG_FILE"}},
			{{"~/.aws/credentials", "$AWS_SHARED_CREDENTIALS_FILE"}},
			{{"$AWS_WEB_IDENTITY_TOKEN_FILE"}, {"$AWS_ROLE_ARN"}},
			{{"$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "$AWS_CONTAINER_CREDENTIALS_FULL_URI"}},
		},
		also:    [][]string{{"region", "$AWS_REGION", "$AWS_DEFAULT_REGION", "~/.aws/config"}},
		secrets: []string{"token", "$AWS_SESSION_TOKEN"},
	},
	follows: map[string]string{"tags_all": "tags"},
	common: map[string]value{
		"arn":         awsARN,
		"owner_id":    always(awsAccount),
		"region":      func(r *request) any { return awsRegion(r) },
		"tags_all":    awsTags,
		"volume_id":   prefixed("vol-"),
		"volume_size": always(8),
		"volume_type": always("gp3"),
		"iops":        always(3000),
		"throughput":  always(125),
	},
	kinds: map[string]kindRules{
		"aws_key_pair": {
			forceNew: []string{"key_name", "key_name_prefix", "public_key"},
			values: map[string]value{
				"id": same("key_name"), "key_pair_id": prefixed("key-"), "key_type": awsKeyType,
			},
		},
		"aws_vpc": {
			forceNew: []string{"cidr_block", "ipv4_ipam_pool_id", "ipv4_netmask_length"},
			values: map[string]value{
				"id": prefixed("vpc-"), "main_route_table_id": prefixed("rtb-"), "default_route_table_id": prefixed("rtb-"),
				"default_security_group_id": prefixed("sg-"), "default_network_acl_id": prefixed("acl-"),
				"dhcp_options_id": prefixed("dopt-"), "ipv6_cidr_block": awsVPCRange6,
			},
		},
		"aws_subnet": {
			forceNew: []string{"availability_zone", "availability_zone_id", "cidr_block", "ipv6_native", "outpost_arn", "vpc_id"},
			values: map[string]value{
				"id": prefixed("subnet-"), "availability_zone": func(r *request) any { return awsRegion(r) + "a" },
				"availability_zone_id": always("use2-az1"), "private_dns_hostname_type_on_launch": always("ip-name"),
			},
		},
		"aws_internet_gateway": {values: map[string]value{"id": prefixed("igw-")}},
		"aws_route_table":      {forceNew: []string{"vpc_id"}, values: map[string]value{"id": prefixed("rtb-")}},
		"aws_route": {
			forceNew: []string{"route_table_id", "destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id"},
			values: map[string]value{
				"id":    func(r *request) any { return "r-" + r.self.text("route_table_id") + r.hex(10) },
				"state": always("active"), "origin": always("CreateRoute"),
			},
		},
		"aws_route_table_association": {
			forceNew: []string{"subnet_id", "gateway_id"},
			values:   map[string]value{"id": prefixed("rtbassoc-")},
		},
		"aws_security_group": {
			forceNew: []string{"description", "name", "name_prefix", "vpc_id"},
			values: map[string]value{
				"id": prefixed("sg-"), "name": func(r *request) any { return "terraform-" + r.hex(26) },
			},
		},
		"aws_default_security_group": {
			forceNew: []string{"vpc_id"},
			values:   map[string]value{"id": prefixed("sg-"), "name": always("default")},
		},
		"aws_vpc_security_group_ingress_rule": awsRule,
		"aws_vpc_security_group_egress_rule":  awsRule,
		"aws_instance": {
			forceNew: []string{
				"ami", "associate_public_ip_address", "availability_zone", "cpu_options", "ebs_optimized", "enclave_options",
				"hibernation", "host_id", "instance_market_options", "ipv6_address_count", "ipv6_addresses", "key_name",
				"network_interface", "placement_group", "placement_group_id", "primary_network_interface", "private_ip",
				"root_block_device.encrypted", "root_block_device.kms_key_id", "security_groups", "subnet_id", "tenancy",
			},
			values: map[string]value{
				"id": prefixed("i-"), "instance_state": always("running"), "public_ip": awsPublicAddress,
				"associate_public_ip_address": func(r *request) any { return r.other("subnet_id").yes("map_public_ip_on_launch", false) },
				"private_ip":                  func(r *request) any { return r.privateAddress(r.other("subnet_id").text("cidr_block")) },
				"private_dns":                 always("ip-10-0-0-1.ec2.internal"), "public_dns": always("ec2-test.compute.amazonaws.com"),
				"availability_zone":                            awsZoneOfSubnet,
				"primary_network_interface_id":                 prefixed("eni-"),
				"tenancy":                                      always("default"),
				"vpc_security_group_ids":                       always([]any{"sg-0default"}),
				"instance_lifecycle":                           func(r *request) any { return r.self.block("instance_market_options").text("market_type") },
				"root_block_device.device_name":                always("/dev/sda1"),
				"metadata_options.http_endpoint":               always("enabled"),
				"metadata_options.http_put_response_hop_limit": always(1),
				"metadata_options.instance_metadata_tags":      always("disabled"),
			},
		},
		"aws_ec2_instance_state": {
			forceNew: []string{"instance_id"},
			values:   map[string]value{"id": same("instance_id")},
			checks:   []check{oneOf("state", "running", "stopped")},
			effect:   awsPower,
		},
		"aws_ebs_volume": {
			forceNew: []string{"availability_zone", "encrypted", "kms_key_id", "multi_attach_enabled", "outpost_arn", "snapshot_id"},
			values:   map[string]value{"id": prefixed("vol-"), "type": always("gp2"), "size": always(8)},
		},
		"aws_volume_attachment": {
			forceNew: []string{"device_name", "instance_id", "volume_id"},
			values:   map[string]value{"id": prefixed("vai-")},
		},
		"aws_eip": {
			forceNew: []string{"address", "customer_owned_ipv4_pool", "domain", "ipam_pool_id", "network_border_group", "public_ipv4_pool"},
			values: map[string]value{
				"id": prefixed("eipalloc-"), "allocation_id": same("id"), "domain": always("vpc"),
				"public_ip": func(r *request) any { return r.publicAddress() },
			},
		},
		"aws_eip_association": {
			forceNew: []string{"allocation_id", "instance_id", "network_interface_id", "private_ip_address", "public_ip"},
			values: map[string]value{
				"id": prefixed("eipassoc-"), "public_ip": func(r *request) any { return r.other("allocation_id").text("public_ip") },
				"private_ip_address":   func(r *request) any { return r.other("instance_id").text("private_ip") },
				"network_interface_id": func(r *request) any { return r.other("instance_id").text("primary_network_interface_id") },
			},
			effect: func(cloud *cloudState, association object) {
				cloud.find(association.text("instance_id")).set("public_ip", association["public_ip"])
			},
		},
		"aws_placement_group": {
			forceNew: []string{"name", "partition_count", "spread_level", "strategy"},
			values:   map[string]value{"id": same("name"), "placement_group_id": prefixed("pg-")},
		},
		"aws_network_interface": {
			forceNew: []string{"interface_type", "subnet_id"},
			values: map[string]value{
				"id":         prefixed("eni-"),
				"private_ip": func(r *request) any { return r.privateAddress(r.other("subnet_id").text("cidr_block")) },
			},
		},
	},
	data: map[string]map[string]value{
		"aws_ami": {"id": awsImage, "image_id": awsImage, "state": always("available"), "architecture": awsArchitecture,
			"name": always("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101")},
		"aws_ssm_parameter": {"id": same("name"), "insecure_value": awsImage, "value": awsImage, "type": always("String")},
		"aws_availability_zones": {
			"names":    func(r *request) any { return awsZones(r) },
			"zone_ids": always([]string{"use2-az1", "use2-az2", "use2-az3"}),
		},
		"aws_ec2_instance_type_offerings": {
			"instance_types": func(r *request) any { return repeat(awsFilter(r, "instance-type", "m7a.large"), len(awsZones(r))) },
			"locations":      func(r *request) any { return awsZones(r) },
			"location_types": func(r *request) any { return repeat("availability-zone", len(awsZones(r))) },
		},
		"aws_ec2_instance_type": {
			"default_vcpus": always(2), "memory_size": always(8192), "ebs_nvme_support": always("required"),
			"supported_architectures": always([]string{"x86_64"}), "current_generation": always(true),
		},
		"aws_caller_identity": {"id": always(awsAccount), "account_id": always(awsAccount)},
		"aws_region":          {"id": func(r *request) any { return awsRegion(r) }, "name": func(r *request) any { return awsRegion(r) }},
		"aws_regions":         {"names": always([]string{"us-east-1", "us-east-2", "eu-central-1"})},
	},
}

// The source of a rule may change its value, but not its kind (ModifyPlan in
// vpc_security_group_ingress_rule.go); that is left out.
var awsRule = kindRules{
	forceNew: []string{"security_group_id"},
	values:   map[string]value{"id": prefixed("sgr-"), "security_group_rule_id": same("id")},
	checks: []check{
		exactlyOne("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"),
		networkAddress("cidr_ipv4"), networkAddress("cidr_ipv6"),
	},
}

// networkAddress: a range without host bits, as the provider's validator wants it.
func networkAddress(name string) check {
	return func(config object) string {
		text, isText := config[name].(string)
		if !isText {
			return ""
		}
		if network, err := netip.ParsePrefix(text); err == nil && network == network.Masked() {
			return ""
		}
		return fmt.Sprintf("%s: %q is not a valid network address", name, text)
	}
}

func awsRegion(r *request) string {
	if region := r.self.text("region"); region != "" {
		return region
	}
	if region := r.setting("region", "AWS_REGION", "AWS_DEFAULT_REGION"); region != "" {
		return region
	}
	return "us-east-2"
}

func awsZones(r *request) []string {
	region := awsRegion(r)
	return []string{region + "a", region + "b", region + "c"}
}

func awsARN(r *request) any {
	kind := strings.ReplaceAll(strings.TrimPrefix(r.kind, "aws_"), "_", "-")
	return fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", awsRegion(r), awsAccount, kind, r.self.text("id"))
}

func awsKeyType(r *request) any {
	if strings.HasPrefix(r.self.text("public_key"), "ssh-ed25519") {
		return "ed25519"
	}
	return "rsa"
}

func awsVPCRange6(r *request) any {
	if r.self.yes("assign_generated_ipv6_cidr_block", false) {
		return "2001:db8:0:100::/56"
	}
	return ""
}

// awsPublicAddress: a node gets one only if its subnet or the instance itself says so.
func awsPublicAddress(r *request) any {
	bySubnet := r.other("subnet_id").yes("map_public_ip_on_launch", false)
	if r.self.yes("associate_public_ip_address", bySubnet) {
		return r.publicAddress()
	}
	return ""
}

// awsPower: a node that is off has no public address, and gets a new one when it is on
// again; unless the address is its own.
func awsPower(cloud *cloudState, power object) {
	node := cloud.find(power.text("instance_id"))
	before := node.text("instance_state")
	node.set("instance_state", power["state"])
	for _, one := range cloud.Resources {
		if one.Type == "aws_eip_association" && one.Values.text("instance_id") == power.text("instance_id") {
			return
		}
	}
	switch {
	case power.text("state") == "stopped":
		node.set("public_ip", "")
		node.set("associate_public_ip_address", false)
	case before == "stopped" && cloud.find(node.text("subnet_id")).yes("map_public_ip_on_launch", false):
		node.set("public_ip", cloud.publicAddress())
		node.set("associate_public_ip_address", true)
	}
}

// awsTags are the resource's tags and those that the provider block adds.
func awsTags(r *request) any {
	tags := object{}
	for _, source := range []any{r.settings.block("default_tags")["tags"], r.self["tags"]} {
		given, _ := source.(object)
		maps.Copy(tags, given)
	}
	return tags
}

func awsZoneOfSubnet(r *request) any {
	if zone := r.other("subnet_id").text("availability_zone"); zone != "" {
		return zone
	}
	return awsZones(r)[0]
}

func awsImage(r *request) any { return "ami-0" + r.image(16) }

func awsArchitecture(r *request) any { return awsFilter(r, "architecture", "x86_64") }

// awsFilter is the first value of a filter of a data source.
func awsFilter(r *request, name, otherwise string) string {
	for _, filter := range r.self.blocks("filter") {
		for _, value := range filter.texts("values") {
			if filter.text("name") == name {
				return value
			}
		}
	}
	return otherwise
}

func repeat(text string, times int) []string {
	result := make([]string, times)
	for i := range result {
		result[i] = text
	}
	return result
}
