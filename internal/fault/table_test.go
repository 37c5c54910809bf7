package fault_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"kontor/internal/fault"
)

// wire is what partners' programs rely on: these three never change.
var wire = []struct {
	code   fault.Code
	name   string
	status int
}{
	{"P211", "poa-pending", 202},
	{"P401", "access-denied", 401},
	{"P403", "", 400},
	{"P404", "not-found", 404},
	{"P405", "method-not-allowed", 405},
	{"P406", "body-too-large", 413},
	{"P407", "unsupported-media-type", 415},
	{"P409", "idempotency-conflict", 409},
	{"P410", "invalid-currency", 400},
	{"P411", "user-exists", 400},
	{"P412", "invalid-user", 400},
	{"P413", "invalid-lock", 400},
	{"P414", "exchange-not-found", 404},
	{"P415", "crypto-withdrawal-not-found", 404},
	{"P416", "crypto-deposit-not-found", 404},
	{"P417", "transfer-not-found", 404},
	{"P418", "partner-not-found", 400},
	{"P419", "order-not-found", 404},
	{"P420", "payment-link-not-found", 404},
	{"P424", "source-or-destination-required", 400},
	{"P425", "invalid-iban", 400},
	{"P426", "invalid-file-type", 400},
	{"P427", "invalid-wallet-address", 400},
	{"P428", "sepa-transfer-not-found", 404},
	{"P429", "too-many-requests", 429},
	{"P430", "amount-out-of-range", 400},
	{"P431", "forbidden-country", 400},
	{"P432", "iban-not-whitelisted", 400},
	{"P433", "insufficient-funds", 400},
	{"P434", "invalid-card", 400},
	{"P435", "card-limit-reached", 400},
	{"P436", "card-not-active", 400},
	{"P440", "file-too-large", 400},
	{"P441", "travel-rule-not-required", 400},
	{"P445", "kyc-not-found", 404},
	{"P446", "kyc-not-completed", 400},
	{"P447", "poa-already-verified", 400},
	{"P451", "forbidden-country-card", 400},
	{"P454", "active-cards", 400},
	{"P455", "user-suspended", 400},
	{"P456", "terms-not-accepted", 400},
	{"P459", "user-not-verified", 400},
	{"P460", "poa-verification-not-found", 404},
	{"P461", "user-not-extended", 400},
	{"P462", "balance-not-active", 400},
	{"P463", "user-has-funds", 400},
	{"P464", "not-under-review", 400},
	{"P465", "event-not-found", 404},
	{"P466", "wrong-user-model", 400},
	{"P500", "unknown-exception", 400},
	{"P501", "service-unavailable", 400},
}

func TestTableIsTheContracts(t *testing.T) {
	t.Parallel()
	rows := fault.Rows()
	if len(rows) != len(wire) {
		t.Errorf("%d rows, want %d", len(rows), len(wire))
	}
	for i, want := range wire {
		row := want.code.Row()
		if row.Code != want.code || row.Name != want.name || row.Status != want.status {
			t.Errorf("%s: got %s %q %d, want %q %d", want.code, row.Code, row.Name, row.Status, want.name, want.status)
		}
		if i < len(rows) && rows[i].Code != want.code {
			t.Errorf("row %d: got %s, want %s: rows are ordered by code", i, rows[i].Code, want.code)
		}
	}
	mustPanic(t, "a code that is not in the table", func() { fault.Code("P999").Row() })
}

func TestRowsAreACopy(t *testing.T) {
	t.Parallel()
	fault.Rows()[0].Message = "changed"
	if fault.Rows()[0].Message == "changed" {
		t.Error("a caller can change the table")
	}
}

// Every row tells a developer what happened and what to do, in sentences.
func TestRowsAreWrittenOut(t *testing.T) {
	t.Parallel()
	withoutFullStop := []fault.Code{fault.AccessDenied, fault.InvalidUser} // as the contract has them
	internal := regexp.MustCompile(`(?i)sql|postgres|sqlite|panic|goroutine`)
	for _, row := range fault.Rows() {
		if !strings.HasSuffix(row.Message, ".") && !slices.Contains(withoutFullStop, row.Code) {
			t.Errorf("%s: message without a full stop: %q", row.Code, row.Message)
		}
		for _, text := range []string{row.When, row.Fix} {
			if len(text) < 20 || !strings.HasSuffix(text, ".") {
				t.Errorf("%s: not a sentence: %q", row.Code, text)
			}
		}
		if all := row.Message + row.When + row.Fix; internal.MatchString(all) {
			t.Errorf("%s: speaks of the platform's inside: %q", row.Code, all)
		}
	}
}
