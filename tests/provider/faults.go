package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// fault is something that goes wrong on purpose.
type fault struct {
	// On is the operation: create, read, update, delete, configure.
	On string `json:"on"`
	// Type is the resource's type; "data.<type>" for a data source; "" for configure.
	Type string `json:"type"`
	// Nth counts attempts since the state file began, from 1; 0 means every one.
	Nth int `json:"nth"`
	// Do: "fail"; "hang" until the process is killed; "wait" until Terraform asks to stop.
	Do string `json:"do"`
	// Message is what a failure says.
	Message string `json:"message"`
	// Done: the operation takes effect nevertheless, as when a cloud reports an error late.
	Done bool `json:"done"`
}

type faultList []fault

// readFaults reads TEST_PROVIDER_FAULTS: a JSON list, or the path of a file with one.
// It is read at every operation, so that a test may change the file while Terraform runs.
func readFaults() (faultList, error) {
	text := strings.TrimSpace(os.Getenv("TEST_PROVIDER_FAULTS"))
	if text != "" && !strings.HasPrefix(text, "[") {
		content, err := os.ReadFile(text)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		text = string(content)
	}
	if text == "" {
		return nil, nil
	}
	var faults faultList
	if err := decode([]byte(text), &faults); err != nil {
		return nil, fmt.Errorf("TEST_PROVIDER_FAULTS: %w", err)
	}
	for _, one := range faults {
		if one.Do != "fail" && one.Do != "hang" && one.Do != "wait" {
			return nil, fmt.Errorf("TEST_PROVIDER_FAULTS: do is fail, hang or wait, not %q", one.Do)
		}
	}
	return faults, nil
}

func (f faultList) find(operation, kind string, attempt int) *fault {
	for i, one := range f {
		if one.On == operation && one.Type == kind && (one.Nth == 0 || one.Nth == attempt) {
			return &f[i]
		}
	}
	return nil
}

// strike makes the fault happen and returns its error. Nothing strikes where there is none.
func (f *fault) strike(stopped <-chan struct{}) error {
	switch {
	case f == nil:
		return nil
	case f.Do == "hang":
		select {}
	case f.Do == "wait":
		<-stopped
		return errors.New("stopped while waiting")
	case f.Message == "":
		return errors.New("the cloud said no")
	}
	return errors.New(f.Message)
}
