package console

import (
	"net/http"
	"strings"
	"time"

	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/sepa"
	"kontor/internal/web"
)

// frame is what surrounds a page.
type frame struct {
	head          web.Head
	officer       Account
	environment   string
	section       string // the item of the menu that the page belongs to
	menu          []menuItem
	done, problem string // what the officer just did, or could not do
}

type menuItem struct {
	name, path string
	waiting    int64
}

// done are what pages may say after a form was sent: the address holds the word, and never the text.
var done = map[string]string{
	"frozen":   "The user is frozen: nothing goes out, and what comes in waits.",
	"unfrozen": "The user is not frozen any more.",
	"decided":  "Your decision is stored, and what follows from it is done.",
	"disabled": "The officer is disabled, and all sessions have ended.",
	"proposed": "Your proposal is stored. Another officer must confirm it.",
}

// frame makes the frame of a page for whoever is signed in.
func (c *console) frame(r *http.Request, title, section string) frame {
	f := frame{
		head: web.Head{
			Language: "en", Title: title + " · Kontor console", SkipTo: "Skip to the content", Class: "console",
			Styles: []string{c.assets.URL("kontor.css"), c.assets.URL("console.css")},
		},
		officer: officer(r), environment: c.Environment, section: section, done: done[r.URL.Query().Get("done")],
	}
	if f.officer.Name == "" {
		return f
	}
	menu, err := c.menu(r)
	if err != nil {
		c.Log.WarnContext(r.Context(), "the queues of the console could not be counted", "error", err)
	}
	for _, item := range menu {
		if f.officer.May(item.right) {
			f.menu = append(f.menu, menuItem{item.name, Root + item.path, item.waiting})
		}
	}
	return f
}

type guardedItem struct {
	right      Right
	name, path string
	waiting    int64
}

// menu are the sections with what waits in them; without the numbers when these cannot be read.
func (c *console) menu(r *http.Request) ([]guardedItem, error) {
	var cases, proofs, items int64
	err := c.DB.View(r.Context(), func(rd db.Reader) (err error) {
		if cases, _, err = compliance.Waiting(rd); err != nil {
			return err
		}
		if items, _, err = sepa.ItemsWaiting(rd); err != nil {
			return err
		}
		waiting, err := c.Proofs.Waiting(rd, longestQueue)
		proofs = int64(len(waiting))
		return err
	})
	return []guardedItem{
		{Read, casesSection, "/cases", cases},
		{Read, proofsSection, "/poa", proofs},
		{Read, suspenseSection, "/suspense", items},
		{Read, usersSection, "/users", 0},
		{ReadTreasury, treasurySection, "/treasury", 0},
		{ReadTreasury, reconcileSection, "/reconciliation", 0},
		{ReadAudit, auditSection, "/audit", 0},
		{ReadAudit, systemSection, "/system", 0},
		{Manage, officersSection, "/officers", 0},
	}, err
}

// The sections of the console, as the menu names them.
const (
	casesSection     = "Review"
	proofsSection    = "Addresses"
	suspenseSection  = "Incoming money"
	usersSection     = "Users"
	treasurySection  = "Treasury"
	reconcileSection = "Reconciliation"
	auditSection     = "Audit log"
	systemSection    = "System"
	officersSection  = "Officers"
)

// stamp is a time on a page.
type stamp struct{ time.Time }

func (s stamp) machine() string { return s.UTC().Format(time.RFC3339) }
func (s stamp) text() string    { return s.UTC().Format("2006-01-02 15:04:05") }

// age tells roughly how long something has waited.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 2*day:
		return plural(int(d/time.Hour), "hour")
	}
	return plural(int(d/day), "day")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return itoa(int64(n)) + " " + noun + "s"
}

// tones are the colours of states; others have none.
var tones = map[string]string{
	"ACTIVE": "good", "VERIFIED": "good", "SUCCESSFUL": "good", "DELIVERED": "good", "OK": "good", "APPROVED": "good", "RELEASE": "good", "ASSIGN": "good",
	"WAITING_FOR_ACTIVATION": "warn", "UNDER_REVIEW": "warn", "VERIFICATION": "warn", "PENDING": "warn", "WAITING": "warn",
	"RETURNING": "warn", "QUESTIONED": "warn", "OPEN": "warn", "NOT_VERIFIED": "warn",
	"SUSPENDED": "bad", "FROZEN": "bad", "FAILED": "bad", "REJECTED": "bad", "EXPIRED": "bad", "VERIFICATION_EXPIRED": "bad",
	"within": "good", "near the limit": "warn", "at the limit": "bad",
	"agrees": "good", "differs": "bad",
	"REJECTED_BY_PROVIDER": "bad", "DELETED": "bad", "UNSUCCESSFUL": "bad",
}

func tone(state string) string { return tones[state] }

// spaced writes a key in groups of four, as people type it.
func spaced(key string) string {
	var b strings.Builder
	for i, r := range key {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// outline draws the dark squares of a QR code as an SVG path: each run of them in a row is one rectangle.
func outline(squares [][]bool) string {
	var b strings.Builder
	for y, row := range squares {
		for x := 0; x < len(row); x++ {
			begin := x
			for x < len(row) && row[x] {
				x++
			}
			if x > begin {
				b.WriteString("M" + itoa(int64(begin)) + " " + itoa(int64(y)) + "h" + itoa(int64(x-begin)) + "v1h-" + itoa(int64(x-begin)) + "z")
			}
		}
	}
	return b.String()
}
