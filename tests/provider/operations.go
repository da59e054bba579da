package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// What is done to the cloud: one function for each operation.

// apply carries out a plan and returns what exists afterwards. On failure that is nothing,
// the former state, or a half-made resource, which Terraform then marks as tainted.
func (s *server) apply(kind string, schema *tfprotov6.Schema, prior, planned tftypes.Value) (tftypes.Value, error) {
	operation, steps := "update", s.change
	switch {
	case prior.IsNull():
		operation, steps = "create", s.create
	case planned.IsNull():
		operation, steps = "delete", s.delete
	}
	fault, err := s.begin(operation, kind)
	if err != nil {
		return prior, err
	}
	if fault != nil && !fault.Done {
		return prior, fault.strike(s.stopped)
	}
	result := prior
	err = s.store.update(func(cloud *cloudState) error {
		made, id, err := steps(cloud, kind, schema, prior, planned)
		if err == nil {
			result = made
		}
		return cloud.note(operation, kind, id, err)
	})
	if err == nil && fault != nil {
		err = fault.strike(s.stopped)
	}
	return result, err
}

func (s *server) create(cloud *cloudState, kind string, schema *tfprotov6.Schema, _, planned tftypes.Value) (tftypes.Value, string, error) {
	cloud.Sequence++
	made, err := s.request(kind, cloud).fill(schema, planned)
	if err != nil {
		return made, "", err
	}
	id := idOf(made)
	if _, exists := cloud.Resources[key(kind, id)]; exists {
		return made, id, fmt.Errorf("%s already exists: %s", kind, id)
	}
	cloud.Resources[key(kind, id)] = &resource{Type: kind, ID: id, Number: cloud.Sequence, Values: plain(made).(object)}
	s.effect(cloud, kind, id)
	return made, id, nil
}

func (s *server) change(cloud *cloudState, kind string, schema *tfprotov6.Schema, prior, planned tftypes.Value) (tftypes.Value, string, error) {
	id := idOf(prior)
	one, exists := cloud.Resources[key(kind, id)]
	if !exists {
		return prior, id, fmt.Errorf("%s not found: %s", kind, id)
	}
	made, err := s.request(kind, cloud).fill(schema, planned)
	if err != nil {
		return made, id, err
	}
	one.Values = plain(made).(object)
	s.effect(cloud, kind, id)
	return made, id, nil
}

// delete: what is gone already is no error to a real provider either.
func (s *server) delete(cloud *cloudState, kind string, _ *tfprotov6.Schema, prior, planned tftypes.Value) (tftypes.Value, string, error) {
	delete(cloud.Resources, key(kind, idOf(prior)))
	return planned, idOf(prior), nil
}

// effect is what the change of one resource does to others, and to itself afterwards.
func (s *server) effect(cloud *cloudState, kind, id string) {
	if effect := s.rules.kinds[kind].effect; effect != nil {
		effect(cloud, cloud.Resources[key(kind, id)].Values)
	}
}

// read is what the file says of a resource; null if it is not there.
func (s *server) read(kind string, as tftypes.Type, prior tftypes.Value) (tftypes.Value, error) {
	if fault, err := s.begin("read", kind); err != nil || fault != nil {
		return prior, errors.Join(err, fault.strike(s.stopped))
	}
	cloud, err := s.store.read()
	if err != nil {
		return prior, err
	}
	one, exists := cloud.Resources[key(kind, idOf(prior))]
	if !exists {
		return tftypes.NewValue(as, nil), nil
	}
	return typed(one.Values, as)
}

func (s *server) readData(kind string, schema *tfprotov6.Schema, config tftypes.Value) (tftypes.Value, error) {
	fault, err := s.begin("read", "data."+kind)
	if err != nil || fault != nil {
		return config, errors.Join(err, fault.strike(s.stopped))
	}
	cloud, err := s.store.read()
	if err != nil {
		return config, err
	}
	request := s.request(kind, cloud)
	request.data, request.rules = true, s.rules.data[kind]
	return request.fill(schema, planCreate(schema.Block, config))
}

func (s *server) request(kind string, cloud *cloudState) request {
	return request{
		kind: kind, cloud: cloud, settings: s.settings, rules: s.rules.kinds[kind].values, common: s.rules.common,
	}
}

// begin counts an attempt, and returns the fault that is to happen to it.
func (s *server) begin(operation, kind string) (*fault, error) {
	var chosen *fault
	err := s.store.update(func(cloud *cloudState) error {
		what := strings.TrimSpace(operation + " " + kind)
		cloud.Counts[what]++
		faults, err := readFaults()
		if err != nil {
			return err
		}
		chosen = faults.find(operation, kind, cloud.Counts[what])
		if chosen != nil {
			return cloud.note(operation, kind, "", errors.New(chosen.Do))
		}
		return nil
	})
	if chosen != nil {
		err = nil
	}
	return chosen, err
}

// note records an operation, and returns its error.
func (c *cloudState) note(operation, kind, id string, err error) error {
	entry := event{Do: operation, Type: kind, ID: id}
	if err != nil {
		entry.Failed = err.Error()
	}
	c.Log = append(c.Log, entry)
	return err
}

// idOf is a resource's `id`: a string, or a number with some of hcloud's.
func idOf(value tftypes.Value) string {
	return fmt.Sprint(plain(membersOf(value)["id"]))
}
