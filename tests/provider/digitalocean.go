package main

import (
	"fmt"
	"regexp"
)

// Force-new attributes: digitalocean/ of the provider's source.
var digitalocean = cloudRules{
	login: login{
		ways:    []way{{{"token", "$DIGITALOCEAN_TOKEN", "$DIGITALOCEAN_ACCESS_TOKEN"}}},
		secrets: []string{"spaces_secret_key", "$SPACES_SECRET_ACCESS_KEY"},
	},
	common: map[string]value{
		"region": always("nyc3"),
		"urn":    digitaloceanURN,
		"status": always("active"),
	},
	kinds: map[string]kindRules{
		"digitalocean_ssh_key": {forceNew: []string{"public_key"}, values: map[string]value{"id": digitaloceanNumber}},
		"digitalocean_vpc": {
			forceNew: []string{"ip_range", "region"},
			values:   map[string]value{"ip_range": func(r *request) any { return fmt.Sprintf("10.%d.0.0/20", 100+r.cloud.Sequence%100) }},
		},
		"digitalocean_firewall": {values: map[string]value{"status": always("succeeded")}},
		"digitalocean_droplet": {
			forceNew: []string{"droplet_agent", "gpu_partition_mode", "image", "monitoring", "public_networking", "region", "ssh_keys", "user_data", "vpc_uuid"},
			values: map[string]value{
				"id": digitaloceanNumber, "vcpus": always(2), "memory": always(4096), "disk": always(80),
				"price_hourly": always(0.03571), "price_monthly": always(24), "private_networking": always(true),
				"public_networking": always(true),
				"ipv4_address":      digitaloceanAddress,
				"ipv4_address_private": func(r *request) any {
					return r.privateAddress(r.other("vpc_uuid").text("ip_range"))
				},
				"ipv6_address": digitaloceanAddress6,
				"vpc_uuid":     uuid,
			},
		},
		"digitalocean_volume": {
			forceNew: []string{"description", "initial_filesystem_label", "initial_filesystem_type", "name", "region", "snapshot_id"},
			checks:   []check{digitaloceanVolumeName, atLeast("size", 1)},
		},
		"digitalocean_volume_attachment": {forceNew: []string{"droplet_id", "volume_id"}, values: map[string]value{"id": digitaloceanNumber}},
		"digitalocean_tag":               {forceNew: []string{"name"}, values: map[string]value{"id": same("name")}},
		"digitalocean_project_resources": {forceNew: []string{"project"}, values: map[string]value{"id": same("project")}},
		"digitalocean_reserved_ip": {
			forceNew: []string{"region"},
			values:   map[string]value{"id": func(r *request) any { return r.publicAddress() }, "ip_address": same("id")},
		},
	},
	data: map[string]map[string]value{
		"digitalocean_image":   {"id": digitaloceanImage, "image": func(r *request) any { return fmt.Sprint(digitaloceanImage(r)) }, "slug": always("ubuntu-24-04-x64"), "distribution": always("Ubuntu")},
		"digitalocean_images":  {"images.id": digitaloceanImage, "images.slug": always("ubuntu-24-04-x64"), "images.distribution": always("Ubuntu")},
		"digitalocean_region":  {"sizes": always([]string{"s-2vcpu-4gb", "s-4vcpu-8gb"}), "features": always([]string{"volumes"})},
		"digitalocean_regions": {"regions.slug": always("nyc3"), "regions.sizes": always([]string{"s-2vcpu-4gb", "s-4vcpu-8gb"})},
		"digitalocean_sizes":   {"sizes.slug": always("s-2vcpu-4gb"), "sizes.vcpus": always(2), "sizes.memory": always(4096), "sizes.regions": always([]string{"nyc3"})},
		"digitalocean_account": {"droplet_limit": always(25), "email": always("test@example.com")},
	},
}

func digitaloceanNumber(r *request) any { return 400000000 + r.cloud.Sequence }

func digitaloceanURN(r *request) any {
	return "do:" + r.kind[len("digitalocean_"):] + ":" + r.self.text("id")
}

func digitaloceanAddress(r *request) any {
	if !r.self.yes("public_networking", true) {
		return ""
	}
	return r.publicAddress()
}

func digitaloceanAddress6(r *request) any {
	if !r.self.yes("ipv6", false) {
		return ""
	}
	return fmt.Sprintf("2001:db8:1::%x", r.cloud.Sequence)
}

func digitaloceanImage(r *request) any {
	return 100000000 + int(r.image(6)[0])*1000 + int(r.image(6)[1])
}

var digitaloceanVolume = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

func digitaloceanVolumeName(config object) string {
	name, isText := config["name"].(string)
	if !isText || digitaloceanVolume.MatchString(name) {
		return ""
	}
	return "name must begin with a letter and have at most 64 of a-z, 0-9 and -"
}
