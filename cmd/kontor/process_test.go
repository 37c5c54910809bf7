package main

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"kontor/internal/pgtest"
)

// asCommand makes the test binary run a command instead of the tests: a second process. It is no setting, so
// its name does not begin like those of settings, which benchmarks keep from their servers.
const asCommand = "TEST_AS_KONTOR"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(pgtest.Main(m).Run())
}

// elsewhere runs a command in a process of its own.
func elsewhere(t *testing.T, args ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kontor %s: %v\n%s", args, err, out)
	}
}
