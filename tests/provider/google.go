package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

const googleAPI = "https://www.googleapis.com/compute/v1/"

// Force-new attributes: google/services/compute of the provider's source.
var google = cloudRules{
	login: login{
		ways: []way{{{
			"credentials", "access_token", "$GOOGLE_OAUTH_ACCESS_TOKEN", "$GOOGLE_CREDENTIALS", "$GOOGLE_CLOUD_KEYFILE_JSON",
			"$GCLOUD_KEYFILE_JSON", "$GOOGLE_APPLICATION_CREDENTIALS", "~/.config/gcloud/application_default_credentials.json",
		}}},
		also:      [][]string{{"project", "$GOOGLE_PROJECT", "$GOOGLE_CLOUD_PROJECT", "$GCLOUD_PROJECT", "$CLOUDSDK_CORE_PROJECT"}},
		malformed: googleKey,
	},
	follows: map[string]string{
		"effective_labels": "labels", "terraform_labels": "labels", "current_status": "desired_status",
		"label_fingerprint": "labels", "metadata_fingerprint": "metadata", "tags_fingerprint": "tags",
	},
	common: map[string]value{
		"project":          func(r *request) any { return googleProject(r) },
		"region":           func(r *request) any { return googleRegion(r) },
		"zone":             func(r *request) any { return googleZone(r) },
		"self_link":        func(r *request) any { return googleAPI + r.self.text("id") },
		"effective_labels": same("labels"),
		"terraform_labels": same("labels"),
		"network_tier":     always("PREMIUM"),
		"deletion_policy":  always("DELETE"),
		"stack_type":       always("IPV4_ONLY"),
	},
	kinds: map[string]kindRules{
		"google_compute_network": {
			forceNew: []string{"auto_create_subnetworks", "description", "internal_ipv6_range", "name", "network_profile", "params", "project"},
			values:   map[string]value{"id": googleID("global", "networks"), "mtu": always(1460), "network_id": func(r *request) any { return fmt.Sprint(r.number()) }},
		},
		"google_compute_subnetwork": {
			forceNew: []string{"description", "external_ipv6_prefix", "internal_ipv6_prefix", "name", "network", "params", "project", "region", "reserved_internal_range"},
			values: map[string]value{
				"id": googleID("regions", "subnetworks"), "gateway_address": func(r *request) any { return gatewayOf(r.self.text("ip_cidr_range")) },
				"purpose": always("PRIVATE"), "subnetwork_id": newNumber,
			},
		},
		"google_compute_firewall": {
			forceNew: []string{"direction", "name", "params", "project"},
			values:   map[string]value{"id": googleID("global", "firewalls"), "direction": always("INGRESS")},
			checks:   []check{oneOf("direction", "INGRESS", "EGRESS")},
		},
		"google_compute_address": {
			forceNew: []string{
				"address", "address_type", "description", "ip_collection", "ip_version", "ipv6_endpoint_type", "name", "network",
				"network_tier", "prefix_length", "project", "purpose", "region", "subnetwork",
			},
			values: map[string]value{"id": googleID("regions", "addresses"), "address": googleAddress},
		},
		"google_compute_disk": {
			forceNew: []string{
				"architecture", "async_primary_disk", "description", "disk_encryption_key", "enable_confidential_compute", "guest_os_features",
				"image", "licenses", "name", "params", "physical_block_size_bytes", "project", "snapshot", "source_disk", "source_image_encryption_key",
				"source_instant_snapshot", "source_snapshot_encryption_key", "storage_pool", "type", "zone",
			},
			values: map[string]value{"id": googleID("zones", "disks"), "disk_id": func(r *request) any { return fmt.Sprint(r.number()) }, "size": always(500)},
		},
		"google_compute_attached_disk": {
			forceNew: []string{"device_name", "disk", "instance", "interface", "mode", "project", "zone"},
			values: map[string]value{
				"id": func(r *request) any {
					return fmt.Sprintf("projects/%s/zones/%s/instances/%s/%s", googleProject(r), googleZone(r),
						baseName(r.self.text("instance")), baseName(r.self.text("disk")))
				},
				"device_name": always("persistent-disk-1"),
			},
		},
		"google_compute_instance": {
			forceNew: []string{
				"boot_disk.device_name", "boot_disk.initialize_params.architecture", "boot_disk.initialize_params.image",
				"boot_disk.initialize_params.provisioned_iops", "boot_disk.initialize_params.provisioned_throughput",
				"boot_disk.initialize_params.resource_policies", "boot_disk.initialize_params.snapshot", "boot_disk.initialize_params.type",
				"boot_disk.kms_key_self_link", "boot_disk.mode", "boot_disk.source", "confidential_instance_config", "guest_accelerator",
				"hostname", "key_revocation_action_type", "metadata_startup_script", "name", "network_interface.network_ip",
				"network_interface.nic_type", "network_interface.queue_count", "network_interface.vlan", "network_performance_config", "params",
				"project", "reservation_affinity", "scheduling.preemptible", "scheduling.provisioning_model", "scratch_disk", "zone",
			},
			values: map[string]value{
				"id": googleID("zones", "instances"), "instance_id": func(r *request) any { return fmt.Sprint(r.number()) },
				"cpu_platform":   always("Intel Broadwell"),
				"current_status": googleStatus,
				"boot_disk.source": func(r *request) any {
					return googleAPI + fmt.Sprintf("projects/%s/zones/%s/disks/%s", googleProject(r), googleZone(r), r.self.text("name"))
				},
				"boot_disk.device_name":              always("persistent-disk-0"),
				"boot_disk.initialize_params.size":   always(10),
				"boot_disk.initialize_params.type":   always("pd-standard"),
				"boot_disk.initialize_params.labels": always(object{}),
				"attached_disk.device_name":          always("persistent-disk-1"),
				"network_interface.name":             always("nic0"),
				"network_interface.network_ip": func(r *request) any {
					return r.privateAddress(r.cloud.bySuffix(r.here.text("subnetwork")).text("ip_cidr_range"))
				},
				"network_interface.network": func(r *request) any {
					return r.cloud.bySuffix(r.here.text("subnetwork")).text("network")
				},
				"network_interface.subnetwork_project":   func(r *request) any { return googleProject(r) },
				"network_interface.access_config.nat_ip": func(r *request) any { return r.publicAddress() },
				"scheduling.on_host_maintenance":         always("MIGRATE"),
				"scheduling.provisioning_model":          always("STANDARD"),
			},
			checks: []check{oneOf("desired_status", "RUNNING", "TERMINATED", "SUSPENDED")},
			effect: googlePower,
		},
		"google_compute_router":                {forceNew: []string{"name", "network", "region", "project"}, values: map[string]value{"id": googleID("regions", "routers")}},
		"google_compute_router_nat":            {forceNew: []string{"name", "router", "region", "project"}, values: map[string]value{"id": joined("/", "project", "region", "router", "name")}},
		"google_compute_project_metadata_item": {forceNew: []string{"key", "project"}, values: map[string]value{"id": same("key")}},
		"google_service_account": {
			forceNew: []string{"account_id", "project"},
			values: map[string]value{
				"id": func(r *request) any {
					return fmt.Sprintf("projects/%s/serviceAccounts/%s", googleProject(r), googleMail(r))
				},
				"email": func(r *request) any { return googleMail(r) }, "name": same("id"),
				"member": func(r *request) any { return "serviceAccount:" + googleMail(r) },
			},
		},
		"google_project_service": {
			forceNew: []string{"project", "service"},
			values:   map[string]value{"id": func(r *request) any { return googleProject(r) + "/" + r.self.text("service") }},
		},
	},
	data: map[string]map[string]value{
		"google_compute_image": {
			"id": googleImage, "name": func(r *request) any { return baseName(googleImage(r).(string)) }, "family": always("ubuntu-2404-lts-amd64"),
			"project": always("ubuntu-os-cloud"), "disk_size_gb": always(10), "status": always("READY"),
		},
		"google_compute_images": {"images.name": func(r *request) any { return baseName(googleImage(r).(string)) }, "images.self_link": func(r *request) any { return googleAPI + googleImage(r).(string) }},
		"google_compute_zones": {"names": func(r *request) any {
			return []string{googleRegion(r) + "-a", googleRegion(r) + "-b", googleRegion(r) + "-c"}
		}},
		"google_compute_regions":       {"names": always([]string{"europe-west4", "us-central1"})},
		"google_compute_machine_types": {"machine_types.name": always("e2-standard-4"), "machine_types.guest_cpus": always(4), "machine_types.memory_mb": always(16384)},
	},
}

