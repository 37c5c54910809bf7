package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"kontor/internal/compliance"
	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/sepa"
	"kontor/internal/user"
)

// tablet is a narrow desk.
var tablet = device{width: 768, height: 900}

// applicant is a user whom a screening finds.
var applicant = user.Person{
	FirstName: "Testa", LastName: "Musterperson", Email: "testa@example.com", Phone: "+37060000000", Country: "LT", Citizenship: "LT",
	Nationality: "LT", BirthCountry: "LT", BirthDate: "1990-02-03", City: "Vilnius", Street: "Test Street", StreetNumber: "1",
	PostCode: "01100", DocumentType: "ID_CARD", DocumentNumber: "X-1234567",
}

var findings = []compliance.Finding{
	{
		Kind: compliance.Sanction, Ref: "test:1", Score: 96, Text: "The name and the birth date fit an entry of a list of sanctions.",
		Match: &compliance.Match{
			List: "test", Entity: "T-0001", Name: "MUSTERPERSON, Testa", Matched: "Testa Musterperson", Spelling: "Testa Musterperson",
			Aliases: []string{"Teste Musterpersone", "Тест Мустерперсон"}, BirthDates: []string{"1990-02-03"}, Countries: []string{"XX"},
			Programmes: []string{"Invented programme 12"}, Evidence: []string{"the birth date is the same", "the country differs"},
		},
	},
	{Kind: compliance.DuplicatePerson, Ref: "user:2", Score: 80, Text: "Another user of the same partner has the same name and birth date."},
}

// busy fills a desk as a day would.
func busy(t *testing.T, d *consoletest.Desk) (u user.User, path string) {
	t.Helper()
	u = d.User("customer-1042", applicant)
	for _, side := range []string{"FRONT", "BACK", "SELFIE"} {
		d.Papers.AddDocument(u, console.Document{Proves: "KYC", Side: side, Media: "image/jpeg"})
	}
	path = "/console/cases/" + d.Case(u, applicant, findings...).String()
	d.Clock.Advance(3 * time.Hour)
	for i := range 6 {
		p := applicant
		p.FirstName, p.Email = fmt.Sprint("Test", i), fmt.Sprintf("user%d@example.com", i)
		other := d.User(fmt.Sprint("customer-", 1043+i), p)
		if i%2 == 0 {
			d.Case(other, p, compliance.Finding{Kind: compliance.CountryRisk, Ref: "country:XX", Score: 60 + int64(i), Text: "The country of residence is one of high risk."})
		} else {
			d.Papers.AddProof(other)
		}
		d.Clock.Advance(17 * time.Minute)
	}
	return u, path
}

// enter signs an officer in over the page.
func enter(b *tab, d *consoletest.Desk, o consoletest.Officer) {
	b.t.Helper()
	b.visit(d.URL + "/console")
	b.fill("#name", o.Name)
	b.fill("#password", consoletest.Password)
	b.fill("#code", d.Code(o.Secret))
	if status := b.submit("form button.primary"); status != http.StatusOK {
		b.t.Fatalf("the sign-in answers %d: %s", status, b.excerpt())
	}
}

func TestOfficersSetTheirAccountUpAndSignIn(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	setup, err := d.Accounts.Add(t.Context(), "new.officer", console.Admin)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, desk)
	b.visit(d.URL + "/console/setup/" + setup)
	b.judge()
	b.look("console-setup")
	secret := strings.ReplaceAll(b.text("code.key"), " ", "")
	b.fill("#password", consoletest.Password)
	b.fill("#again", consoletest.Password)
	b.fill("#code", "000000")
	if status := b.submit("form button.primary"); status != http.StatusBadRequest {
		t.Errorf("a wrong code answers %d", status)
	}
	b.shows("[role=alert]", "The code is not right")
	b.fill("#password", consoletest.Password)
	b.fill("#again", consoletest.Password)
	b.fill("#code", d.Code(secret))
	if status := b.submit("form button.primary"); status != http.StatusOK {
		t.Fatalf("the set-up answers %d: %s", status, b.excerpt())
	}
	b.shows(".who", "new.officer") // the browser kept the Secure cookie, over plain HTTP on the loopback interface
	b.submit(".who button")
	b.judge()
	b.look("console-sign-in")
	used := d.Code(secret)
	b.fill("#name", "new.officer")
	b.fill("#password", consoletest.Password)
	b.fill("#code", used)
	if status := b.submit("form button.primary"); status != http.StatusForbidden {
		t.Errorf("a code that was used answers %d", status)
	}
	b.shows("[role=alert]", "a code works once")
	d.Clock.Advance(time.Minute)
	enter(b, d, consoletest.Officer{Name: "new.officer", Secret: secret})
	b.shows("h1", "Review")
}

