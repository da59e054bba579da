package main

import (
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// place is where a walk is: the path as the schema writes it, without indexes, and the
// object that the attribute belongs to.
type place struct {
	path   string
	object map[string]tftypes.Value
}

type change func(at place, attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value

// mapBlock returns the object with every attribute replaced by what change makes of it, in
// nested blocks and nested attributes as well. What is null or unknown is not descended into.
func mapBlock(block *tfprotov6.SchemaBlock, object tftypes.Value, prefix string, f change) tftypes.Value {
	if object.IsNull() || !object.IsKnown() {
		return object
	}
	members := membersOf(object)
	mapAttributes(block.Attributes, members, prefix, f)
	for _, nested := range block.BlockTypes {
		members[nested.TypeName] = mapElements(members[nested.TypeName], func(element tftypes.Value) tftypes.Value {
			return mapBlock(nested.Block, element, prefix+nested.TypeName+".", f)
		})
	}
	return tftypes.NewValue(object.Type(), members)
}

func mapAttributes(attributes []*tfprotov6.SchemaAttribute, members map[string]tftypes.Value, prefix string, f change) {
	for _, attribute := range attributes {
		at := place{path: prefix + attribute.Name, object: members}
		value := f(at, attribute, members[attribute.Name])
		if attribute.NestedType != nil {
			value = mapElements(value, func(element tftypes.Value) tftypes.Value {
				if element.IsNull() || !element.IsKnown() {
					return element
				}
				inner := membersOf(element)
				mapAttributes(attribute.NestedType.Attributes, inner, at.path+".", f)
				return tftypes.NewValue(element.Type(), inner)
			})
		}
		members[attribute.Name] = value
	}
}

// mapElements applies f to the elements of a list or set of objects, or to a single object.
func mapElements(value tftypes.Value, f func(tftypes.Value) tftypes.Value) tftypes.Value {
	if value.IsNull() || !value.IsKnown() {
		return value
	}
	if value.Type().Is(tftypes.Object{}) {
		return f(value)
	}
	elements := elementsOf(value)
	for i := range elements {
		elements[i] = f(elements[i])
	}
	return tftypes.NewValue(value.Type(), elements)
}

// membersOf returns a copy of an object's or map's members. The value must be known and not null.
func membersOf(value tftypes.Value) map[string]tftypes.Value {
	var members map[string]tftypes.Value
	must(value.As(&members))
	return members
}

func elementsOf(value tftypes.Value) []tftypes.Value {
	var elements []tftypes.Value
	must(value.As(&elements))
	return elements
}

// must stops the program: the schema and the value disagree, which Terraform rules out.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
