package sepa

import (
	"fmt"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
)

var (
	selectTransfers = db.NewQuery(`SELECT ` + transferColumns + ` FROM sepa_transfer
		WHERE partner_id = $1 AND id IN (` + db.List(2) + `)`)
	updateTransfer = db.NewUpdate("sepa_transfer", "partner_id bigint, id uuid",
		"status text, reason text, returned bigint, version bigint", "")
)

// ending is transfers of one partner that the bank has told of, with all that their ends need. Everything is read
// before anything is written, and nothing is locked: of two that end the same transfer, one collides at the key of
// its event, or of the end of its hold, and runs again on what the other has left.
type ending struct {
	s         *Service
	partner   int64
	at        time.Time
	transfers map[clock.ID]*Transfer
	holds     map[clock.ID]ledger.Hold
	users     map[clock.ID]user.User
	people    map[clock.ID]user.Person
	customers map[clock.ID]ledger.Customer // the partner itself, and those to whom money comes back
	clearing  clock.ID
	fees      clock.ID
	suspense  clock.ID
	changed   map[clock.ID]bool
	failed    []*Transfer
	unfit     []booked // of transfers that were refused
}

// readEnding reads what the news are of.
func (s *Service) readEnding(r db.Reader, partner int64, told []news) (*ending, error) {
	e := &ending{s: s, partner: partner, at: s.clock.Now(), changed: map[clock.ID]bool{}}
	if err := e.readTransfers(r, told); err != nil {
		return nil, err
	}
	var holds, owners []clock.ID
	backTo := []clock.ID{ledger.PartnerItself}
	for _, n := range told {
		t, ok := e.transfers[n.id]
		if !ok {
			return nil, fmt.Errorf("sepa: no transfer %s of partner %d", n.id, partner)
		}
		if t.open() {
			holds = append(holds, t.hold)
		}
		if t.Owner != ledger.PartnerItself && (t.open() || n.back.Sign() > 0) {
			owners = append(owners, t.Owner)
			if n.back.Sign() > 0 {
				backTo = append(backTo, t.Owner)
			}
		}
	}
	var err error
	if e.holds, err = ledger.FindHolds(r, partner, holds, s.euro); err != nil {
		return nil, err
	}
	if e.users, err = user.FindMany(r, partner, owners); err != nil {
		return nil, err
	}
	if e.people, err = s.users.FindPeople(r, partner, owners); err != nil {
		return nil, err
	}
	if e.customers, err = ledger.FindCustomers(r, partner, backTo, s.euro); err != nil {
		return nil, err
	}
	return e, e.readAccounts(r)
}

