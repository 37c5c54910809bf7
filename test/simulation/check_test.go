package simulation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/ledger"
)

var selectBook = db.NewQuery(`
	SELECT owner_id, CASE WHEN currency = 'eur' THEN purpose ELSE currency || ' ' || purpose END, posted, held FROM account
	WHERE partner_id = $1 AND (posted <> 0 OR held <> 0)`)

// book reads what stands on a partner's accounts. Those of other currencies than euros have theirs before the purpose.
func (w *world) book(partner int64, m *model) (map[account]figures, error) {
	shown := map[account]figures{}
	err := w.app.DB.View(calm(), func(r db.Reader) error {
		rows := r.Rows(selectBook, partner)
		defer rows.Close()
		for rows.Next() {
			var id clock.ID
			var purpose string
			var f figures
			if err := rows.Scan(&id, &purpose, &f.posted, &f.held); err != nil {
				return err
			}
			shown[owner{partner, m.name(partner, id)}.account(purpose)] = f
		}
		return rows.Err()
	})
	return shown, err
}

// name finds whose an id is.
func (m *model) name(partner int64, id clock.ID) string {
	if id == ledger.PartnerItself {
		return ""
	}
	for o, u := range m.users {
		if o.partner == partner && u.id == id.String() {
			return o.name
		}
	}
	return "unknown " + id.String()
}

// compareBook holds a partner's accounts against a model.
func (w *world) compareBook(partner int64, m *model) error {
	shown, err := w.book(partner, m)
	if err != nil {
		return err
	}
	return compare(partner, shown, m.figures)
}

