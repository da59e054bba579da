package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// login says how a provider finds its credentials.
type login struct {
	// ways: one of them must be complete.
	ways []way
	// also: what the provider needs besides, such as a region; each list names alternatives.
	also [][]string
	// secrets are all provider arguments that carry credentials. They are only looked for.
	secrets []string
	// malformed looks at values; it must not repeat them.
	malformed func(settings object) error
}

// way is a set of sources that together are enough. Each is a list of alternatives:
// "argument", "$VARIABLE" or "~/file".
type way [][]string

// configured is what a test can see of how a provider was configured: names, never values.
type configured struct {
	Provider   string   `json:"provider"`
	Variables  []string `json:"variables"`
	Arguments  []string `json:"arguments"`
	Files      []string `json:"files"`
	WasRefused bool     `json:"refused"`
}

// configure checks the credentials as the real provider does before it talks to the cloud.
func (s *server) configure() error {
	seen := s.rules.login.look(s.definition.name(), s.settings)
	refused := s.rules.login.check(s.settings)
	if fault, err := s.begin("configure", ""); err != nil {
		return err
	} else if fault != nil {
		refused = errors.Join(refused, fault.strike(s.stopped))
	}
	seen.WasRefused = refused != nil
	err := s.store.update(func(cloud *cloudState) error {
		if !slices.ContainsFunc(cloud.Configured, seen.equal) {
			cloud.Configured = append(cloud.Configured, seen)
		}
		return nil
	})
	return errors.Join(refused, err)
}

func (c configured) equal(other configured) bool {
	return fmt.Sprint(c) == fmt.Sprint(other)
}

// look notes the sources that are there, wanted or not.
func (l login) look(provider string, settings object) configured {
	seen := configured{Provider: provider, Variables: []string{}, Arguments: []string{}, Files: []string{}}
	for _, source := range l.sources() {
		if !present(source, settings) {
			continue
		}
		switch source[0] {
		case '$':
			seen.Variables = append(seen.Variables, source[1:])
		case '~':
			seen.Files = append(seen.Files, source)
		default:
			seen.Arguments = append(seen.Arguments, source)
		}
	}
	return seen
}

func (l login) sources() []string {
	all := slices.Clone(l.secrets)
	for _, one := range l.ways {
		all = append(all, slices.Concat(one...)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (l login) check(settings object) error {
	if len(l.ways) > 0 && !slices.ContainsFunc(l.ways, func(w way) bool { return w.complete(settings) }) {
		return fmt.Errorf("no valid credentials found; looked for %s", strings.Join(l.sources(), ", "))
	}
	if missing := way(l.also).missing(settings); missing != "" {
		return fmt.Errorf("missing in the provider's configuration: %s", missing)
	}
	if l.malformed != nil {
		return l.malformed(settings)
	}
	return nil
}

func (w way) complete(settings object) bool { return w.missing(settings) == "" }

func (w way) missing(settings object) string {
	for _, alternatives := range w {
		if !slices.ContainsFunc(alternatives, func(source string) bool { return present(source, settings) }) {
			return strings.Join(alternatives, " or ")
		}
	}
	return ""
}

// present tells whether a source is there and not empty.
func present(source string, settings object) bool {
	switch source[0] {
	case '$':
		return os.Getenv(source[1:]) != ""
	case '~':
		info, err := os.Stat(filepath.Join(os.Getenv("HOME"), source[2:]))
		return err == nil && info.Size() > 0
	default:
		value := settings[source]
		return value != nil && value != "" && value != false
	}
}
