package console_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/console"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/pgtest"
	"kontor/internal/vault"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

// cheap lets tests sign in often.
var cheap = console.Cost{KiB: 8, Passes: 1, Threads: 1}

const password = "correct horse battery"

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// office is a back office without pages.
type office struct {
	*testing.T
	*console.Accounts
	db    *db.DB
	clock *clock.Manual
}

func newOffice(t *testing.T, d *db.DB) *office {
	t.Helper()
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{7}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(start)
	return &office{t, console.NewAccounts(d, v, now, cheap), d, now}
}

func (o *office) code(secret string) string {
	o.Helper()
	code, err := totp.GenerateCode(secret, o.clock.Now())
	if err != nil {
		o.Fatal(err)
	}
	return code
}

// officer adds an officer, sets the account up, and moves on to the next code.
func (o *office) officer(name, role string) (secret, session string) {
	o.Helper()
	setup, err := o.Add(o.Context(), name, role)
	if err != nil {
		o.Fatal(err)
	}
	return o.setUp(setup)
}

func (o *office) setUp(link string) (secret, session string) {
	o.Helper()
	_, secret, err := o.FindSetup(o.Context(), link)
	if err != nil {
		o.Fatal(err)
	}
	if session, err = o.SetUp(o.Context(), link, password, o.code(secret)); err != nil {
		o.Fatal(err)
	}
	o.clock.Advance(time.Minute)
	return secret, session
}

// wasSetUp makes sure of whether a link is known to have done its work.
func (o *office) wasSetUp(link string, want bool) {
	o.Helper()
	if was, err := o.WasSetUp(o.Context(), link); err != nil || was != want {
		o.Errorf("that a link did its work is %t, want %t: %v", was, want, err)
	}
}

func (o *office) signedIn(session string) string {
	o.Helper()
	a, ok, err := o.Officer(o.Context(), session)
	if err != nil {
		o.Fatal(err)
	}
	if !ok {
		return ""
	}
	return a.Name + " " + a.Role
}

func TestAccountFromSetUpToSignOut(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		ctx := audit.As(t.Context(), "operator:test")
		setup, err := o.Add(ctx, "Test.Officer", console.Compliance)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Add(ctx, "test.officer", console.Admin); err == nil {
			t.Error("the name was given twice")
		}
		_, secret, err := o.FindSetup(ctx, setup)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ password, code, want string }{
			{"short", o.code(secret), "12 to 256"},
			{"aaaaaaaaaaaaaaa", o.code(secret), "repeated"},
			{"my test.officer 1", o.code(secret), "contain the name"},
			{password, "000000", "code is not right"},
		} {
			if _, err := o.SetUp(ctx, setup, c.password, c.code); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("set-up with %q, %q: %v", c.password, c.code, err)
			}
		}
		o.wasSetUp(setup, false)
		secret, session := o.setUp(setup)
		o.wasSetUp(setup, true)
		o.wasSetUp("", false)
		if got := o.signedIn(session); got != "test.officer compliance" {
			t.Errorf("after the set-up %q is signed in", got)
		}
		if _, err := o.SetUp(ctx, setup, password, o.code(secret)); err == nil {
			t.Error("a set-up link works twice")
		}
		other, err := o.SignIn(ctx, " TEST.officer", password, o.code(secret))
		if err != nil {
			t.Fatal(err)
		}
		if other == session || o.signedIn(other) == "" {
			t.Error("a sign-in makes no session of its own")
		}
		if err := o.SignOut(ctx, other); err != nil {
			t.Fatal(err)
		}
		if o.signedIn(other) != "" || o.signedIn(session) == "" {
			t.Error("signing out ends another session, or not its own")
		}
		o.unreadable(secret, session, setup, password)
		o.audited("console:test.officer console.signin test.officer {}", "console:test.officer console.user.setup test.officer {}",
			`operator:test console.user.add test.officer {"role":"compliance"}`)
	})
}

