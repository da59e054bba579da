// A stand-in for the clouds' Terraform providers, for tests.
//
// It serves the schema of the provider whose name its own program has
// (terraform-provider-hcloud_v1.68.0), fills in what a cloud would compute, and keeps its
// "cloud" in a JSON file that tests read and edit. README.md says what can be told to it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-mux/tf6to5server"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "test provider:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	all, err := loadDefinitions()
	if err != nil {
		return err
	}
	if len(arguments) == 2 && arguments[1] == "list" {
		for _, d := range all {
			fmt.Println(d.source, d.version)
		}
		return nil
	}
	d, err := chosen(all, filepath.Base(arguments[0]))
	if err != nil {
		return err
	}
	go endWithParent()
	return serve(d)
}

// chosen is the definition that a program's name asks for: terraform-provider-<name>_v<version>.
func chosen(all []*definition, program string) (*definition, error) {
	name := strings.TrimPrefix(program, "terraform-provider-")
	name, _, _ = strings.Cut(name, "_")
	for _, d := range all {
		if d.name() == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no schema for a program called %s", program)
}

// serve speaks the protocol that the real provider speaks. The server is written once, for
// protocol 6; 5 can say less, and a schema of that protocol has nothing more to say.
func serve(d *definition) error {
	address := "registry.terraform.io/" + d.source
	server := newServer(d)
	if d.protocol == 6 {
		return tf6server.Serve(address, func() tfprotov6.ProviderServer { return server })
	}
	older, err := tf6to5server.DowngradeServer(context.Background(), func() tfprotov6.ProviderServer { return server })
	if err != nil {
		return err
	}
	return tf5server.Serve(address, func() tfprotov5.ProviderServer { return older })
}

// endWithParent ends this program when Terraform is gone. A plugin whose Terraform was
// killed lives on otherwise, and a test would leave it behind.
func endWithParent() {
	parent := os.Getppid()
	for os.Getppid() == parent {
		time.Sleep(200 * time.Millisecond)
	}
	os.Exit(1)
}
