package main

// The libvirt provider itself can be had in tests; this is for validating templates alone.
// Force-new attributes: libvirt/ of the provider's source, those that templates use.
var libvirt = cloudRules{
	kinds: map[string]kindRules{
		"libvirt_cloudinit_disk": {forceNew: []string{"meta_data", "name", "network_config", "pool", "user_data"}},
		"libvirt_volume":         {forceNew: []string{"base_volume_id", "base_volume_name", "base_volume_pool", "format", "name", "pool", "size", "source"}},
		"libvirt_network":        {forceNew: []string{"addresses", "bridge", "domain", "mode", "name"}},
		"libvirt_pool":           {forceNew: []string{"name", "path", "type"}},
		"libvirt_domain":         {forceNew: []string{"arch", "machine", "memory", "name", "type", "vcpu"}},
	},
}
