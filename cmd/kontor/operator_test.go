package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

// operator is who runs the program's commands on a deployment's data.
type operator struct {
	t     *testing.T
	store []string
}

// newOperator has the data of a sandbox that ran once, on either engine.
func newOperator(t *testing.T, engine db.Engine) operator {
	t.Helper()
	data := t.TempDir()
	o := operator{t, []string{"--data", data}}
	if engine == db.Postgres {
		o.store = append(o.store, "--database", dbtest.Empty(t, engine))
	}
	sandbox(t, o.store...)()
	return o
}

// try runs a command and answers its exit status and everything that it prints.
func (o operator) try(args ...string) (int, string) {
	var out bytes.Buffer
	status := run(o.t.Context(), append(args, o.store...), &out, &out)
	return status, out.String()
}

// do runs a command that must succeed.
func (o operator) do(args ...string) string {
	o.t.Helper()
	status, out := o.try(args...)
	if status != 0 {
		o.t.Fatalf("kontor %s ended with %d: %s", strings.Join(args, " "), status, out)
	}
	return out
}

// json runs a command with --json and reads its answer.
func (o operator) json(into any, args ...string) {
	o.t.Helper()
	out := o.do(append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		o.t.Fatalf("kontor %s: %v in %s", strings.Join(args, " "), err, out)
	}
}

// refused runs a command that must fail and say why.
func (o operator) refused(says string, args ...string) {
	o.t.Helper()
	if status, out := o.try(args...); status != 1 || !strings.Contains(out, says) {
		o.t.Errorf("kontor %s ended with %d, %q; want 1 and %q", strings.Join(args, " "), status, out, says)
	}
}