func compare(partner int64, shown, want map[account]figures) error {
	var wrong []string
	for a, f := range want {
		if a.partner == partner && shown[a] != f {
			wrong = append(wrong, fmt.Sprintf("%s of %q of partner %d is %+v, want %+v", a.purpose, a.name, partner, shown[a], f))
		}
	}
	for a, f := range shown {
		if _, known := want[a]; !known {
			wrong = append(wrong, fmt.Sprintf("%s of %q of partner %d is %+v, want nothing", a.purpose, a.name, partner, f))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return errors.New("the books differ from the model:\n" + strings.Join(wrong, "\n"))
}

// models are those of all players, and of what they contend for.
func (w *world) models() []*model {
	var all []*model
	for _, p := range w.players {
		all = append(all, p.model)
	}
	if w.shared != nil {
		all = append(all, w.shared.model)
	}
	return all
}

// check holds the program against the invariants and the models, while nothing of it is under way.
func (w *world) check() error {
	if err := w.receiver.wrong(); err != nil {
		return err
	}
	violations, err := app.Verify(calm(), w.app.DB)
	if err != nil {
		return err
	}
	if len(violations) > 0 {
		return errors.New("kontor verify: " + strings.Join(violations, "\n"))
	}
	operator := map[account]figures{}
	for _, m := range w.models() {
		for a, f := range m.figures {
			if a.partner == ledger.Operator {
				sum := operator[a]
				sum.posted += f.posted
				operator[a] = sum
			}
		}
	}
	shown, err := w.book(ledger.Operator, newModel())
	if err != nil {
		return err
	}
	if err := compare(ledger.Operator, shown, operator); err != nil {
		return err
	}
	for _, p := range w.players {
		for _, q := range p.parties {
			if err := errors.Join(w.compareBook(q.id, p.model), w.checkDebts(q.id, p.model)); err != nil {
				return err
			}
		}
	}
	if w.shared != nil {
		return w.compareBook(w.shared.party.id, w.shared.model)
	}
	return nil
}

var (
	sumAtBank = db.NewQuery(`SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM sandbox_bank_entry WHERE partner_id = 0`)
	sumOfBank = db.NewQuery(`SELECT COALESCE(SUM(-posted), 0) FROM account WHERE partner_id = 0 AND purpose = 'bank' AND currency = 'eur'`)
)

// checkBank holds the bank's own book against the operator's, when the bank has told everything (I11). A transfer that
// was sent twice would be there (I6).
func (w *world) checkBank() error {
	return w.app.DB.View(calm(), func(r db.Reader) error {
		var there, here int64
		if err := errors.Join(r.Row(sumAtBank).Scan(&there), r.Row(sumOfBank).Scan(&here)); err != nil {
			return err
		}
		if there != here {
			return fmt.Errorf("I6, I11: the bank has %s, and the books have %s there", euros(there), euros(here))
		}
		return nil
	})
}

// checkDebts holds what a partner's users, and the partner, owe against a model.
func (w *world) checkDebts(partner int64, m *model) error {
	want, shown := map[account]figures{}, map[account]figures{}
	for a, f := range m.figures {
		if a.partner == partner && a.purpose == "receivable" && f.posted != 0 {
			want[a] = f
		}
	}
	err := w.app.DB.View(calm(), func(r db.Reader) error {
		debts, err := ledger.Debts(r, partner, w.app.Catalog.Currency)
		for _, d := range debts {
			shown[owner{partner, m.name(partner, d.Owner)}.account("receivable")] = figures{posted: -d.Amount.Units()}
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := compare(partner, shown, want); err != nil {
		return fmt.Errorf("the list of receivables: %w", err)
	}
	return nil
}

var selectEvents = db.NewQuery(`
	SELECT object_id, id, type, status, attempts, outcome FROM event WHERE partner_id = $1 ORDER BY object_id, version`)

// checkEvents makes sure that a partner's events are those of the model, and that each is delivered or has visibly
// failed.
func (w *world) checkEvents(partner int64, told map[string][]string) error {
	var wrong []string
	err := w.app.DB.View(calm(), func(r db.Reader) error {
		rows := r.Rows(selectEvents, partner)
		defer rows.Close()
		for rows.Next() {
			var object, id clock.ID
			var kind, status, outcome string
			var attempts int
			if err := rows.Scan(&object, &id, &kind, &status, &attempts, &outcome); err != nil {
				return err
			}
			told[object.String()] = append(told[object.String()], kind)
			came, _ := w.receiver.find(partner, id.String())
			switch {
			case status == event.Delivered && !came.accepted:
				wrong = append(wrong, fmt.Sprintf("I9: event %s %s is told to be delivered, and the receiver has not taken it", kind, id))
			case status == event.Failed && (came.attempts < giveUpFrom || outcome == ""):
				wrong = append(wrong, fmt.Sprintf("I9: event %s %s has failed (%q) after %d attempts", kind, id, outcome, came.attempts))
			case status != event.Delivered && status != event.Failed:
				wrong = append(wrong, fmt.Sprintf("I9: event %s %s is neither delivered nor failed but %s", kind, id, status))
			}
		}
		return rows.Err()
	})
	if err != nil || len(wrong) == 0 {
		return err
	}
	return errors.New(strings.Join(wrong, "\n"))
}

// checkAllEvents holds all events against the models.
func (w *world) checkAllEvents() error {
	var parties []*party
	for _, p := range w.players {
		parties = append(parties, p.parties...)
	}
	if w.shared != nil {
		parties = append(parties, w.shared.party)
	}
	told, want := map[string][]string{}, map[string][]string{}
	for _, q := range parties {
		if err := w.checkEvents(q.id, told); err != nil {
			return err
		}
	}
	for _, m := range w.models() {
		for object, kinds := range m.events {
			want[object] = kinds
		}
	}
	for _, object := range slices.Concat(sortedKeys(told), sortedKeys(want)) {
		if !slices.Equal(told[object], want[object]) {
			return fmt.Errorf("I4: of object %s there are the events %v, want %v", object, told[object], want[object])
		}
	}
	return nil
}

var (
	// countJobs leaves out the end of the bank's day, which comes when the day is over.
	countJobs   = db.NewQuery(`SELECT COUNT(*) FROM job WHERE kind <> 'sandbox-bank-close-day'`)
	countEvents = db.NewQuery(`SELECT COUNT(*) FROM event WHERE status = 'PENDING'`)
)

// waiting counts the jobs and the events that are not done.
func (w *world) waiting() (jobs, events int64, err error) {
	err = w.app.DB.View(calm(), func(r db.Reader) error {
		if err := r.Row(countJobs).Scan(&jobs); err != nil {
			return err
		}
		return r.Row(countEvents).Scan(&events)
	})
	return jobs, events, err
}
