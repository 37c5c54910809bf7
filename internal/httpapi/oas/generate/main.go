// Command generate makes oas.gen.go: it hands the contract to oapi-codegen with what Go needs and the
// contract itself does not say.
//
//   - Members get their order (x-order), so that answers have them as the contract writes them.
//   - Objects that are passed on as they were written (x-as-written) are json.RawMessage.
//   - Amounts of requests, strings or numbers, become contract.Decimal.
//   - A body of two generations becomes a type of this package; see forms.go.
//   - Pages for people (x-page) are left out: they are no part of the API's router, and no program calls them.
//   - Webhooks are left out: they are made from the domain's own types and checked against the contract.
//
// It is run by go generate in the folder of package oas.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"gopkg.in/yaml.v3"
)

const (
	document = "../../../api/openapi.yaml"
	tools    = "../../../tools/go.mod"
	output   = "oas.gen.go" // as config.yaml says
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return err
	}
	remove(file.Content[0], "webhooks")
	removePages(find(file.Content[0], "paths"))
	prepare(file.Content[0])

	folder, err := os.MkdirTemp("", "oas")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	prepared := filepath.Join(folder, "openapi.yaml")
	if text, err = yaml.Marshal(&file); err != nil {
		return err
	}
	if err := os.WriteFile(prepared, text, 0o600); err != nil {
		return err
	}
	if err := tool("oapi-codegen", "-config", "config.yaml", prepared); err != nil {
		return err
	}
	return tool("gofumpt", "-w", output)
}

// tool runs one of the project's tools at its pinned version.
func tool(args ...string) error {
	command := exec.Command("go", append([]string{"tool", "-modfile=" + tools}, args...)...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run()
}

// prepare adds the generator's extensions to a node and everything inside it.
func prepare(n *yaml.Node) {
	if properties := find(n, "properties"); properties != nil {
		for i := 1; i < len(properties.Content); i += 2 {
			set(properties.Content[i], "x-order", strconv.Itoa(i/2+1), "!!int")
		}
	}
	if find(n, "x-as-written") != nil {
		set(n, "x-go-type", "json.RawMessage", "!!str")
	}
	if find(n, "x-currency") != nil || find(n, "x-currency-fixed") != nil {
		set(n, "x-go-type", "contract.Decimal", "!!str")
	}
	if find(n, "additionalProperties") != nil {
		set(n, "x-go-type-skip-optional-pointer", "true", "!!bool") // a map is nil without one
	}
	if find(n, "x-second-form-when") != nil {
		set(n, "x-go-type", "UserForms", "!!str")
	}
	for _, inner := range n.Content {
		prepare(inner)
	}
}

func find(n *yaml.Node, name string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func set(n *yaml.Node, name, value, tag string) {
	n.Content = append(n.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name},
		&yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value})
}

func remove(n *yaml.Node, name string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			n.Content = append(n.Content[:i], n.Content[i+2:]...)
			return
		}
	}
}

// removePages removes the paths that are pages.
func removePages(paths *yaml.Node) {
	for i := len(paths.Content) - 2; i >= 0; i -= 2 {
		if get := find(paths.Content[i+1], "get"); get != nil && find(get, "x-page") != nil {
			remove(paths, paths.Content[i].Value)
		}
	}
}