// unreadable makes sure that the tables hold none of the texts as they are.
func (o *office) unreadable(texts ...string) {
	o.Helper()
	stored := ""
	err := o.db.View(o.Context(), func(r db.Reader) error {
		for _, q := range []string{
			`SELECT password, totp_secret, setup_token FROM console_account`, `SELECT 'x', token, token FROM console_session`,
		} {
			rows := r.Rows(db.NewQuery(q))
			for rows.Next() {
				var text string
				var a, b []byte
				if err := rows.Scan(&text, &a, &b); err != nil {
					return err
				}
				stored += text + string(a) + string(b)
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		o.Fatal(err)
	}
	if !strings.Contains(stored, "$argon2id$v=19$m=8,t=1,p=1$") {
		o.Errorf("the parameters of the password are not stored: %q", stored)
	}
	for _, text := range texts {
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		if strings.Contains(stored, text) || len(raw) > 16 && strings.Contains(stored, string(raw)) {
			o.Errorf("%q can be read in the database", text)
		}
	}
}

// audited expects the newest entries of the audit log, the newest first.
func (o *office) audited(want ...string) {
	o.Helper()
	var got []string
	err := o.db.View(o.Context(), func(r db.Reader) error {
		all, err := audit.List(r, audit.Filter{}, len(want), 0)
		got = nil
		for _, e := range all {
			got = append(got, fmt.Sprint(e.Actor, " ", e.Action, " ", e.Object, " ", e.Details))
		}
		return err
	})
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		o.Errorf("the audit log has\n%s\nwant\n%s\n%v", strings.Join(got, "\n"), strings.Join(want, "\n"), err)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		secret, idle := o.officer("idle", console.Support)
		o.clock.Advance(28 * time.Minute)
		if o.signedIn(idle) == "" {
			t.Error("a session ends too soon")
		}
		o.clock.Advance(29 * time.Minute) // counted from the last use
		if o.signedIn(idle) == "" {
			t.Error("use does not prolong a session")
		}
		o.clock.Advance(30 * time.Minute)
		if o.signedIn(idle) != "" {
			t.Error("a session that nobody uses goes on")
		}
		used, err := o.SignIn(t.Context(), "idle", password, o.code(secret))
		if err != nil {
			t.Fatal(err)
		}
		for range 12*60/25 - 1 {
			o.clock.Advance(25 * time.Minute)
			if o.signedIn(used) == "" {
				t.Fatalf("a used session ended at %s", o.clock.Now())
			}
		}
		o.clock.Advance(29 * time.Minute)
		if o.signedIn(used) == "" {
			t.Error("a used session ended before its time")
		}
		o.clock.Advance(25 * time.Minute)
		if o.signedIn(used) != "" {
			t.Error("a used session never ends")
		}
	})
}

func TestDisablingAndResettingEndSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		ctx := t.Context()
		secret, session := o.officer("first", console.Admin)
		_, bystander := o.officer("second", console.Support)
		if err := o.Disable(ctx, "first"); err != nil {
			t.Fatal(err)
		}
		if err := o.Disable(ctx, "first"); err == nil {
			t.Error("disabled twice")
		}
		if err := o.Disable(ctx, "nobody"); err == nil {
			t.Error("disabled nobody")
		}
		if _, err := o.SignIn(ctx, "first", password, o.code(secret)); err == nil || o.signedIn(session) != "" {
			t.Error("a disabled officer can go on")
		}
		if o.signedIn(bystander) == "" {
			t.Error("another officer was signed out")
		}
		setup, err := o.Reset(ctx, "first", console.Compliance)
		if err != nil {
			t.Fatal(err)
		}
		o.clock.Advance(time.Minute)
		if _, err := o.SignIn(ctx, "first", password, o.code(secret)); err == nil {
			t.Error("the old password works after a reset")
		}
		fresh, session := o.setUp(setup)
		if fresh == secret || o.signedIn(session) != "first compliance" {
			t.Errorf("after the reset: %q, the same secret: %t", o.signedIn(session), fresh == secret)
		}
		setup, err = o.Reset(ctx, "first", "")
		if err != nil {
			t.Fatal(err)
		}
		o.clock.Advance(24 * time.Hour)
		if _, _, err := o.FindSetup(ctx, setup); err == nil {
			t.Error("a set-up link works for ever")
		}
	})
}

func TestCodesWorkOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		secret, _ := o.officer("test", console.Support)
		code := o.code(secret)
		var at sync.WaitGroup
		var mu sync.Mutex
		in := 0
		for range 4 {
			at.Go(func() {
				if _, err := o.SignIn(context.WithoutCancel(t.Context()), "test", password, code); err == nil {
					mu.Lock()
					in++
					mu.Unlock()
				}
			})
		}
		at.Wait()
		if in != 1 {
			t.Errorf("one code let %d in", in)
		}
		if _, err := o.SignIn(t.Context(), "test", password, code); err == nil {
			t.Error("a code works a second time")
		}
		o.clock.Advance(30 * time.Second)
		fresh := o.code(secret)
		o.clock.Advance(30 * time.Second) // the officer's clock is behind
		if _, err := o.SignIn(t.Context(), "test", password, fresh); err != nil {
			t.Errorf("a code of the step before: %v", err)
		}
		o.clock.Advance(time.Minute)
		old := o.code(secret)
		o.clock.Advance(time.Minute)
		if _, err := o.SignIn(t.Context(), "test", password, old); err == nil {
			t.Error("a code of two steps before works")
		}
	})
}

func TestGuessingIsSlow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := newOffice(t, d)
		secret, _ := o.officer("test", console.Support)
		guess := func(name string) (blocked bool) {
			_, err := o.SignIn(t.Context(), name, "wrong password", o.code(secret))
			if err == nil {
				t.Fatal("a wrong password lets in")
			}
			return strings.Contains(err.Error(), "too many")
		}
		for _, name := range []string{"test", "nobody"} { // an answer tells nothing about names
			for i := range 5 {
				if guess(name) {
					t.Errorf("%s is blocked after %d failures", name, i)
				}
			}
			if !guess(name) || !guess(strings.ToUpper(name)) {
				t.Errorf("%s can be guessed on", name)
			}
		}
		if _, err := o.SignIn(t.Context(), "test", password, o.code(secret)); err == nil {
			t.Error("the right password is tried while the name is blocked")
		}
		o.clock.Advance(30 * time.Second)
		if guess("test") || !guess("test") {
			t.Error("after the first block there is not exactly one attempt")
		}
		o.clock.Advance(30 * time.Second)
		if !guess("test") {
			t.Error("the second block is not longer")
		}
		o.clock.Advance(30 * time.Second)
		if _, err := o.SignIn(t.Context(), "test", password, o.code(secret)); err != nil {
			t.Errorf("after the block: %v", err)
		}
		if guess("test") {
			t.Error("a success forgets nothing")
		}

		o.clock.Advance(time.Minute)
		var racing sync.WaitGroup
		var mu sync.Mutex
		tried := 0
		for range 20 {
			racing.Go(func() {
				_, err := o.SignIn(context.WithoutCancel(t.Context()), "raced", "wrong password", "000000")
				if err != nil && !strings.Contains(err.Error(), "too many") {
					mu.Lock()
					tried++
					mu.Unlock()
				}
			})
		}
		racing.Wait()
		if tried != 5 {
			t.Errorf("of 20 guesses at once %d were tried", tried)
		}
	})
}

func TestBadNamesAndRolesAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dbtest.Open(t, db.SQLite))
	for _, c := range []struct{ name, role string }{
		{"", console.Admin},
		{"a b", console.Admin},
		{"<b>", console.Admin},
		{strings.Repeat("a", 65), console.Admin},
		{"good", "root"},
		{"good", ""},
	} {
		if _, err := o.Add(t.Context(), c.name, c.role); err == nil {
			t.Errorf("%q, %q was added", c.name, c.role)
		}
	}
	if _, err := o.Reset(t.Context(), "good", "root"); err == nil {
		t.Error("an unknown role was given")
	}
	if all, err := o.List(t.Context()); err != nil || len(all) != 0 {
		t.Error(errors.Join(err, fmt.Errorf("%d accounts", len(all))))
	}
}
