package main

import (
	"errors"
	"fmt"
	"strings"
)

// Force-new attributes: the resource files below internal/ of the provider's source.
var hcloud = cloudRules{
	login: login{
		ways: []way{{{"token", "$HCLOUD_TOKEN"}}},
		malformed: func(settings object) error {
			r := request{settings: settings}
			if len(r.setting("token", "HCLOUD_TOKEN")) != 64 {
				return errors.New("entered token is invalid (must be exactly 64 characters long)")
			}
			return nil
		},
	},
	common: map[string]value{
		"id":       newNumber,
		"location": hcloudLocation,
		// Only read by those who ignore that it is deprecated.
		"datacenter": func(r *request) any { return fmt.Sprint(hcloudLocation(r), "-dc1") },
	},
	kinds: map[string]kindRules{
		"hcloud_ssh_key": {forceNew: []string{"public_key"}},
		"hcloud_network": {forceNew: []string{"ip_range"}},
		"hcloud_network_subnet": {
			forceNew: []string{"network_id", "type", "network_zone", "ip_range", "vswitch_id"},
			values: map[string]value{
				"id": joined("-", "network_id", "ip_range"), "gateway": func(r *request) any { return gatewayOf(r.self.text("ip_range")) },
			},
			checks: []check{
				oneOf("type", "cloud", "server", "vswitch"),
				oneOf("network_zone", "eu-central", "us-east", "us-west", "ap-southeast"),
			},
		},
		"hcloud_network_route": {
			forceNew: []string{"network_id", "destination", "gateway"},
			values:   map[string]value{"id": joined("-", "network_id", "destination")},
		},
		"hcloud_firewall_attachment": {forceNew: []string{"firewall_id"}, values: map[string]value{"id": same("firewall_id")}},
		"hcloud_server": {
			forceNew: []string{"image", "location", "user_data", "ssh_keys"},
			values: map[string]value{
				"ipv4_address":      hcloudAddress,
				"ipv6_address":      func(r *request) any { return hcloudNetwork6(r) + "1" },
				"ipv6_network":      func(r *request) any { return hcloudNetwork6(r) + "/64" },
				"status":            always("running"),
				"primary_disk_size": always(80),
				"network.ip": func(r *request) any {
					return r.privateAddress(hcloudRange(r.here.text("subnet_id")))
				},
				"network.network_id": func(r *request) any { return hcloudNetworkOf(r.here.text("subnet_id")) },
				"public_net.ipv4":    newNumber,
				"public_net.ipv6":    newNumber,
			},
			checks: []check{never("datacenter", "Removed Attribute: use location")},
		},
		"hcloud_server_network": {
			forceNew: []string{"server_id", "network_id", "subnet_id", "ip"},
			values: map[string]value{
				"id":         func(r *request) any { return fmt.Sprint(r.self.text("server_id"), "-", hcloudNetworkOfServer(r)) },
				"network_id": hcloudNetworkOfServer,
				"ip":         func(r *request) any { return r.privateAddress(hcloudRange(r.self.text("subnet_id"))) },
			},
			checks: []check{exactlyOne("network_id", "subnet_id")},
		},
		"hcloud_volume": {
			forceNew: []string{"location"},
			values: map[string]value{
				"linux_device": func(r *request) any { return "/dev/disk/by-id/scsi-0HC_Volume_" + r.self.text("id") },
			},
			checks: []check{oneOf("format", "ext4", "xfs"), exactlyOne("location", "server_id")},
		},
		"hcloud_volume_attachment": {
			forceNew: []string{"volume_id", "server_id"},
			values:   map[string]value{"id": same("volume_id")},
		},
		"hcloud_primary_ip": {
			forceNew: []string{"type", "location"},
			values:   map[string]value{"ip_address": func(r *request) any { return r.publicAddress() }, "assignee_type": always("server")},
			checks:   []check{never("datacenter", "Removed Attribute: use location"), oneOf("type", "ipv4", "ipv6")},
		},
		"hcloud_placement_group": {checks: []check{oneOf("type", "spread")}},
	},
	data: map[string]map[string]value{
		"hcloud_image": {
			"id": hcloudImage, "name": always("ubuntu-24.04"), "os_flavor": always("ubuntu"), "os_version": always("24.04"),
			"architecture": hcloudArchitecture, "type": always("system"), "deprecated": always(""),
		},
		"hcloud_images":      {"images.id": hcloudImage, "images.name": always("ubuntu-24.04"), "images.architecture": hcloudArchitecture},
		"hcloud_location":    {"name": always("nbg1"), "network_zone": always("eu-central")},
		"hcloud_locations":   {"locations.name": always("nbg1"), "locations.network_zone": always("eu-central"), "names": always([]string{"nbg1"})},
		"hcloud_datacenters": {"datacenters.name": always("nbg1-dc3"), "datacenters.location": always(object{"name": "nbg1"})},
		"hcloud_server_type": {"name": always("cpx32"), "architecture": always("x86"), "cores": always(4), "memory": always(8), "disk": always(160)},
		"hcloud_server_types": {
			"server_types.name": always("cpx32"), "server_types.architecture": always("x86"), "server_types.cores": always(4),
			"server_types.memory": always(8), "names": always([]string{"cpx32"}),
		},
	},
}

func hcloudLocation(r *request) any {
	if at := r.other("server_id").text("location"); at != "" {
		return at
	}
	return "nbg1"
}

func hcloudArchitecture(r *request) any {
	if asked := r.self.text("with_architecture"); asked != "" {
		return asked
	}
	return "x86"
}

func hcloudImage(r *request) any {
	var number int
	for _, digit := range r.image(6) {
		number = number*16 + strings.IndexRune("0123456789abcdef", digit)
	}
	return 100000000 + number
}

// hcloudAddress: public unless the server has none, or the one that was reserved for it.
func hcloudAddress(r *request) any {
	for _, net := range r.self.blocks("public_net") {
		if !net.yes("ipv4_enabled", true) {
			return ""
		}
		if reserved := r.cloud.find(net.text("ipv4")).text("ip_address"); reserved != "" {
			return reserved
		}
	}
	return r.publicAddress()
}

func hcloudNetwork6(r *request) string { return fmt.Sprintf("2001:db8:0:%x::", r.cloud.Sequence) }

// A subnet's id is "<network id>-<range>".
func hcloudRange(subnet string) string {
	_, cidr, _ := strings.Cut(subnet, "-")
	return cidr
}

func hcloudNetworkOf(subnet string) string {
	network, _, _ := strings.Cut(subnet, "-")
	return network
}

func hcloudNetworkOfServer(r *request) any {
	if network := r.self.text("network_id"); network != "" {
		return network
	}
	return hcloudNetworkOf(r.self.text("subnet_id"))
}
