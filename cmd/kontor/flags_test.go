package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryCommandTakesTheSameFlags wants --data, --database and --json of all commands of the operator: scripts
// rely on them. Those that serve, and the demonstration and listen, which talk to a sandbox over HTTP, print for people;
// the benchmarks and the sandbox's bank work on data of their own.
func TestEveryCommandTakesTheSameFlags(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&cli{}, kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, leaf := range parser.Model.Leaves(true) {
		if slices.Contains([]string{"sandbox", "serve", "demo", "listen"}, leaf.Name) || leaf.Parent.Name == "bench" || leaf.Parent.Name == "sandbox-bank" {
			continue
		}
		commands++
		for _, want := range []string{"data", "database", "json"} {
			if !slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == want }) {
				t.Errorf("%s does not take --%s", leaf.FullPath(), want)
			}
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands were found", commands)
	}
}

func TestDatabaseIsAURL(t *testing.T) {
	t.Parallel()
	parse := func(value string) (string, error) {
		var c cli
		parser, err := kong.New(&c, kong.Writers(io.Discard, io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse([]string{"serve", "--database", value})
		return c.Serve.target(), err
	}
	for _, value := range []string{
		"host=db1 password=hidden", "mysql://x:hidden@db1/x", "postgres:hidden", "postgres:/hidden@db1", "hidden.db", "db1:hidden/x", " ",
	} {
		if _, err := parse(value); err == nil || !strings.Contains(err.Error(), "must be a URL") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", value, err)
		}
	}
	for value, want := range map[string]string{
		"postgres://u:P@db1/x?sslmode=require": "postgres://u:P@db1/x?sslmode=require",
		" Postgres://u:P@db1/X\n":              "postgres://u:P@db1/X",
		"POSTGRESQL://db1/x":                   "postgresql://db1/x",
	} {
		if got, err := parse(value); err != nil || got != want {
			t.Errorf("%q is read as %q, %v", value, got, err)
		}
	}
}
