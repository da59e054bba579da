package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
)

// cloudState is what the file holds: the resources that exist and what was done to them.
type cloudState struct {
	Format int `json:"format"`
	// Sequence counts the resources ever made, Addresses the public addresses ever given.
	Sequence  int `json:"sequence"`
	Addresses int `json:"addresses"`
	// Counts has the number of attempts, failed ones as well: "create aws_instance".
	Counts map[string]int `json:"counts"`
	// Resources by "type/id".
	Resources map[string]*resource `json:"resources"`
	// Configured has one entry for each way in which the provider was configured.
	Configured []configured `json:"configured"`
	// Log has what was done, in order.
	Log []event `json:"log"`
}

type resource struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Number int    `json:"number"` // in the order in which they were made
	Values object `json:"values"`
}

type event struct {
	Do     string `json:"do"`
	Type   string `json:"type"`
	ID     string `json:"id,omitempty"`
	Failed string `json:"failed,omitempty"`
}

func key(kind, id string) string { return kind + "/" + id }

// store is the file. Terraform creates in parallel and may run several provider processes,
// hence the lock; tests read at any time, hence the rename.
type store struct{ path string }

var errNoStore = errors.New("TEST_PROVIDER_STATE is not set: it names the file that stands for the cloud")

func (s store) update(f func(*cloudState) error) error {
	if s.path == "" {
		return errNoStore
	}
	lock, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	state, err := s.read()
	if err != nil {
		return err
	}
	failed := f(state)
	return errors.Join(failed, s.write(state))
}

func (s store) read() (*cloudState, error) {
	state := &cloudState{Format: 1, Counts: map[string]int{}, Resources: map[string]*resource{}}
	text, err := os.ReadFile(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return nil, err
	}
	if err := decode(text, state); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return state, nil
}

func (s store) write(state *cloudState) error {
	text, err := json.MarshalIndent(state, "", " ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), s.path)
}

// find is the resource that a reference means. What links two things often has the id of one
// of them: the older resource is the one that is meant.
func (c *cloudState) find(id string) object {
	oldest := &resource{Number: math.MaxInt}
	for _, one := range c.Resources {
		if one.ID == id && one.Number < oldest.Number {
			oldest = one
		}
	}
	return oldest.Values
}