func (e *ending) readTransfers(r db.Reader, told []news) error {
	e.transfers = make(map[clock.ID]*Transfer, len(told))
	ids := make([]clock.ID, len(told))
	for i, n := range told {
		ids[i] = n.id
	}
	for _, args := range db.Lists(ids, e.partner) {
		rows := r.Rows(selectTransfers, args...)
		for rows.Next() {
			t, err := e.s.scanTransfer(rows)
			if err != nil {
				rows.Close()
				return err
			}
			e.transfers[t.ID] = &t
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (e *ending) readAccounts(r db.Reader) (err error) {
	for purpose, id := range map[ledger.Purpose]*clock.ID{
		ledger.Clearing: &e.clearing, ledger.Fees: &e.fees, ledger.Suspense: &e.suspense,
	} {
		if *id, err = ledger.FindAccount(r, e.partner, ledger.PartnerItself, purpose, e.s.euro); err != nil {
			return err
		}
	}
	return nil
}

// open tells whether the bank has still to decide.
func (t *Transfer) open() bool { return t.Status == TransferPending || t.Status == TransferProcessing }

// take does what the news say, and stores what has become of the transfers.
func (e *ending) take(tx *db.Tx, told []news) error {
	for _, n := range told {
		if err := e.takeOne(tx, e.transfers[n.id], n); err != nil {
			return err
		}
	}
	uncount(tx, e.partner, e.at, e.failed)
	for _, t := range e.transfers {
		if e.changed[t.ID] {
			tx.Write(updateTransfer, t.Partner, t.ID, t.Status, t.Reason, t.Returned.Units(), t.Version)
		}
	}
	return nil
}

func (e *ending) takeOne(tx *db.Tx, t *Transfer, n news) error {
	if t.Status == TransferFailed {
		if !n.entry.id.IsZero() {
			e.unfit = append(e.unfit, n.entry)
		}
		return nil
	}
	if t.open() {
		end := e.succeed
		if !n.settled {
			end = e.fail
		}
		if err := end(tx, t, n.reason); err != nil {
			return err
		}
	}
	if n.back.Sign() > 0 && t.Status == TransferSuccessful {
		return e.comeBack(tx, t, n)
	}
	return nil
}

// fail releases what was held, the fee too.
func (e *ending) fail(tx *db.Tx, t *Transfer, reason string) error {
	if reason == "" {
		reason = noReason
	}
	t.Status, t.Reason = TransferFailed, reason
	e.failed = append(e.failed, t)
	hold, err := e.hold(t)
	if err != nil {
		return err
	}
	if err := ledger.Release(tx, t.Partner, hold, e.at); err != nil {
		return err
	}
	return e.tell(tx, t)
}

// succeed takes what was held: the amount goes to the bank by way of clearing, the fee to the platform, the mark-up
// to the partner.
func (e *ending) succeed(tx *db.Tx, t *Transfer, _ string) error {
	t.Status = TransferSuccessful
	hold, err := e.hold(t)
	if err != nil {
		return err
	}
	legs := []ledger.Leg{{Name: "amount", Debit: hold.Account, Credit: e.clearing, Amount: t.Amount}}
	platform, err := t.Fee.Sub(t.Markup)
	if err != nil {
		return err
	}
	if platform.Sign() > 0 {
		legs = append(legs, ledger.Leg{Name: "fee", Debit: hold.Account, Credit: e.fees, Amount: platform})
	}
	if t.Markup.Sign() > 0 {
		own, ok := e.customers[ledger.PartnerItself]
		if !ok {
			return db.ErrNoRows
		}
		legs = append(legs, ledger.Leg{Name: "markup", Debit: hold.Account, Credit: own.Balance, Amount: t.Markup})
	}
	if err := ledger.Capture(tx, t.Partner, hold, e.at, true, legs...); err != nil {
		return err
	}
	return e.tell(tx, t)
}

func (e *ending) hold(t *Transfer) (ledger.Hold, error) {
	hold, ok := e.holds[t.hold]
	if !ok {
		return hold, db.ErrNoRows
	}
	return hold, nil
}

// comeBack credits what the beneficiary's bank sent back, at most the amount. What is for a deleted user goes to the
// partner's suspense account. The fee stays.
func (e *ending) comeBack(tx *db.Tx, t *Transfer, n news) error {
	legs := []ledger.Leg{{Name: "return", Debit: e.clearing, Credit: e.suspense, Amount: n.back}}
	if t.Owner == ledger.PartnerItself || e.users[t.Owner].DeletedAt.IsZero() {
		to, ok := e.customers[t.Owner]
		if !ok {
			return db.ErrNoRows
		}
		legs = ledger.Credit("return", e.clearing, to, n.back)
		var err error
		if to.Owed, err = left(to.Owed, n.back); err != nil {
			return err
		}
		e.customers[t.Owner] = to
	}
	t.Status, t.Reason, t.Returned = TransferReturned, n.reason, n.back
	ledger.Post(tx, t.Partner, t.operation(), e.at, legs...)
	return e.tell(tx, t)
}

// left is what remains of what a customer owes after an amount was credited.
func left(owed, credited money.Amount) (money.Amount, error) {
	if owed.Cmp(credited) <= 0 {
		return money.New(0, owed.Currency()), nil
	}
	return owed.Sub(credited)
}

// tell notes that a transfer has changed, with its event.
func (e *ending) tell(tx *db.Tx, t *Transfer) error {
	var payer *user.User
	var person *user.Person
	if t.Owner != ledger.PartnerItself {
		u, ok := e.users[t.Owner]
		if !ok {
			return db.ErrNoRows
		}
		payer = &u
		if p := e.people[t.Owner]; t.Status != TransferFailed { // those of deleted users are erased
			person = &p
		}
	}
	t.Version++
	e.changed[t.ID] = true
	return e.s.tellTransfer(tx, *t, payer, person)
}