func TestReviewFromTheQueueToTheDecision(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"fourEyes": "on", "legalName": "Demo Partner"})
	_, path := busy(t, d)
	cleo, olga := d.Officer("cleo", console.Compliance), d.Officer("olga", console.Compliance)
	first, second := open(t, desk), open(t, tablet)
	enter(first, d, cleo)
	first.judge()
	first.look("console-queue")
	first.shows("nav a[aria-current] .count", "4")
	first.submit("tbody tr:first-child a") // the oldest
	first.shows("h1", "Testa Musterperson")
	first.judge()
	first.look("console-case")
	if n := run(first, chromedp.Evaluate[int](`[...document.images].filter(i => { i.loading = "eager"; return i.alt }).length`)); n != 3 {
		t.Errorf("the case shows %d documents", n)
	}
	if missing := run(first, chromedp.Evaluate[int](`Promise.all([...document.images].map(i => i.decode().then(() => 0, () => 1))).then(all => all.reduce((a, b) => a + b))`, chromedp.EvalAwaitPromise)); missing != 0 {
		t.Errorf("%d documents are not shown", missing)
	}
	first.fill("#reason", "The entry is about the same person: name, alias and birth date fit.")
	first.submit("button[value=REJECTED]")
	first.shows("[role=status]", "Another officer must confirm")
	first.look("console-proposed")

	enter(second, d, olga)
	second.look("console-queue")
	second.visit(d.URL + path)
	second.judge()
	second.look("console-case")
	second.fill("#reason", "Confirmed.")
	second.submit("button[value=REJECTED]")
	second.shows("[role=status]", "Your decision is stored")
	second.shows(".title .badge", "REJECTED")
	first.visit(d.URL + path)
	first.shows(".decision:last-of-type", "confirmed by")
}

func TestProofOfAddressIsDecidedInTheBrowser(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"legalName": "Demo Partner"})
	busy(t, d)
	dark := desk
	dark.dark = true
	b := open(t, dark)
	enter(b, d, d.Officer("cleo", console.Compliance))
	b.look("console-dark-queue")
	b.submit(`nav a[href="/console/poa"]`)
	b.judge()
	b.look("console-dark-poa")
	b.submit("tbody tr:first-child a")
	b.judge()
	b.look("console-dark-proof")
	b.fill("#reason", "The address fits the profile.")
	b.submit("button[value=APPROVED]")
	b.shows("[role=status]", "Your decision is stored")
	b.shows(".title .badge", "APPROVED")
	b.submit(`nav a[href="/console/audit"]`)
	b.judge()
	b.look("console-dark-audit")
	b.shows("tbody", "document.view")
	b.submit(`nav a[href="/console/treasury"]`)
	b.judge()
	b.look("console-dark-treasury")
	b.shows("tbody", "usdc")
}

func TestUsersAreFoundAndFrozenInTheBrowser(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"legalName": "Demo Partner"})
	busy(t, d)
	b := open(t, desk)
	enter(b, d, d.Officer("ann", console.Admin))
	b.submit(`nav a[href="/console/users"]`)
	b.judge()
	b.look("console-users")
	b.fill("#q", "testa musterperson")
	b.submit(".filters button")
	b.submit("tbody tr:first-child a")
	b.shows("h1", "Testa Musterperson")
	b.judge()
	b.look("console-user")
	b.fill("#reason", "Asked for by a court.")
	b.submit("button.danger")
	b.shows("[role=status]", "The user is frozen")
	b.shows(".title .badge", "FROZEN")
	b.look("console-frozen")

	narrow := open(t, phone)
	enter(narrow, d, d.Officer("sue", console.Support))
	narrow.submit(`nav a[href="/console/users"]`)
	narrow.look("console-users")
	if status := narrow.visit(d.URL + "/console/audit"); status != http.StatusForbidden {
		t.Errorf("support sees the audit log: %d", status)
	}
	narrow.judge()
	narrow.look("console-forbidden")
}

