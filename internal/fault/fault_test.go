package fault_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kontor/internal/fault"
)

func TestNewHasTheTablesMessage(t *testing.T) {
	t.Parallel()
	for code, want := range map[fault.Code]string{
		fault.AccessDenied:                "Access Denied. xo1",
		fault.InvalidUser:                 "User does not exist",
		fault.SourceOrDestinationRequired: "Source or destination must be provided.",
	} {
		if got := fault.New(code); got.Code != code || got.Message != want {
			t.Errorf("got %s %q, want %s %q", got.Code, got.Message, code, want)
		}
	}
}

func TestOnlyAnOutageSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	for _, row := range fault.Rows() {
		want := time.Duration(0)
		if row.Code == fault.ServiceUnavailable {
			want = time.Second
		}
		if got := fault.Newf(row.Code, "Text.").RetryAfter; got != want {
			t.Errorf("%s: got %v, want %v", row.Code, got, want)
		}
	}
}

func TestInvalidListsEverySentence(t *testing.T) {
	t.Parallel()
	err := fault.Invalid("currency must be one of the following values: btc, eth", "amount can have at most 8 decimal places")
	if want := "currency must be one of the following values: btc, eth. amount can have at most 8 decimal places."; err.Message != want {
		t.Errorf("got %q, want %q", err.Message, want)
	}
	if got := fault.Invalid("amount is 5% wrong").Message; got != "amount is 5% wrong." {
		t.Errorf("a sentence is taken as a format: %q", got)
	}
	if got := fault.Invalid(); got.Code != fault.Validation || got.Message == "" {
		t.Errorf("nothing to say: got %v", got)
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{fault.NoKey, fault.WrongKey, fault.AddressRefused} {
		if got := fault.Denied(reason); got.Code != fault.AccessDenied || got.Message != "Access Denied. "+reason {
			t.Errorf("got %v", got)
		}
	}
	mustPanic(t, "another reason", func() { fault.Denied("the key k1 is of partner 7") })
}

func TestTheCauseGoesToTheLogAndNotToThePartner(t *testing.T) {
	t.Parallel()
	plain := fault.New(fault.InsufficientFunds)
	wrapped := plain.Wrap(io.ErrUnexpectedEOF)
	if !errors.Is(wrapped, io.ErrUnexpectedEOF) || !strings.Contains(wrapped.Error(), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("the cause is lost: %v", wrapped)
	}
	if wrapped.Message != plain.Message {
		t.Errorf("the cause is shown: %q", wrapped.Message)
	}
	if plain.Cause != nil {
		t.Error("Wrap changed the error it copies")
	}
	if got, want := plain.Error(), "P433 insufficient-funds: The balance is not sufficient."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fault.Invalid("label is required").Error(), "P403: label is required."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	if fault.From(nil) != nil {
		t.Error("no error became one")
	}
	inner := fault.New(fault.InvalidCard)
	if got := fault.From(fmt.Errorf("card: read: %w", inner)); got != inner {
		t.Errorf("got %v, want the error in the chain", got)
	}
	secret := errors.New("pq: password of user kontor is wrong")
	got := fault.From(secret)
	if got.Code != fault.UnknownException || !errors.Is(got, secret) {
		t.Errorf("got %v, want P500 with its cause", got)
	}
	if got.Message != fault.UnknownException.Row().Message {
		t.Errorf("a foreign error's text is shown: %q", got.Message)
	}
}

func TestPageIsInStep(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != fault.Page() {
		t.Error("docs/errors.md is not what the table makes: run go generate ./internal/fault and commit the result")
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}
