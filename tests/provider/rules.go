package main

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// cloudRules is what a schema does not tell about a cloud.
type cloudRules struct {
	login  login
	kinds  map[string]kindRules        // resource types
	data   map[string]map[string]value // data sources
	common map[string]value            // by attribute name, wherever it is
	// follows: what is computed anew when another attribute changes.
	follows map[string]string
}

// kindRules is what it does not tell about a type.
type kindRules struct {
	// forceNew are the attributes whose change makes a new resource, as in the real provider's
	// source. A block's name means the whole block.
	forceNew []string
	values   map[string]value
	checks   []check
	// effect is seen by the next refresh: what a change does to other resources.
	effect func(cloud *cloudState, values object)
}

var clouds = map[string]cloudRules{
	"aws":          aws,
	"azurerm":      azurerm,
	"digitalocean": digitalocean,
	"exoscale":     exoscale,
	"google":       google,
	"hcloud":       hcloud,
	"libvirt":      libvirt,
	"oci":          oci,
}

// check looks at a configuration, as far as it is known, and says what is wrong with it.
type check func(config object) string

// problems are what the checks find.
func (k kindRules) problems(config tftypes.Value) []*tfprotov6.Diagnostic {
	known, _ := plain(config).(object)
	var found []*tfprotov6.Diagnostic
	for _, one := range k.checks {
		if problem := one(known); problem != "" {
			found = append(found, &tfprotov6.Diagnostic{
				Severity: tfprotov6.DiagnosticSeverityError, Summary: "Invalid configuration", Detail: problem,
			})
		}
	}
	return found
}

// deprecations are warnings for everything in the configuration that its schema marks so.
func deprecations(block *tfprotov6.SchemaBlock, config tftypes.Value) []*tfprotov6.Diagnostic {
	var found []*tfprotov6.Diagnostic
	mapBlock(block, config, "", func(at place, attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		if attribute.Deprecated && !value.IsNull() {
			found = append(found, &tfprotov6.Diagnostic{
				Severity: tfprotov6.DiagnosticSeverityWarning, Summary: "Argument is deprecated",
				Detail: fmt.Sprintf("%s is deprecated", at.path),
			})
		}
		return value
	})
	return found
}

// oneOf: the attribute, if it is set, has one of these values.
func oneOf(name string, allowed ...string) check {
	return func(config object) string {
		given, isText := config[name].(string)
		if !isText {
			return ""
		}
		for _, value := range allowed {
			if given == value {
				return ""
			}
		}
		return fmt.Sprintf("expected %s to be one of %q, got %s", name, allowed, given)
	}
}

// exactlyOne of the attributes or blocks is set. An unknown one is absent from the config:
// then nothing can be said.
func exactlyOne(names ...string) check {
	return func(config object) string {
		set := 0
		for _, name := range names {
			value, known := config[name]
			if !known {
				return ""
			}
			if items, isList := value.([]any); value != nil && (!isList || len(items) > 0) {
				set++
			}
		}
		if set != 1 {
			return fmt.Sprintf("exactly one of %q must be specified, got %d", names, set)
		}
		return ""
	}
}

// never: the attribute is in the schema, but the provider refuses it.
func never(name, reason string) check {
	return func(config object) string {
		if config[name] == nil {
			return ""
		}
		return fmt.Sprintf("%s: %s", name, reason)
	}
}

// atLeast: the number, if it is set, is not smaller.
func atLeast(name string, least float64) check {
	return func(config object) string {
		number, err := numberOf(config[name])
		if err != nil || number >= least {
			return ""
		}
		return fmt.Sprintf("expected %s to be at least %g, got %g", name, least, number)
	}
}
