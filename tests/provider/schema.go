package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"exasol.lab/schemas"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// definition is a provider as its schema file describes it.
type definition struct {
	source   string // hashicorp/aws
	version  string
	protocol int
	provider *tfprotov6.Schema
	resource map[string]*tfprotov6.Schema
	data     map[string]*tfprotov6.Schema
}

// name is what its program and its types begin with: aws, hcloud.
func (d *definition) name() string { return path.Base(d.source) }

// The schema files, as `terraform providers schema -json` prints them.
type schemaFile struct {
	Source          string `json:"source"`
	Version         string `json:"version"`
	ProtocolVersion int    `json:"protocol_version"`
	ProviderSchemas map[string]struct {
		Provider schemaJSON            `json:"provider"`
		Resource map[string]schemaJSON `json:"resource_schemas"`
		Data     map[string]schemaJSON `json:"data_source_schemas"`
	} `json:"provider_schemas"`
}

type schemaJSON struct {
	Version int64     `json:"version"`
	Block   blockJSON `json:"block"`
}

type blockJSON struct {
	Attributes map[string]attributeJSON `json:"attributes"`
	BlockTypes map[string]struct {
		NestingMode string    `json:"nesting_mode"`
		Block       blockJSON `json:"block"`
		MinItems    int64     `json:"min_items"`
		MaxItems    int64     `json:"max_items"`
	} `json:"block_types"`
	Deprecated bool `json:"deprecated"`
}

type attributeJSON struct {
	Type       json.RawMessage `json:"type"`
	NestedType *struct {
		Attributes  map[string]attributeJSON `json:"attributes"`
		NestingMode string                   `json:"nesting_mode"`
	} `json:"nested_type"`
	Required   bool `json:"required"`
	Optional   bool `json:"optional"`
	Computed   bool `json:"computed"`
	Sensitive  bool `json:"sensitive"`
	Deprecated bool `json:"deprecated"`
	WriteOnly  bool `json:"write_only"`
}

// loadDefinitions reads all schema files.
func loadDefinitions() ([]*definition, error) {
	files, err := fs.Glob(schemas.Files, "*.json")
	if err != nil {
		return nil, err
	}
	var all []*definition
	for _, file := range files {
		text, err := schemas.Files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		one, err := parseDefinition(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func parseDefinition(text []byte) (*definition, error) {
	var file schemaFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	body, found := file.ProviderSchemas[file.Source]
	if !found {
		return nil, fmt.Errorf("no schema of %s", file.Source)
	}
	d := &definition{
		source:   strings.TrimPrefix(file.Source, "registry.terraform.io/"),
		version:  file.Version,
		protocol: file.ProtocolVersion,
		resource: map[string]*tfprotov6.Schema{},
		data:     map[string]*tfprotov6.Schema{},
	}
	var err error
	if d.provider, err = body.Provider.schema(); err != nil {
		return nil, err
	}
	for name, s := range body.Resource {
		if d.resource[name], err = s.schema(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, s := range body.Data {
		if d.data[name], err = s.schema(); err != nil {
			return nil, fmt.Errorf("data %s: %w", name, err)
		}
	}
	return d, nil
}

func (s schemaJSON) schema() (*tfprotov6.Schema, error) {
	block, err := s.Block.block()
	return &tfprotov6.Schema{Version: s.Version, Block: block}, err
}

func (b blockJSON) block() (*tfprotov6.SchemaBlock, error) {
	attributes, err := attributesOf(b.Attributes)
	if err != nil {
		return nil, err
	}
	block := &tfprotov6.SchemaBlock{Attributes: attributes, Deprecated: b.Deprecated}
	for _, name := range sortedKeys(b.BlockTypes) {
		nested := b.BlockTypes[name]
		mode, known := map[string]tfprotov6.SchemaNestedBlockNestingMode{
			"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
			"list":   tfprotov6.SchemaNestedBlockNestingModeList,
			"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
		}[nested.NestingMode]
		if !known {
			return nil, fmt.Errorf("block %s: nesting mode %q", name, nested.NestingMode)
		}
		inner, err := nested.Block.block()
		if err != nil {
			return nil, err
		}
		block.BlockTypes = append(block.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: nested.MinItems, MaxItems: nested.MaxItems,
		})
	}
	return block, nil
}

func attributesOf(all map[string]attributeJSON) ([]*tfprotov6.SchemaAttribute, error) {
	var result []*tfprotov6.SchemaAttribute
	for _, name := range sortedKeys(all) {
		attribute, err := all[name].attribute(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result = append(result, attribute)
	}
	return result, nil
}

func (a attributeJSON) attribute(name string) (*tfprotov6.SchemaAttribute, error) {
	result := &tfprotov6.SchemaAttribute{
		Name: name, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
		Sensitive: a.Sensitive, Deprecated: a.Deprecated, WriteOnly: a.WriteOnly,
	}
	var err error
	if a.NestedType == nil {
		// The one way to read a type as JSON; deprecated only because providers should not need it.
		result.Type, err = tftypes.ParseJSONType(a.Type) //nolint:staticcheck
		return result, err
	}
	mode, known := map[string]tfprotov6.SchemaObjectNestingMode{
		"single": tfprotov6.SchemaObjectNestingModeSingle,
		"list":   tfprotov6.SchemaObjectNestingModeList,
		"set":    tfprotov6.SchemaObjectNestingModeSet,
	}[a.NestedType.NestingMode]
	if !known {
		return nil, fmt.Errorf("nesting mode %q", a.NestedType.NestingMode)
	}
	inner, err := attributesOf(a.NestedType.Attributes)
	result.NestedType = &tfprotov6.SchemaObject{Attributes: inner, Nesting: mode}
	return result, err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
