package main

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func TestCreateLeavesOpenWhatTheCloudComputes(t *testing.T) {
	schema := provider(t, "hcloud").resource["hcloud_server"]
	planned := membersOf(planCreate(schema.Block, configuration(t, schema, object{
		"name": "n11", "server_type": "cpx32", "location": "nbg1", "network": []any{object{"ip": "10.0.0.11"}},
	})))
	for name, open := range map[string]bool{
		"id": true, "ipv4_address": true, "image": true, // computed, optional and computed
		"location": false, "name": false, // given
		"user_data": false, // neither given nor computed: null
	} {
		if planned[name].IsKnown() == open {
			t.Errorf("%s: %v", name, planned[name])
		}
	}
	network := membersOf(elementsOf(planned["network"])[0])
	if network["mac_address"].IsKnown() || !network["ip"].IsKnown() {
		t.Errorf("%v", network)
	}
}

func TestWriteOnlyIsNeverPlanned(t *testing.T) {
	schema := provider(t, "azurerm").resource["azurerm_subnet"]
	planned := planCreate(schema.Block, configuration(t, schema, object{"name": "n", "route_table_id_wo": "/subscriptions/x"}))
	if got := membersOf(planned)["route_table_id_wo"]; !got.IsNull() {
		t.Errorf("%v", got)
	}
}

func TestUpdateKeepsWhatWasComputed(t *testing.T) {
	schema := provider(t, "google").resource["google_compute_disk"]
	prior := configuration(t, schema, object{"id": "d", "name": "d", "size": 100, "labels": object{"a": "1"}, "terraform_labels": object{"a": "1"}})

	if planned := planUpdate(google.follows, schema.Block, prior, prior); !planned.Equal(prior) {
		t.Error("a plan without a change has a difference")
	}
	proposed := configuration(t, schema, object{"id": "d", "name": "d", "size": 200, "labels": object{"a": "2"}, "terraform_labels": object{"a": "1"}})
	planned := membersOf(planUpdate(google.follows, schema.Block, prior, proposed))
	if planned["terraform_labels"].IsKnown() {
		t.Error("terraform_labels does not follow labels")
	}
	if !planned["id"].IsKnown() {
		t.Error("the id is lost")
	}
}

// What Terraform proposes for a set of blocks has lost what was computed in them.
func TestElementsOfSetsAreFoundAgain(t *testing.T) {
	schema := provider(t, "hcloud").resource["hcloud_server"]
	existing := object{"ip": "10.0.0.11", "subnet_id": "1-10.0.0.0/24", "mac_address": "02:00", "network_id": 1, "alias_ips": []any{}}
	prior := configuration(t, schema, object{"id": "1", "name": "n11", "network": []any{existing}})
	same := configuration(t, schema, object{"id": "1", "name": "n11", "network": []any{object{"ip": "10.0.0.11", "subnet_id": "1-10.0.0.0/24"}}})
	if planned := planUpdate(nil, schema.Block, prior, same); !planned.Equal(prior) {
		t.Errorf("%v", planned)
	}
	other := configuration(t, schema, object{"id": "1", "name": "n11", "network": []any{object{"ip": "10.0.0.12", "subnet_id": "1-10.0.0.0/24"}}})
	if planned := planUpdate(nil, schema.Block, prior, other); planned.Equal(prior) {
		t.Error("another address is no change")
	}
}

func TestForceNew(t *testing.T) {
	instance := func(image, user, other string) object {
		return object{
			"id": "i", "shape": "s", "source_details": []any{object{"source_id": image}},
			"create_vnic_details": []any{object{"private_ip": user}},
			"metadata":            object{"user_data": user, "other": other},
		}
	}
	schema := provider(t, "oci").resource["oci_core_instance"]
	forced := func(before, after object) string {
		return fmt.Sprint(replacements(oci.kinds["oci_core_instance"].forceNew, configuration(t, schema, before), configuration(t, schema, after)))
	}
	if paths := forced(instance("a", "u", "x"), instance("b", "u", "y")); paths != "[]" {
		t.Errorf("an image or other metadata replaces the node: %s", paths)
	}
	expected := fmt.Sprint([]*tftypes.AttributePath{
		tftypes.NewAttributePath().WithAttributeName("create_vnic_details").WithElementKeyInt(0).WithAttributeName("private_ip"),
		tftypes.NewAttributePath().WithAttributeName("metadata").WithElementKeyString("user_data"),
	})
	if paths := forced(instance("a", "u", "x"), instance("a", "v", "x")); paths != expected {
		t.Errorf("%s", paths)
	}
}
