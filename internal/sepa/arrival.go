package sepa

import (
	"context"
	"slices"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
)

// arriveAll makes deposits of payments that the bank has booked for owners of a partner, and decides on them, many in
// one transaction.
func (s *Service) arriveAll(ctx context.Context, partner int64, payments []booked) error {
	return together(ctx, payments, func(some []booked) error {
		var all []Deposit
		var lost []booked
		err := s.db.View(ctx, func(r db.Reader) (err error) {
			all, lost, err = s.incoming(r, partner, some)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.settle(ctx, partner, all); err != nil {
			return err
		}
		for _, b := range lost {
			s.log.WarnContext(ctx, "the owner of a booked payment cannot be told any more: see kontor suspense list", "entry", b.id.String(), "partner", partner)
			if err := s.db.Update(ctx, func(tx *db.Tx) error { return s.setAside(tx, b) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// incoming makes the deposits that booked payments are. Lost are those whose owner is not found any more, because their
// remittance information now has the references of two, say. What was set aside before is left out.
func (s *Service) incoming(r db.Reader, partner int64, payments []booked) (all []Deposit, lost []booked, err error) {
	if payments, err = s.notAside(r, payments); err != nil {
		return nil, nil, err
	}
	ids := make([]clock.ID, len(payments))
	for i, b := range payments {
		ids[i] = b.id
	}
	entries, details, err := s.findEntries(r, ids)
	if err != nil {
		return nil, nil, err
	}
	told := make([]Entry, len(payments))
	for i, b := range payments {
		told[i] = Entry{Creditor: details[b.id].Creditor, Title: details[b.id].Title}
	}
	owners, err := beneficiaries(r, told)
	if err != nil {
		return nil, nil, err
	}
	for i, b := range payments {
		to, ok := owners[i]
		if !ok || to.partner != partner {
			lost = append(lost, b)
			continue
		}
		detail := details[b.id]
		all = append(all, Deposit{
			Partner: partner, ID: b.object, Owner: to.id, Amount: entries[b.id].Amount, Title: detail.Title, SenderName: detail.Debtor.Name,
			SenderIBAN: string(detail.Debtor.IBAN), Entry: b.id, CreatedAt: s.clock.Now(),
		})
	}
	return all, lost, nil
}

var selectSetAside = db.NewQuery(`SELECT entry_id FROM suspense_entry WHERE partner_id = $1 AND entry_id IN (` + db.List(2) + `)`)

// notAside leaves out what was set aside for a person.
func (s *Service) notAside(r db.Reader, payments []booked) ([]booked, error) {
	ids := make([]clock.ID, len(payments))
	for i, b := range payments {
		ids[i] = b.id
	}
	aside := map[clock.ID]bool{}
	for _, args := range db.Lists(ids, ledger.Operator) {
		rows := r.Rows(selectSetAside, args...)
		for rows.Next() {
			var id clock.ID
			if err := rows.Scan(&id); err != nil {
				return nil, err
			}
			aside[id] = true
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(payments), func(b booked) bool { return aside[b.id] }), nil
}

// settle takes deposits of a partner that the bank has booked. Those that are new are decided at once: of two that take
// the same one, one collides at its row, and finds it there. Those that were announced are linked, and decided by a job
// that locks them.
func (s *Service) settle(ctx context.Context, partner int64, deposits []Deposit) error {
	var j judge
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		j, err = s.judgeOf(r, partner, deposits)
		return err
	})
	if err != nil {
		return err
	}
	verdicts := make([]verdict, len(deposits))
	for i, d := range deposits {
		verdicts[i] = j.check(d)
	}
	var announced []Deposit
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		announced, err = s.takeNew(tx, partner, deposits, verdicts)
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range announced {
		if err := s.db.Update(ctx, func(tx *db.Tx) error { return s.link(tx, d) }); err != nil {
			return err
		}
	}
	return nil
}

// takeNew decides on those deposits that are not there yet, and answers those that were announced.
func (s *Service) takeNew(tx *db.Tx, partner int64, deposits []Deposit, verdicts []verdict) (announced []Deposit, err error) {
	linked, err := findLinked(tx, partner, deposits)
	if err != nil {
		return nil, err
	}
	c, err := s.openCounter(tx, partner, ownersOf(deposits))
	if err != nil {
		return nil, err
	}
	for i, d := range deposits {
		if booked, known := linked[d.ID]; known {
			if !booked {
				announced = append(announced, d)
			}
			continue
		}
		to, err := c.recipient(&d)
		if err != nil {
			return nil, err
		}
		d.Status, d.Version = DepositPending, 1
		if err := s.tellCheck(tx, d, checkPending, d.CreatedAt, to); err != nil {
			return nil, err
		}
		if err := c.decide(tx, &d, verdicts[i]); err != nil {
			return nil, err
		}
		if err := s.insert(tx, d); err != nil {
			return nil, err
		}
	}
	return announced, c.close(tx)
}

// selectLinked looks up deposit by deposit, as selectKnown does.
var selectLinked = db.NewQuery(db.ListUnion(2, `SELECT id, entry_id FROM sepa_deposit WHERE partner_id = $1 AND id = VALUE`))

// findLinked tells which deposits are there, and of those, which payment of the bank is known.
func findLinked(r db.Reader, partner int64, deposits []Deposit) (map[clock.ID]bool, error) {
	ids := make([]clock.ID, len(deposits))
	for i, d := range deposits {
		ids[i] = d.ID
	}
	all := map[clock.ID]bool{}
	for _, args := range db.Lists(ids, partner) {
		rows := r.Rows(selectLinked, args...)
		for rows.Next() {
			var id, entry clock.ID
			if err := rows.Scan(&id, &entry); err != nil {
				return nil, err
			}
			all[id] = !entry.IsZero()
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// bookDeposit is the job that decides on a deposit which was announced before the bank booked it.
const bookDeposit = "sepa-deposit-book"

// link notes which payment of the bank a deposit is that was announced, and lets a job decide on it.
func (s *Service) link(tx *db.Tx, d Deposit) error {
	known, err := s.scanDeposit(tx.Row(selectDeposit, d.Partner, d.ID), d.Partner)
	if err != nil || !known.Entry.IsZero() {
		return err
	}
	tx.Write(linkDeposit, d.Partner, d.ID, d.Entry)
	job.Enqueue(tx, d.Partner, bookDeposit, d.ID, s.clock.Now())
	tx.AfterCommit(s.jobs.Wake)
	return nil
}

// book decides on a deposit. The names are compared before the transaction.
func (s *Service) book(ctx context.Context, j job.Job) error {
	d, v, err := s.judged(ctx, j.Partner, j.Object)
	if err != nil {
		return err
	}
	if d.Entry.IsZero() { // of a version of this program that did not read statements
		if err := s.bookAtBank(ctx, d); err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return s.decideDeposit(tx, j, v) })
}

// judged reads a deposit, and compares its names.
func (s *Service) judged(ctx context.Context, partner int64, id clock.ID) (d Deposit, v verdict, err error) {
	var j judge
	err = s.db.View(ctx, func(r db.Reader) (err error) {
		if d, err = s.FindDeposit(r, partner, id); err != nil {
			return err
		}
		j, err = s.judgeOf(r, partner, []Deposit{d})
		return err
	})
	if err != nil {
		return d, v, err
	}
	return d, j.check(d), nil
}

func (s *Service) bookAtBank(ctx context.Context, d Deposit) error {
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		bank, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Bank, s.euro)
		if err != nil {
			return err
		}
		clearing, err := ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, ledger.Clearing, s.euro)
		if err != nil {
			return err
		}
		ledger.Post(tx, ledger.Operator, d.operation(), s.clock.Now(),
			ledger.Leg{Name: "amount", Debit: bank, Credit: clearing, Amount: d.Amount})
		return nil
	})
	if db.Violates(err, "ledger_transfer_pkey") {
		return nil // an earlier run of the job came this far
	}
	return err
}

func (d Deposit) operation() ledger.Operation {
	return ledger.Operation{Type: DepositOperation, ID: d.ID}
}

// decideDeposit ends a deposit's check, unless that was done.
func (s *Service) decideDeposit(tx *db.Tx, j job.Job, v verdict) error {
	tx.Locked()
	d, err := s.scanDeposit(tx.Row(lockDeposit, j.Partner, j.Object), j.Partner)
	if err != nil || d.Status != DepositPending {
		return err
	}
	c, err := s.openCounter(tx, d.Partner, []clock.ID{d.Owner})
	if err != nil {
		return err
	}
	if err := c.decide(tx, &d, v); err != nil {
		return err
	}
	return c.store(tx, d)
}