// On a phone no page is wider than the screen, and each can be used by everybody.
func TestTheConsoleOnAPhone(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, map[string]string{"legalName": "Demo Partner"})
	u, review := busy(t, d)
	long := applicant
	long.Email, long.LastName = strings.Repeat("long", 15)+"@example.com", strings.Repeat("Muster", 20)
	other := d.User(strings.Repeat("user-", 25), long)
	otherCase := "/console/cases/" + d.Case(other, long, findings...).String()
	money := "/console/suspense/" + d.Suspended(other, 12_50, "שם בדוי", sepa.WaitsName, 712).String()
	d.Officer("somebody.else", console.Support)
	b := open(t, phone)
	enter(b, d, d.Officer("ann", console.Admin))
	at := fmt.Sprintf("/console/users/%d/%s", u.Partner, u.ID)
	for name, path := range map[string]string{
		"queue": "/console/cases", "case": review, "poa": "/console/poa", "users": "/console/users", "user": at, "history": at + "/history",
		"events": at + "/events", "audit": "/console/audit", "log": fmt.Sprintf("/console/audit?partner=%d&user=%s", u.Partner, u.ID),
		"long": fmt.Sprintf("/console/users/%d/%s", other.Partner, other.ID), "long-case": otherCase, "money": money,
		"treasury": "/console/treasury", "system": "/console/system", "officers": "/console/officers",
	} {
		if status := b.visit(d.URL + path); status != http.StatusOK {
			t.Errorf("%s answers %d", path, status)
		}
		b.judge()
		b.look("console-phone-" + name)
		if over := run(b, chromedp.Evaluate[[]string](outside)); len(over) > 0 {
			t.Errorf("%s: these leave their card: %q", name, over)
		}
		if mute := run(b, chromedp.Evaluate[int](noHint)); mute > 0 {
			t.Errorf("%s: of %d tables that scroll nothing tells it", name, mute)
		}
	}
}

const (
	// outside are times that leave the card in which they are.
	outside = `[...document.querySelectorAll(".card time")].filter(e => {
		const card = e.closest(".card"), end = card.getBoundingClientRect().right - parseFloat(getComputedStyle(card).paddingRight);
		return !e.closest(".table-frame") && e.getBoundingClientRect().right > end + 1;
	}).map(e => e.textContent)`
	// noHint counts the tables that scroll without the covers and shadows that tell it.
	noHint = `[...document.querySelectorAll(".table-frame")].filter(e =>
		e.scrollWidth > e.clientWidth && !getComputedStyle(e).backgroundAttachment.includes("local")).length`
)

// At a desk the bar has one line for each role, whatever waits.
func TestTheBarHasOneLineAtADesk(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	busy(t, d)
	for i := range 12 {
		u := d.User(fmt.Sprint("more-", i), applicant)
		d.Case(u, applicant, findings...)
		d.Papers.AddProof(u)
		d.Unknown(1_00+int64(i), "Test Sender")
	}
	for _, role := range console.Roles {
		b := open(t, desk)
		enter(b, d, d.Officer("some."+role, role))
		b.look("console-bar-" + role)
		lines := run(b, chromedp.Evaluate[int](`new Set([...document.querySelectorAll(".bar nav li")].map(e => e.offsetTop)).size`))
		if height := run(b, chromedp.Evaluate[float64](`document.querySelector(".bar").getBoundingClientRect().height`)); lines != 1 || height > 64 {
			t.Errorf("the bar of %s has %d lines and is %.0f px high", role, lines, height)
		}
	}
}
