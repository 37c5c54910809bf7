package browser

import (
	"net/http"
	"testing"
	"time"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/sepa"
)

// incoming fills the queue of incoming money as a day would.
func incoming(t *testing.T, d *consoletest.Desk) {
	t.Helper()
	u := d.User("customer-1042", applicant)
	d.Activate(u, applicant)
	d.Suspended(u, 1250_00, "T. Musterperson-Beispiel", sepa.WaitsName, 742)
	d.Clock.Advance(3 * time.Hour)
	frozen := d.User("customer-1043", applicant)
	d.Suspended(frozen, 80_00, "Testa Musterperson", sepa.WaitsInactive, 1000)
	d.Clock.Advance(17 * time.Minute)
	d.Unknown(99_95, "Beispiel Handel GmbH")
	d.Unknown(-7_50, "Testbank")
	d.Clock.Advance(26 * time.Hour)
}

func TestIncomingMoneyIsDecidedInTheBrowser(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"fourEyes": "on", "legalName": "Demo Partner"})
	incoming(t, d)
	cleo, olga := d.Officer("cleo", console.Compliance), d.Officer("olga", console.Compliance)
	dark := phone
	dark.dark = true
	first, second := open(t, desk), open(t, dark)
	enter(first, d, cleo)
	first.shows(`nav a[href="/console/suspense"] .count`, "4")
	first.submit(`nav a[href="/console/suspense"]`)
	first.judge()
	first.look("console-money")
	first.submit("tbody tr:first-child a") // the oldest
	first.shows("h1", "1250.00 EUR")
	first.shows("#owner ~ dl", "74.2 of 100")
	first.judge()
	first.look("console-money-name")
	first.fill("#reason", "The sender has a double name now; the IBAN was known before.")
	first.submit("button[value=RELEASE]")
	first.shows("[role=status]", "Another officer must confirm")

	enter(second, d, olga)
	second.visit(d.URL + "/console/suspense")
	second.fits()
	second.judge()
	second.look("console-dark-money")
	second.submit("tbody tr:first-child a")
	second.fits()
	second.judge()
	second.look("console-dark-money-proposed")
	second.fill("#reason", "Confirmed.")
	second.submit("button[value=RELEASE]")
	second.shows("[role=status]", "Your decision is stored")
	second.shows(".title .badge", "RELEASE")
	second.look("console-dark-money-released")

	first.visit(d.URL + "/console/suspense")
	first.submit("tbody tr:nth-child(2) a")
	first.shows("h1", "99.95 EUR")
	first.judge()
	first.look("console-money-nobody")
	first.fill("#user", "nobody")
	first.fill("#partner", "1")
	first.fill("#reason", "The title names the customer.")
	if status := first.submit("button[value=ASSIGN]"); status != http.StatusConflict {
		t.Errorf("an unknown user answers %d", status)
	}
	first.shows("[role=alert]", "no user")
	first.visit(d.URL + "/console/suspense")
	first.submit("tbody tr:nth-child(3) a")
	first.shows("h1", "−7.50 EUR")
	first.judge()
	first.look("console-money-debit")
}
