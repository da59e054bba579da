package main

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// A name that the schema does not have would never match, and nobody would notice.
func TestRulesNameWhatSchemasHave(t *testing.T) {
	for _, d := range definitions(t) {
		rules, found := clouds[d.name()]
		if !found {
			t.Errorf("no rules for %s", d.name())
		}
		for kind, one := range rules.kinds {
			schema := d.resource[kind]
			if schema == nil {
				t.Errorf("%s is not in the schema", kind)
				continue
			}
			for _, path := range append(one.forceNew, sortedKeys(one.values)...) {
				if !has(schema.ValueType(), strings.Split(path, ".")) {
					t.Errorf("%s has no %s", kind, path)
				}
			}
		}
		for kind, values := range rules.data {
			schema := d.data[kind]
			if schema == nil {
				t.Errorf("data source %s is not in the schema", kind)
				continue
			}
			for path := range values {
				if !has(schema.ValueType(), strings.Split(path, ".")) {
					t.Errorf("data source %s has no %s", kind, path)
				}
			}
		}
		for _, way := range append(rules.login.ways, rules.login.also, way{rules.login.secrets}) {
			for _, sources := range way {
				for _, source := range sources {
					if !strings.ContainsAny(source[:1], "$~") && !has(d.provider.ValueType(), []string{source}) {
						t.Errorf("provider %s has no argument %s", d.name(), source)
					}
				}
			}
		}
	}
}

// has follows the names through objects, lists, sets and maps.
func has(kind tftypes.Type, names []string) bool {
	switch shape := kind.(type) {
	case tftypes.Object:
		member, found := shape.AttributeTypes[names[0]]
		return found && (len(names) == 1 || has(member, names[1:]))
	case tftypes.List:
		return has(shape.ElementType, names)
	case tftypes.Set:
		return has(shape.ElementType, names)
	case tftypes.Map:
		return len(names) == 1
	default:
		return false
	}
}

func TestChecks(t *testing.T) {
	for _, one := range []struct {
		kind   string
		config object
		says   string
	}{
		{"hcloud_server", object{"datacenter": "nbg1-dc3"}, "Removed Attribute"},
		{"hcloud_server", object{"datacenter": nil, "location": "nbg1"}, ""},
		{"oci_core_instance", object{"state": "OFF"}, "expected state"},
		{"oci_core_instance", object{"shape": "VM.Standard.E5.Flex", "shape_config": []any{}}, "shape_config is required"},
		{"aws_vpc_security_group_ingress_rule", object{"cidr_ipv4": "10.0.0.1/24", "cidr_ipv6": nil, "prefix_list_id": nil, "referenced_security_group_id": nil}, "not a valid network address"},
		// What is not known yet is absent: nothing can be said.
		{"aws_vpc_security_group_ingress_rule", object{"cidr_ipv4": nil, "cidr_ipv6": nil, "prefix_list_id": nil}, ""},
		{"digitalocean_volume", object{"name": "Data_1"}, "begin with a letter"},
		{"exoscale_compute_instance", object{"disk_size": "9"}, "at least 10"},
	} {
		cloud, _, _ := strings.Cut(one.kind, "_")
		said := ""
		for _, check := range clouds[cloud].kinds[one.kind].checks {
			said += check(one.config)
		}
		if !strings.Contains(said, one.says) || (one.says == "") != (said == "") {
			t.Errorf("%s %v: %q", one.kind, one.config, said)
		}
	}
}

func TestDeprecatedArgumentsAreWarnings(t *testing.T) {
	schema := provider(t, "exoscale").resource["exoscale_compute_instance"]
	config := configuration(t, schema, object{"name": "n11", "ssh_key": "key"})
	found := deprecations(schema.Block, config)
	if len(found) != 1 || found[0].Severity != tfprotov6.DiagnosticSeverityWarning || !strings.Contains(found[0].Detail, "ssh_key") {
		t.Errorf("%v", found)
	}
}

func TestLogin(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, one := range []struct {
		provider  string
		variables map[string]string
		settings  object
		fails     string
	}{
		{"digitalocean", nil, object{}, "no valid credentials"},
		{"digitalocean", nil, object{"token": "t"}, ""},
		{"digitalocean", map[string]string{"DIGITALOCEAN_ACCESS_TOKEN": "t"}, object{}, ""},
		{"hcloud", map[string]string{"HCLOUD_TOKEN": "short"}, object{}, "64 characters"},
		{"aws", map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, object{}, "region"},
		{"aws", map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_REGION": "r"}, object{}, "no valid credentials"},
		{"azurerm", map[string]string{"ARM_CLIENT_ID": "a", "ARM_CLIENT_SECRET": "b", "ARM_TENANT_ID": "c", "ARM_SUBSCRIPTION_ID": "d"}, object{}, ""},
		{"google", map[string]string{"GOOGLE_CREDENTIALS": "{nonsense", "GOOGLE_PROJECT": "p"}, object{}, "not valid"},
	} {
		t.Run(one.provider+one.fails, func(t *testing.T) {
			for name, value := range one.variables {
				t.Setenv(name, value)
			}
			err := clouds[one.provider].login.check(one.settings)
			if (err == nil) != (one.fails == "") || err != nil && !strings.Contains(err.Error(), one.fails) {
				t.Errorf("%v, expected %q", err, one.fails)
			}
		})
	}
}

func TestOnlyNamesOfCredentialsAreNoted(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("HCLOUD_TOKEN", "the-secret")
	seen := clouds["hcloud"].login.look("hcloud", object{"token": "another-secret"})
	if strings.Join(seen.Variables, " ") != "HCLOUD_TOKEN" || strings.Join(seen.Arguments, " ") != "token" {
		t.Errorf("%+v", seen)
	}
}

func definitions(t *testing.T) []*definition {
	all, err := loadDefinitions()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func provider(t *testing.T, name string) *definition {
	d, err := chosen(definitions(t), "terraform-provider-"+name+"_v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// configuration is an object of the schema's type; what is not given is null.
func configuration(t *testing.T, schema *tfprotov6.Schema, given object) tftypes.Value {
	for _, block := range schema.Block.BlockTypes {
		if _, set := given[block.TypeName]; !set && block.Nesting != tfprotov6.SchemaNestedBlockNestingModeSingle {
			given[block.TypeName] = []any{}
		}
	}
	value, err := typed(given, schema.ValueType())
	if err != nil {
		t.Fatal(err)
	}
	return value
}