var changing = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}Z`)

// plainTimes makes what is printed the same on every day.
func plainTimes(text string) string { return changing.ReplaceAllString(text, "2026-01-31 12:00:00Z") }

func onBothEngines(t *testing.T, f func(t *testing.T, o operator)) {
	t.Helper()
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			f(t, newOperator(t, engine))
		})
	}
}

func TestPartnersAreManaged(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, o operator) {
		var made struct{ ID string }
		o.json(&made, "partner", "create", "--set", "legalName=Test Partner", "--set", "sepaLevel=2")
		if made.ID != "2" {
			t.Errorf("made partner %q", made.ID)
		}
		got := o.do("partner", "set", "2", "sepaLevel=1", "webhook.baseUrl=https://example.com/a,b", "rateLimit=")
		want := "SETTING          VALUE\n" +
			"rateLimit        50                       default\n" +
			"sepaLevel        1\n" +
			"webhook.baseUrl  https://example.com/a,b\n"
		if got != want {
			t.Errorf("set prints\n%swant\n%s", got, want)
		}
		var shown struct {
			ID                 string
			CreatedAt          time.Time
			ClosedAt           *time.Time
			Settings, Defaults map[string]string
		}
		o.json(&shown, "partner", "show", "2")
		if shown.ID != "2" || shown.ClosedAt != nil || shown.CreatedAt.IsZero() || shown.Settings["webhook.baseUrl"] != "https://example.com/a,b" ||
			shown.Defaults["rateLimit"] != "50" || shown.Settings["rateLimit"] != "" || shown.Defaults["legalName"] != "" {
			t.Errorf("shown: %+v", shown)
		}
		if out := o.do("partner", "show", "2"); !shows(out, "sepaLevel", "1") || !shows(out, "ipAllowlist", "-", "default") ||
			!shows(out, "fees.exchangePercent", "1.49", "default") {
			t.Errorf("show prints\n%s", out)
		}
		o.refused("colour is not a setting. sepaLevel must be one of the following values: 1, 2. nameMatch.reject (0.95) must not be above",
			"partner", "set", "2", "colour=red", "sepaLevel=3", "nameMatch.reject=0.95")
		o.refused("legalName must be provided", "partner", "create")
		o.refused("there is no partner 9 (kontor partner list shows them all)", "partner", "show", "9")
		o.refused("there is no partner 9", "partner", "set", "9", "sepaLevel=2")

		o.refused("cannot be closed", "partner", "close", "0")
		o.refused("there is no partner 9", "partner", "close", "9")
		o.json(&shown, "partner", "close", "2")
		if shown.ClosedAt == nil {
			t.Error("close does not say when")
		}
		want = "ID  LEGAL NAME    STATE\n0   Operator      open\n1   Demo Partner  open\n2   Test Partner  closed 2026-01-31 12:00:00Z\n"
		if got := plainTimes(o.do("partner", "list")); got != want {
			t.Errorf("list prints\n%swant\n%s", got, want)
		}
		var all []struct{ ID, LegalName string }
		if o.json(&all, "partner", "list"); len(all) != 3 || all[2].LegalName != "Test Partner" {
			t.Errorf("listed: %+v", all)
		}
	})
}

// shows tells whether a table has a row with these cells.
func shows(table string, cells ...string) bool {
	return slices.ContainsFunc(strings.Split(table, "\n"), func(line string) bool { return slices.Equal(strings.Fields(line), cells) })
}

func TestKeysAreManagedAndRecorded(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, o operator) {
		o.do("partner", "create", "--set", "legalName=Test Partner")
		if got := o.do("key", "list", "2"); got != "partner 2 has no API keys; kontor key issue 2 makes one\n" {
			t.Errorf("an empty list prints %q", got)
		}
		var made struct{ ID, APIKey string }
		o.json(&made, "key", "issue", "2", "--label", "billing server", "--expires", "2099-01-31")
		if !strings.HasPrefix(made.APIKey, "ks_"+made.ID+"_") {
			t.Errorf("made %+v", made)
		}
		if out := o.do("key", "issue", "2"); !strings.Contains(out, "of partner 2 for staging, shown this once:\nks_") {
			t.Errorf("issue prints %q", out)
		}
		if out := o.do("key", "revoke", "2", made.ID); !strings.HasPrefix(out, "API key "+made.ID+" of partner 2, revoked ") {
			t.Errorf("revoke prints %q", out)
		}
		lines := strings.Split(plainTimes(o.do("key", "list", "2")), "\n")
		wantHead := "ID            LABEL           STATE    CREATED               LAST USED  EXPIRES"
		wantFirst := made.ID + "  billing server  revoked  2026-01-31 12:00:00Z  never      2026-01-31 12:00:00Z"
		if len(lines) != 4 || lines[0] != wantHead || lines[1] != wantFirst || !strings.HasSuffix(lines[2], "  -               active   2026-01-31 12:00:00Z  never      never") {
			t.Errorf("list prints\n%s", strings.Join(lines, "\n"))
		}
		var keys []struct{ ID, State, ExpiresAt, RevokedAt string }
		if o.json(&keys, "key", "list", "2"); len(keys) != 2 || keys[0].State != "revoked" || keys[0].ExpiresAt != "2099-01-31T00:00:00.000Z" || keys[1].RevokedAt != "" {
			t.Errorf("listed: %+v", keys)
		}
		o.refused("write a date, such as", "key", "issue", "2", "--expires", "soon")
		o.refused("must expire in the future", "key", "issue", "2", "--expires", "2020-01-01T00:00:00Z")
		o.refused("there is no partner 9", "key", "issue", "9")
		o.refused("there is no partner 9", "key", "list", "9")
		o.refused(`has no API key "none" (kontor key list 2 shows its keys)`, "key", "revoke", "2", "none")

		var entries []struct {
			Number                                   int
			At, Actor, Action, Partner, Object, Hash string
			PreviousHash                             string
			Details                                  map[string]any
		}
		o.json(&entries, "audit", "list", "--partner", "2", "--limit", "3")
		if len(entries) != 3 || entries[0].Action != "key.revoke" || entries[0].Object != made.ID || entries[0].Actor != actor() ||
			entries[2].Action != "key.issue" || entries[2].Details["label"] != "billing server" || len(entries[0].Hash) != 64 {
			t.Errorf("recorded: %+v", entries)
		}
		if out := o.do("audit", "list"); strings.Contains(out, made.APIKey[17:]) || !strings.HasPrefix(out, "NUMBER  TIME ") {
			t.Errorf("audit list prints\n%s", out)
		}
		older := entries[:0:0]
		o.json(&older, "audit", "list", "--before", strconv.Itoa(entries[1].Number), "--limit", "2")
		if len(older) != 2 || older[0].Number != entries[1].Number-1 || older[0].Hash != entries[1].PreviousHash {
			t.Errorf("before %d: %+v", entries[1].Number, older)
		}
		if out := o.do("audit", "list", "--partner", "9"); out != "no entries\n" {
			t.Errorf("nobody's audit list prints %q", out)
		}
		o.refused("at least 1", "audit", "list", "--limit", "0")
		if out := o.do("verify"); !strings.Contains(out, "the audit log is whole") {
			t.Errorf("verify prints %q", out)
		}
		var verdict struct {
			OK         *bool
			Violations []string
		}
		if o.json(&verdict, "verify"); verdict.OK == nil || !*verdict.OK || verdict.Violations == nil || len(verdict.Violations) != 0 {
			t.Errorf("verify prints %+v", verdict)
		}
		o.tamper()
		o.refused("I3: the audit log: entry 2 is missing\n", "verify")
		status, out := o.try("verify", "--json")
		if err := json.Unmarshal([]byte(out), &verdict); err != nil || status != 1 || *verdict.OK || !slices.Contains(verdict.Violations, "I3: the audit log: entry 2 is missing") {
			t.Errorf("verify ended with %d and prints %s, %v", status, out, err)
		}
	})
}

// tamper takes an entry out of the audit log, as nobody should.
func (o operator) tamper() {
	o.t.Helper()
	target, guard := filepath.Join(o.store[1], "kontor.db"), `DROP TRIGGER audit_entry_immutable_DELETE`
	if len(o.store) > 2 {
		target, guard = o.store[3], `DROP TRIGGER audit_entry_immutable ON audit_entry`
	}
	d, err := db.Open(o.t.Context(), target)
	if err != nil {
		o.t.Fatal(err)
	}
	err = d.Update(o.t.Context(), func(tx *db.Tx) error {
		tx.Locked()
		tx.Write(db.NewCommand(guard))
		tx.Write(db.NewCommand(`DELETE FROM audit_entry WHERE number = 2`))
		return nil
	})
	if err := errors.Join(err, d.Close()); err != nil {
		o.t.Fatal(err)
	}
}

func TestWebhookCredentialsAreRotated(t *testing.T) {
	t.Parallel()
	o := newOperator(t, db.SQLite)
	var before credentials
	readJSON(t, filepath.Join(o.store[1], "sandbox.json"), &before)
	var made struct{ WebhookToken, WebhookSecret, OldSecretUntil string }
	o.json(&made, "webhook", "rotate", "1", "--overlap", "2h")
	until, err := time.Parse(time.RFC3339, made.OldSecretUntil)
	if err != nil || time.Until(until) < time.Hour || time.Until(until) > 2*time.Hour {
		t.Errorf("the old secret ends %s, %v", made.OldSecretUntil, err)
	}
	if made.WebhookToken == before.WebhookToken || made.WebhookSecret == before.WebhookSecret || made.WebhookToken == "" {
		t.Errorf("rotated %+v", made)
	}
	out := o.do("webhook", "rotate", "1")
	if !regexp.MustCompile(`^partner 1 has new webhook credentials; its old secret signs too until \S+ \S+Z\n\ntoken   \S+\nsecret  whsec_\S+\n$`).MatchString(out) {
		t.Errorf("rotate prints %q", out)
	}
	o.refused("between 0 and 720 hours", "webhook", "rotate", "1", "--overlap", "721h")
	o.refused("there is no partner 9", "webhook", "rotate", "9")
}

func TestTheMasterKeyIsRotated(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, o operator) {
		data := o.store[1]
		own, fresh := filepath.Join(data, "master.key"), filepath.Join(data, "new.key")
		o.refused("openssl rand", "masterkey", "rotate", "--new-key-file", fresh)
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("short")
		o.refused(fresh+": a master key is 32 bytes in base64", "masterkey", "rotate", "--new-key-file", fresh)
		old, err := os.ReadFile(own)
		if err != nil {
			t.Fatal(err)
		}
		write(string(old))
		o.refused("the new master key is the old one", "masterkey", "rotate", "--new-key-file", fresh)
		write(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32)) + "\n")

		_, stop := serving(t, o)
		out := o.do("masterkey", "rotate", "--new-key-file", fresh)
		for _, says := range []string{"sealed under the master key in " + fresh, "Nodes that run go on", own + " is the old one"} {
			if !strings.Contains(out, says) {
				t.Errorf("rotate prints\n%swithout %q", out, says)
			}
		}
		if status, out := (operator{t, o.store[:2]}).try("demo"); status != 0 {
			t.Errorf("the sandbox that runs: %s", out)
		}
		stop()
		var before credentials
		readJSON(t, filepath.Join(data, "sandbox.json"), &before)
		o.refused("the master key does not open this database", "partner", "list")
		if err := os.Rename(fresh, own); err != nil {
			t.Fatal(err)
		}
		if out := o.do("audit", "list", "--partner", "0", "--limit", "1"); !strings.Contains(out, "masterkey.rotate") {
			t.Errorf("audit list prints %s", out)
		}
		base, stop := serving(t, o)
		defer stop()
		if got := balances(t, base, before.APIKey); got != http.StatusOK {
			t.Errorf("a key that was issued before answers %d", got)
		}
		var after credentials
		readJSON(t, filepath.Join(data, "sandbox.json"), &after)
		if after.WebhookSecret != before.WebhookSecret {
			t.Error("a secret that was sealed before is another one")
		}
	})
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// serving starts the sandbox and answers its address.
func serving(t *testing.T, o operator) (base string, stop func()) {
	t.Helper()
	stop = sandbox(t, o.store...)
	var c credentials
	readJSON(t, filepath.Join(o.store[1], "sandbox.json"), &c)
	return c.BaseURL, stop
}

// balances asks with a key and answers the status.
func balances(t *testing.T, base, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/partner/balances", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestWhatAnotherProcessEndsIsDeadWithinASecond(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, o operator) {
		base, stop := serving(t, o)
		defer stop()
		var owner struct{ ID string }
		o.json(&owner, "partner", "create", "--set", "legalName=Test Partner", "--set", "rateLimit=0")
		var first, second struct{ ID, APIKey string }
		o.json(&first, "key", "issue", owner.ID)
		o.json(&second, "key", "issue", owner.ID)
		for _, c := range []struct {
			key  string
			end  []string
			want int
		}{
			{first.APIKey, []string{"key", "revoke", owner.ID, first.ID}, http.StatusUnauthorized},
			{second.APIKey, []string{"partner", "close", owner.ID}, http.StatusBadRequest},
		} {
			if got := balances(t, base, c.key); got != http.StatusOK {
				t.Fatalf("before %s: %d", c.end, got)
			}
			elsewhere(t, append(c.end, o.store...)...)
			ended, got := time.Now(), http.StatusOK
			for got == http.StatusOK {
				asked := time.Now()
				if got = balances(t, base, c.key); got == http.StatusOK && asked.Sub(ended) > time.Second {
					t.Fatalf("%s: served after a second", c.end)
				}
			}
			if got != c.want {
				t.Errorf("%s: %d, want %d", c.end, got, c.want)
			}
		}
	})
}
