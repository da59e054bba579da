package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// object is a resource or a part of one as plain data: strings, json.Number, bool, []any,
// object. What is unknown is absent.
type object map[string]any

// text is a string or number; "" if there is none.
func (o object) text(name string) string {
	switch value := o[name].(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// yes is a bool; otherwise stands for what the cloud takes when nothing is said.
func (o object) yes(name string, otherwise bool) bool {
	if value, given := o[name].(bool); given {
		return value
	}
	return otherwise
}

// set changes an object of the cloud; there is nothing to change in one that does not exist.
func (o object) set(name string, what any) {
	if o != nil {
		o[name] = what
	}
}

func (o object) texts(name string) []string {
	result := []string{}
	items, _ := o[name].([]any)
	for _, item := range items {
		result = append(result, fmt.Sprint(item))
	}
	return result
}

// blocks are the elements of a list or set of blocks.
func (o object) blocks(name string) []object {
	var result []object
	items, _ := o[name].([]any)
	for _, item := range items {
		switch value := item.(type) {
		case object:
			result = append(result, value)
		case map[string]any: // as it comes from the file
			result = append(result, value)
		}
	}
	return result
}

// block is the first of them; an empty one if there is none.
func (o object) block(name string) object {
	for _, first := range o.blocks(name) {
		return first
	}
	return object{}
}

// plain turns a value into plain data; unknown becomes nil and is left out of objects.
func plain(value tftypes.Value) any {
	if value.IsNull() || !value.IsKnown() {
		return nil
	}
	switch {
	case value.Type().Is(tftypes.String):
		var text string
		must(value.As(&text))
		return text
	case value.Type().Is(tftypes.Bool):
		var yes bool
		must(value.As(&yes))
		return yes
	case value.Type().Is(tftypes.Number):
		number := new(big.Float)
		must(value.As(&number))
		return json.Number(number.Text('f', -1))
	case value.Type().Is(tftypes.List{}), value.Type().Is(tftypes.Set{}), value.Type().Is(tftypes.Tuple{}):
		items := []any{}
		for _, element := range elementsOf(value) {
			items = append(items, plain(element))
		}
		return items
	default:
		return plainMembers(membersOf(value))
	}
}

func plainMembers(members map[string]tftypes.Value) object {
	result := object{}
	for name, member := range members {
		if member.IsKnown() {
			result[name] = plain(member)
		}
	}
	return result
}

// typed is plain data as a value of this type; members that are missing become null.
func typed(data any, kind tftypes.Type) (tftypes.Value, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return tftypes.Value{}, err
	}
	// The one way from JSON to a value; deprecated only because providers should not need it.
	return tftypes.ValueFromJSONWithOpts(text, kind, tftypes.ValueFromJSONOpts{IgnoreUndefinedAttributes: true}) //nolint:staticcheck
}

// decode reads JSON without losing the digits of numbers.
func decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}

func numberOf(data any) (float64, error) { return strconv.ParseFloat(fmt.Sprint(data), 64) }