// googleKey: a key is JSON, or the path of a file with it.
func googleKey(settings object) error {
	r := request{settings: settings}
	key := r.setting("credentials", "GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON")
	if key == "" || r.setting("access_token", "GOOGLE_OAUTH_ACCESS_TOKEN") != "" {
		return nil
	}
	if _, err := os.Stat(key); err == nil || json.Valid([]byte(key)) {
		return nil
	}
	return errors.New("JSON credentials are not valid")
}

func googleProject(r *request) string {
	if project := r.self.text("project"); project != "" {
		return project
	}
	return r.setting("project", "GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
}

func googleZone(r *request) string {
	if zone := r.self.text("zone"); zone != "" {
		return zone
	}
	if zone := r.setting("zone", "GOOGLE_ZONE", "GCLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE"); zone != "" {
		return zone
	}
	return "europe-west4-a"
}

func googleRegion(r *request) string {
	if region := r.self.text("region"); region != "" {
		return baseName(region)
	}
	if region := r.setting("region", "GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"); region != "" {
		return region
	}
	zone := googleZone(r)
	return zone[:strings.LastIndex(zone, "-")]
}

// googleID is like projects/p/zones/z/instances/n.
func googleID(scope, collection string) value {
	return func(r *request) any {
		where := scope
		switch scope {
		case "zones":
			where += "/" + googleZone(r)
		case "regions":
			where += "/" + googleRegion(r)
		}
		return fmt.Sprintf("projects/%s/%s/%s/%s", googleProject(r), where, collection, r.self.text("name"))
	}
}

func googleAddress(r *request) any {
	if r.self.text("address_type") == "INTERNAL" {
		return r.privateAddress(r.cloud.bySuffix(r.self.text("subnetwork")).text("ip_cidr_range"))
	}
	return r.publicAddress()
}

func googleStatus(r *request) any {
	if wanted := r.self.text("desired_status"); wanted != "" {
		return wanted
	}
	return "RUNNING"
}

// googlePower: a node that is off loses its public address, and gets another when it is on
// again; unless the address is reserved.
func googlePower(cloud *cloudState, node object) {
	for _, access := range node.block("network_interface").blocks("access_config") {
		reserved := slices.ContainsFunc(slices.Collect(maps.Values(cloud.Resources)), func(one *resource) bool {
			return one.Type == "google_compute_address" && one.Values.text("address") == access.text("nat_ip")
		})
		switch {
		case reserved:
		case node.text("desired_status") == "TERMINATED":
			access.set("nat_ip", "")
		case access.text("nat_ip") == "":
			access.set("nat_ip", cloud.publicAddress())
		}
	}
}

func googleMail(r *request) string {
	return fmt.Sprintf("%s@%s.iam.gserviceaccount.com", r.self.text("account_id"), googleProject(r))
}

func googleImage(r *request) any {
	return "projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v" + r.image(8)
}

func baseName(link string) string { return link[strings.LastIndex(link, "/")+1:] }

// bySuffix is the resource that a full link, an id or a mere name means.
func (c *cloudState) bySuffix(link string) object {
	if found := c.find(strings.TrimPrefix(link, googleAPI)); found != nil {
		return found
	}
	for _, one := range c.Resources {
		if link != "" && baseName(one.ID) == link {
			return one.Values
		}
	}
	return nil
}
