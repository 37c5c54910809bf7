//go:build linux

package pgtest

import "testing"

func TestPromotedStandbyHasWhatWasCommitted(t *testing.T) {
	t.Parallel()
	primary := start(t, Options{})
	run(t, connect(t, primary.URL("postgres")), "CREATE TABLE kept (n int)")
	standby, err := primary.StartStandby("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Stop)
	conn := connect(t, primary.URL("postgres"))
	if got := ask[string](t, conn, "SHOW synchronous_standby_names"); got != standbyName {
		t.Errorf("the primary waits for %q", got)
	}
	run(t, conn, "INSERT INTO kept VALUES (1)")
	if readOnly := ask[bool](t, connect(t, standby.URL("postgres")), "SELECT pg_is_in_recovery()"); !readOnly {
		t.Error("the standby is none")
	}
	primary.Crash()
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	conn = connect(t, standby.URL("postgres"))
	run(t, conn, "INSERT INTO kept VALUES (2)")
	if n := ask[int](t, conn, "SELECT sum(n)::int FROM kept"); n != 3 {
		t.Errorf("the promoted standby has %d, want what the primary committed and what came after", n)
	}
}
