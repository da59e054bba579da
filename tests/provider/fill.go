package main

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// fill gives everything that is unknown a value: first the id, which others are made from.
func (r request) fill(schema *tfprotov6.Schema, planned tftypes.Value) (tftypes.Value, error) {
	var failed error
	r.self = plainMembers(membersOf(planned))
	fillOne := func(at place, attribute *tfprotov6.SchemaAttribute, current tftypes.Value) tftypes.Value {
		if current.IsKnown() && !r.answers(at.path, current) {
			return current
		}
		here := plainMembers(at.object)
		made, err := typed(r.makeUp(at.path, here, current.Type()), current.Type())
		if err != nil {
			failed = fmt.Errorf("%s.%s: %w", r.kind, at.path, err)
			return tftypes.NewValue(current.Type(), nil)
		}
		if at.path == attribute.Name {
			r.self[attribute.Name] = plain(made)
		}
		return made
	}
	withID := mapBlock(schema.Block, planned, "", func(at place, attribute *tfprotov6.SchemaAttribute, current tftypes.Value) tftypes.Value {
		if at.path != "id" {
			return current
		}
		return fillOne(at, attribute, current)
	})
	return mapBlock(schema.Block, withID, "", fillOne), failed
}

// answers: a data source may say something that its schema calls optional, not computed,
// such as the id of what was looked for by name.
func (r request) answers(path string, current tftypes.Value) bool {
	_, has := r.rules[path]
	return r.data && has && current.IsNull()
}

// makeUp asks the rules of the type, then those of the cloud, then goes by name and type.
func (r request) makeUp(path string, here object, kind tftypes.Type) any {
	r.path, r.here = path, here
	if rule, found := r.rules[path]; found {
		return rule(&r)
	}
	if rule, found := r.common[lastName(path)]; found {
		return rule(&r)
	}
	return r.byName(lastName(path), kind)
}

// byName knows what attributes are called everywhere. Beyond that a resource says that
// nothing is set, as clouds do, and a data source finds one of everything.
func (r *request) byName(name string, kind tftypes.Type) any {
	if kind.Is(tftypes.String) {
		switch {
		case name == "id":
			return r.uuid()
		case name == "mac_address":
			return r.mac(":")
		case strings.Contains(name, "fingerprint"):
			return r.fingerprint()
		case strings.HasPrefix(name, "time_"), strings.HasPrefix(name, "creat"):
			return "2026-01-02T03:04:05Z"
		}
	}
	if r.data {
		return r.found(name, kind)
	}
	return nothing(kind)
}

func nothing(kind tftypes.Type) any {
	switch {
	case kind.Is(tftypes.String):
		return ""
	case kind.Is(tftypes.Bool):
		return false
	case kind.Is(tftypes.Number):
		return 0
	case kind.Is(tftypes.Map{}):
		return object{}
	case kind.Is(tftypes.Object{}):
		return nil
	default:
		return []any{}
	}
}

// found is what a data source answers: the arguments again, and one of what was not asked for.
func (r *request) found(name string, kind tftypes.Type) any {
	if asked, given := r.self[name]; given && asked != nil && name != "id" && strings.Contains(r.path, ".") {
		return asked
	}
	switch shape := kind.(type) {
	case tftypes.List:
		return []any{r.inside(shape.ElementType)}
	case tftypes.Set:
		return []any{r.inside(shape.ElementType)}
	case tftypes.Object:
		return r.inside(shape)
	case tftypes.Map:
		return object{}
	}
	switch {
	case kind.Is(tftypes.Bool):
		return strings.Contains(name, "available")
	case kind.Is(tftypes.Number):
		return 1
	}
	return name + "-1"
}

// inside is one element of a list, or a nested object.
func (r *request) inside(kind tftypes.Type) any {
	shape, isObject := kind.(tftypes.Object)
	if !isObject {
		return r.found(lastName(r.path), kind)
	}
	made := object{}
	for _, name := range sortedKeys(shape.AttributeTypes) {
		made[name] = r.makeUp(r.path+"."+name, made, shape.AttributeTypes[name])
	}
	return made
}
