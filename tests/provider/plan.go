package main

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// planCreate marks what the cloud will compute as unknown.
func planCreate(block *tfprotov6.SchemaBlock, proposed tftypes.Value) tftypes.Value {
	return mapBlock(block, proposed, "", func(_ place, attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		switch {
		case attribute.WriteOnly:
			return tftypes.NewValue(value.Type(), nil)
		case attribute.Computed && value.IsNull():
			return unknown(value.Type())
		default:
			return value
		}
	})
}

// planUpdate keeps what was computed, but for what follows an attribute that changes.
func planUpdate(follows map[string]string, block *tfprotov6.SchemaBlock, prior, proposed tftypes.Value) tftypes.Value {
	planned := mapBlock(block, proposed, "", func(_ place, attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		if attribute.WriteOnly {
			return tftypes.NewValue(value.Type(), nil)
		}
		return value
	})
	planned = correlated(block, prior, planned)
	if planned.Equal(prior) {
		return prior
	}
	before := membersOf(prior)
	after := membersOf(planned)
	return mapBlock(block, planned, "", func(at place, attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		if !attribute.Computed {
			return value
		}
		if source, found := follows[at.path]; found && !before[source].Equal(after[source]) {
			return unknown(value.Type())
		}
		// In a block that is new; elsewhere null is what the cloud answered before.
		if value.IsNull() && strings.Contains(at.path, ".") {
			return unknown(value.Type())
		}
		return value
	})
}

func unknown(kind tftypes.Type) tftypes.Value {
	return tftypes.NewValue(kind, tftypes.UnknownValue)
}

// replacements are the paths of force-new attributes whose planned value differs.
func replacements(forceNew []string, prior, planned tftypes.Value) []*tftypes.AttributePath {
	var paths []*tftypes.AttributePath
	for _, name := range forceNew {
		paths = append(paths, differing(strings.Split(name, "."), tftypes.NewAttributePath(), prior, planned)...)
	}
	return paths
}

// differing follows the names into both values. Lists are compared by index; the elements
// of a set have no identity, so a set that differs counts as a whole.
func differing(names []string, at *tftypes.AttributePath, prior, planned tftypes.Value) []*tftypes.AttributePath {
	if prior.Equal(planned) {
		return nil
	}
	if len(names) == 0 || !descendable(prior) || !descendable(planned) || prior.Type().Is(tftypes.Set{}) {
		return []*tftypes.AttributePath{at}
	}
	if prior.Type().Is(tftypes.Object{}) || prior.Type().Is(tftypes.Map{}) {
		step := at.WithAttributeName(names[0])
		if prior.Type().Is(tftypes.Map{}) {
			step = at.WithElementKeyString(names[0])
		}
		before, had := membersOf(prior)[names[0]]
		after, has := membersOf(planned)[names[0]]
		if !had || !has {
			if had == has {
				return nil
			}
			return []*tftypes.AttributePath{at}
		}
		return differing(names[1:], step, before, after)
	}
	before, after := elementsOf(prior), elementsOf(planned)
	if len(before) != len(after) {
		return []*tftypes.AttributePath{at}
	}
	var paths []*tftypes.AttributePath
	for i := range before {
		paths = append(paths, differing(names, at.WithElementKeyInt(i), before[i], after[i])...)
	}
	return paths
}

func descendable(value tftypes.Value) bool { return value.IsKnown() && !value.IsNull() }
