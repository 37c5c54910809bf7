package sepa

import (
	"errors"
	"fmt"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/user"
)

// counter is where deposits of one partner are decided, with all that it takes from the partner's book. Everything is
// read before anything is written. Its methods change the deposits, and queue what follows; the caller stores them, and
// calls close at last.
type counter struct {
	s                  *Service
	partner            int64
	at                 time.Time
	clearing, suspense clock.ID
	users              map[clock.ID]user.User
	customers          map[clock.ID]ledger.Customer
	contacts           map[contactKey]string // names of the accounts from which somebody was credited
}

// openCounter reads what deposits of some owners need.
func (s *Service) openCounter(r db.Reader, partner int64, owners []clock.ID) (*counter, error) {
	c := &counter{s: s, partner: partner, at: s.clock.Now(), contacts: map[contactKey]string{}}
	var err error
	if c.clearing, c.suspense, err = s.between(r, partner); err != nil {
		return nil, err
	}
	if c.users, err = user.FindMany(r, partner, owners); err != nil {
		return nil, err
	}
	c.customers, err = ledger.FindCustomers(r, partner, owners, s.euro)
	return c, err
}

// between are the two accounts of a book between which money waits.
func (s *Service) between(r db.Reader, partner int64) (clearing, suspense clock.ID, err error) {
	if clearing, err = ledger.FindAccount(r, partner, ledger.PartnerItself, ledger.Clearing, s.euro); err != nil {
		return clearing, suspense, err
	}
	suspense, err = ledger.FindAccount(r, partner, ledger.PartnerItself, ledger.Suspense, s.euro)
	return clearing, suspense, err
}

// recipient is the user who gets a deposit; nil for the partner.
func (c *counter) recipient(d *Deposit) (*user.User, error) {
	if d.Owner == ledger.PartnerItself {
		return nil, nil
	}
	u, ok := c.users[d.Owner]
	if !ok {
		return nil, db.ErrNoRows
	}
	return &u, nil
}

// decide ends the check of a deposit that is pending. What arrives for an owner who may not receive money now waits on
// suspense, whatever the names say: it must not go back by itself.
func (c *counter) decide(tx *db.Tx, d *Deposit, v verdict) error {
	d.Score = v.score
	to, err := c.recipient(d)
	switch {
	case err != nil:
		return err
	case to != nil && to.MayReceive(true) != nil:
		c.suspend(tx, d, hindrance(*to))
		return nil
	case v.answer == nameSame:
		return c.credit(tx, d)
	case v.answer == nameOther:
		return c.sendBack(tx, d, OtherName)
	}
	c.suspend(tx, d, WaitsName)
	return nil
}

// hindrance tells why a user may not receive money from outside now.
func hindrance(u user.User) string {
	switch {
	case !u.DeletedAt.IsZero():
		return WaitsDeleted
	case !u.FrozenAt.IsZero():
		return WaitsFrozen
	case u.UnderReview:
		return WaitsReview
	case u.Verification == user.Expired:
		return WaitsExpired
	}
	return WaitsInactive
}

// credit gives a deposit, which is pending or waits on suspense, to its owner, whom the caller has found fit to receive
// it. Should that change until the commit, or what the owner owes, it is decided again. The sender's account becomes a
// contact.
func (c *counter) credit(tx *db.Tx, d *Deposit) error {
	to, err := c.recipient(d)
	if err != nil {
		return err
	}
	target, ok := c.customers[d.Owner]
	if !ok {
		return db.ErrNoRows
	}
	source := c.clearing
	if d.Status == DepositSuspended {
		source = c.suspense
	}
	tx.Rely(c.partner, target.Balance, target.Revision)
	ledger.Post(tx, c.partner, d.operation(), c.at, ledger.Credit("amount", source, target, d.Amount)...)
	if target.Owed, err = left(target.Owed, d.Amount); err != nil {
		return err
	}
	c.customers[d.Owner] = target
	if key := (contactKey{d.Owner, d.SenderIBAN}); d.SenderIBAN != "" && c.contacts[key] == "" {
		c.contacts[key] = d.SenderName
	}
	d.Status, d.Reason, d.Version = DepositSuccessful, "", d.Version+1
	if err := c.s.tellCheck(tx, *d, checkApproved, c.at, to); err != nil {
		return err
	}
	d.Version++
	return c.s.events.Write(tx, event.Event{
		Partner: c.partner, Object: d.ID, Version: d.Version, Type: event.SEPADeposit, At: c.at, Body: notice(*d, to),
	})
}

// suspend puts a deposit that is pending on suspense.
func (c *counter) suspend(tx *db.Tx, d *Deposit, reason string) {
	c.toSuspense(tx, d)
	d.Status, d.Reason = DepositSuspended, reason
}

func (c *counter) toSuspense(tx *db.Tx, d *Deposit) {
	ledger.Post(tx, c.partner, d.operation(), c.at,
		ledger.Leg{Name: "suspense", Debit: c.clearing, Credit: c.suspense, Amount: d.Amount})
}

var errNotBooked = errors.New("sepa: no payment of the bank is known for this deposit, so that it cannot be sent back")

// sendBack refuses a deposit, which is pending or waits on suspense: the bank is to send it back, and until it has done
// so the money is on suspense.
func (c *counter) sendBack(tx *db.Tx, d *Deposit, reason string) error {
	if d.Entry.IsZero() {
		return fmt.Errorf("%w: %s", errNotBooked, d.ID)
	}
	if d.Status == DepositPending {
		c.toSuspense(tx, d)
	}
	again := d.Returns > 0 // the bank refused it before, and the partner has been told
	d.Status, d.Reason, d.Returns = DepositReturning, reason, d.Returns+1
	if !again {
		to, err := c.recipient(d)
		if err != nil {
			return err
		}
		d.Version++
		if err := c.s.tellCheck(tx, *d, checkRejected, c.at, to); err != nil {
			return err
		}
	}
	job.Enqueue(tx, c.partner, orderReturn, d.ID, c.at)
	tx.AfterCommit(c.s.jobs.Wake)
	return nil
}

// store stores a deposit that was there before, as the last of those that were decided.
func (c *counter) store(tx *db.Tx, d Deposit) error {
	c.s.save(tx, d)
	return c.close(tx)
}

// close remembers the contacts.
func (c *counter) close(tx *db.Tx) error { return c.s.learn(tx, c.partner, c.contacts, c.at) }
