package main

import (
	"io"
	"slices"
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
