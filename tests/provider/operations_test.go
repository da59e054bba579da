package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func testServer(t *testing.T, name string) *server {
	t.Setenv("TEST_PROVIDER_STATE", t.TempDir()+"/cloud.json")
	return newServer(provider(t, name))
}

func (s *server) make(t *testing.T, kind string, given object) (tftypes.Value, error) {
	schema := s.definition.resource[kind]
	nothing := tftypes.NewValue(schema.ValueType(), nil)
	return s.apply(kind, schema, nothing, planCreate(schema.Block, configuration(t, schema, given)))
}

func (s *server) end(kind string, existing tftypes.Value) error {
	_, err := s.apply(kind, s.definition.resource[kind], existing, tftypes.NewValue(existing.Type(), nil))
	return err
}

func (s *server) cloud(t *testing.T) *cloudState {
	cloud, err := s.store.read()
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// Terraform makes ten things at once, in as many processes as there are providers.
func TestNothingIsLostWhenManyAreMade(t *testing.T) {
	s := testServer(t, "hcloud")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := s.make(t, "hcloud_volume", object{"name": "data", "size": 10, "location": "nbg1"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if cloud := s.cloud(t); len(cloud.Resources) != 20 || cloud.Counts["create hcloud_volume"] != 20 || len(cloud.Log) != 20 {
		t.Errorf("%d resources, %v", len(cloud.Resources), cloud.Counts)
	}
}

func TestReferencesAreFollowed(t *testing.T) {
	s := testServer(t, "azurerm")
	t.Setenv("ARM_SUBSCRIPTION_ID", "sub")
	in := object{"resource_group_name": "g", "location": "l", "name": "n11"}
	with := func(more object) object {
		for name, value := range in {
			more[name] = value
		}
		return more
	}
	address, _ := s.make(t, "azurerm_public_ip", with(object{}))
	nic, _ := s.make(t, "azurerm_network_interface", with(object{"ip_configuration": []any{object{
		"name": "c", "private_ip_address": "10.0.0.11", "public_ip_address_id": idOf(address),
	}}}))
	made, err := s.make(t, "azurerm_linux_virtual_machine", with(object{"network_interface_ids": []any{idOf(nic)}}))
	if err != nil {
		t.Fatal(err)
	}
	node := plain(made).(object)
	if node.text("public_ip_address") != "127.77.0.1" || node.text("private_ip_address") != "10.0.0.11" {
		t.Errorf("%v", node)
	}
	if !strings.HasPrefix(node.text("id"), "/subscriptions/sub/resourceGroups/g/providers/Microsoft.Compute/") {
		t.Error(node.text("id"))
	}
}

func TestNamesAreTaken(t *testing.T) {
	s := testServer(t, "google")
	if _, err := s.make(t, "google_compute_network", object{"name": "net"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.make(t, "google_compute_network", object{"name": "net"}); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Error(err)
	}
}

func TestANodeThatIsOffLosesItsAddress(t *testing.T) {
	s := testServer(t, "aws")
	subnet, _ := s.make(t, "aws_subnet", object{"vpc_id": "vpc-1", "map_public_ip_on_launch": true})
	node, _ := s.make(t, "aws_instance", object{"subnet_id": idOf(subnet)})
	power := func(state string) string {
		schema := s.definition.resource["aws_ec2_instance_state"]
		now := func(state string) tftypes.Value {
			return configuration(t, schema, object{"id": idOf(node), "instance_id": idOf(node), "state": state})
		}
		if _, exists := s.cloud(t).Resources[key("aws_ec2_instance_state", idOf(node))]; !exists {
			_, _ = s.make(t, "aws_ec2_instance_state", object{"instance_id": idOf(node), "state": state})
		} else if _, err := s.apply("aws_ec2_instance_state", schema, now("running"), now(state)); err != nil {
			t.Fatal(err)
		}
		return s.cloud(t).find(idOf(node)).text("public_ip")
	}
	first, off, second := power("running"), power("stopped"), power("running")
	if first == "" || off != "" || second == "" || first == second {
		t.Errorf("running %q, stopped %q, running %q", first, off, second)
	}
}

func TestFaults(t *testing.T) {
	s := testServer(t, "hcloud")
	t.Setenv("TEST_PROVIDER_FAULTS", `[
		{"on": "create", "type": "hcloud_volume", "nth": 2, "do": "fail", "message": "no room"},
		{"on": "create", "type": "hcloud_volume", "nth": 3, "do": "fail", "done": true},
		{"on": "delete", "type": "hcloud_volume", "nth": 1, "do": "wait"}]`)
	volume := object{"name": "data", "size": 10, "location": "nbg1"}

	first, err := s.make(t, "hcloud_volume", volume)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := s.make(t, "hcloud_volume", volume); err == nil || err.Error() != "no room" || !second.IsNull() {
		t.Errorf("%v %v", err, second)
	}
	if third, err := s.make(t, "hcloud_volume", volume); err == nil || third.IsNull() || len(s.cloud(t).Resources) != 2 {
		t.Errorf("%v %v", err, third)
	}

	ended := make(chan error)
	go func() { ended <- s.end("hcloud_volume", first) }()
	close(s.stopped) // Terraform asks to stop
	if err := <-ended; err == nil || len(s.cloud(t).Resources) != 2 {
		t.Errorf("%v", err)
	}
	if err := s.end("hcloud_volume", first); err != nil || len(s.cloud(t).Resources) != 1 {
		t.Errorf("%v", err)
	}
}

func TestANewerImage(t *testing.T) {
	s := testServer(t, "aws")
	image := func() string {
		schema := s.definition.data["aws_ssm_parameter"]
		found, err := s.readData("aws_ssm_parameter", schema, configuration(t, schema, object{"name": "ubuntu"}))
		if err != nil {
			t.Fatal(err)
		}
		return plain(found).(object).text("insecure_value")
	}
	older, again := image(), image()
	t.Setenv("TEST_PROVIDER_IMAGE", "newer")
	if newer := image(); older != again || older == newer || !strings.HasPrefix(newer, "ami-") {
		t.Errorf("%s, %s, %s", older, again, newer)
	}
}

// Every data source answers, and with something where a list is asked for.
func TestDataSourcesAnswer(t *testing.T) {
	for _, d := range definitions(t) {
		s := testServer(t, d.name())
		for kind, schema := range d.data {
			found, err := s.readData(kind, schema, configuration(t, schema, object{}))
			if err != nil || !found.IsFullyKnown() {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}
