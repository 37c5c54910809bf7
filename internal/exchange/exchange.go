// Package exchange turns one currency into another at rates that were locked before.
//
// An owner locks the rates of all currencies, with the fee, for 40 seconds, and uses the lock once. The exchange
// is executed when it is accepted, in one transaction: the source is debited, the platform's liquidity takes what
// is left after the fee and pays the target, a partner's mark-up is credited. What the liquidity accounts gain or
// owe is the platform's risk.
package exchange

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/entry"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// OperationType names exchanges in the ledger and in histories.
const OperationType = "EXCHANGE"

// Completed is the status of every exchange.
const Completed = "COMPLETED"

// The postings of an exchange.
const (
	amountLeg   = "amount"   // the source to liquidity, without the fee
	feeLeg      = "fee"      // the source to the platform
	markupLeg   = "markup"   // the source to the partner
	receivedLeg = "received" // liquidity to the target
)

// gainDecimals is how fine the gain of an exchange is kept: 10^-8 EUR.
const gainDecimals = 8

// Terms are what a partner's settings say of exchanges.
type Terms struct {
	Pins           Pins
	Fee            money.Percent           // of the source amount
	Markup         money.Percent           // on top of it, on users' exchanges
	LocksPerMinute int                     // of an owner
	Max            map[string]money.Amount // the partner's own largest amounts, by slug; otherwise the catalogue's
}

// Create is the order to exchange an amount.
type Create struct {
	User      string // externalUserId; empty: the partner itself
	Amount    money.Amount
	To        money.Currency
	Lock      clock.ID
	Reference string
	Metadata  map[string]string
}

// Exchange is an exchange that was made.
type Exchange struct {
	Partner        int64
	ID             clock.ID
	Owner          clock.ID // a user; none: the partner itself
	Lock           clock.ID
	From, To       money.Amount // what was given, fee included, and what was received
	RateFrom       money.Rate
	RateTo         money.Rate
	FeePercent     money.Percent
	Fee            money.Amount // of From, mark-up included
	MarkupPercent  money.Percent
	Markup         money.Amount // of From
	Gain           int64        // what the liquidity gained at the market's prices, in 10^-8 EUR
	Reference      string
	Metadata       map[string]string
	CreatedAt      time.Time
	externalUserID string
}

// Config is what a Service works with.
type Config struct {
	DB      *db.DB
	Clock   clock.Clock
	Catalog *catalog.Catalog
	Events  *event.Log
	Market  Market
	Users   *user.Service
	Vault   *vault.Vault // has the key by which locks prove themselves
	// Guard is by how much the market may move against a lock before the lock is refused; zero: by anything.
	Guard money.Percent
	// Alone tells whether no other node works on the database: then this one counts locks per minute in memory.
	Alone func() bool
}

// Service quotes and locks rates, makes exchanges and finds them.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	catalog *catalog.Catalog
	entries []catalog.Entry
	events  *event.Log
	market  Market
	users   *user.Service
	vault   *vault.Vault
	guard   money.Percent
	alone   func() bool
	now     func() time.Time // machine time, for locks per minute and the age of the exposure

	offers offers
	taken  taken
	turns  turns[holding] // of who takes a lock, when several nodes count

	limits  map[string]money.Amount // of the platform's exposure, in EUR, by slug
	exposed atomic.Pointer[exposure]

	accounts sync.Map // ids of the platform's accounts, by book; they never change
}

// NewService makes the service.
func NewService(c Config) *Service {
	entries := c.Catalog.Currencies()
	return &Service{
		db: c.DB, clock: c.Clock, catalog: c.Catalog, entries: entries, events: c.Events, market: c.Market,
		users: c.Users, vault: c.Vault, guard: c.Guard, alone: c.Alone, limits: limitsOf(entries), now: time.Now,
	}
}

const columns = `id, owner_id, lock_id, currency_from, amount_from, currency_to, amount_to, rate_from, rate_to, fee_percent, fee,
	markup_percent, markup, gain, reference, metadata, created_at`

var (
	insertExchange = db.NewInsert("exchange", `partner_id bigint, id uuid, owner_id uuid, lock_id uuid, currency_from text,
		amount_from bigint, currency_to text, amount_to bigint, rate_from text, rate_to text, fee_percent text, fee bigint,
		markup_percent text, markup bigint, gain bigint, reference text, metadata text, created_at bigint`)
	selectExchange = db.NewQuery(`SELECT ` + columns + ` FROM exchange WHERE partner_id = $1 AND id = $2`)
	selectUse      = db.NewQuery(`SELECT id FROM exchange WHERE partner_id = $1 AND lock_id = $2`)
)

// Create makes an exchange: its row, its postings and its event. P412, P455, P459, P462; P410 when both currencies
// are the same; P413 when the lock is unknown, somebody else's, over or used, or the market has moved against it;
// P430 when nothing would be received, the amount is too large, or the platform's exposure would be; P433, at the
// commit, when the balance does not cover it.
func (s *Service) Create(tx *db.Tx, partner int64, c Create, t Terms) (Exchange, error) {
	who, err := s.holder(tx, partner, c)
	if err != nil {
		return Exchange{}, err
	}
	x, err := s.decide(tx, holding{partner, who.id}, c, t)
	if err == nil {
		err = who.from.MayPay()
	}
	if err == nil && tx.Attempt() > 1 { // the first may have failed because of it
		err = unused(tx, partner, c.Lock)
	}
	if err != nil {
		return Exchange{}, s.refusal(tx, partner, c, err)
	}
	x.Partner, x.ID, x.Owner, x.externalUserID = partner, clock.NewID(), who.id, c.User
	x.CreatedAt = s.clock.Now()
	return x, s.write(tx, x, who)
}

// decide finds what the lock holds and computes by it, and judges the amount.
func (s *Service) decide(r db.Reader, h holding, c Create, t Terms) (Exchange, error) {
	if c.Amount.Currency() == c.To {
		return Exchange{}, fault.New(fault.InvalidCurrency)
	}
	lock, err := s.usable(r, h, c, t.Pins)
	if err != nil {
		return Exchange{}, err
	}
	x, err := s.compute(c, t, lock)
	if err != nil {
		return Exchange{}, err
	}
	return x, s.bounded(x, lock.Market)
}

// refusal is why an exchange is refused: what was found, unless something comes before it that only a look at the
// database tells. The owner may be remembered from before a right was lost, which the commit would have shown; and the
// lock may have been used.
func (s *Service) refusal(r db.Reader, partner int64, c Create, found error) error {
	if c.User != "" {
		u, err := user.Find(r, partner, c.User)
		if err == nil {
			err = u.MayPay(s.fiat(c.Amount.Currency()) || s.fiat(c.To))
		}
		if err != nil {
			return err
		}
	}
	if code := fault.From(found).Code; code == fault.InvalidCurrency || code == fault.InvalidLock {
		return found
	}
	if err := unused(r, partner, c.Lock); err != nil {
		return err
	}
	return found
}

// unused refuses with P413 a lock that was used. The schema does not let it be used again, so nobody needs to ask before
// something fails.
func unused(r db.Reader, partner int64, lock clock.ID) error {
	var made clock.ID
	err := r.Row(selectUse, partner, lock).Scan(&made)
	switch {
	case errors.Is(err, db.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fault.New(fault.InvalidLock)
}

// holder is who exchanges.
type holder struct {
	id       clock.ID
	from, to ledger.Customer
}

// holder finds the owner's accounts and checks that the owner may use them.
func (s *Service) holder(tx *db.Tx, partner int64, c Create) (who holder, err error) {
	given, wanted := c.Amount.Currency(), c.To
	if c.User != "" {
		from, to, err := s.users.Holder(tx, partner, c.User, given, wanted)
		if err != nil {
			return who, err
		}
		return holder{from.User.ID, from.Customer, to.Customer}, from.User.MayPay(s.fiat(given) || s.fiat(wanted))
	}
	who.id = ledger.PartnerItself
	if who.from, err = ledger.FindCustomer(tx, partner, who.id, given); err != nil {
		return who, err
	}
	who.to, err = ledger.FindCustomer(tx, partner, who.id, wanted)
	return who, err
}

func (s *Service) fiat(c money.Currency) bool { return s.catalog.Kind(c) == catalog.Fiat }

// compute is the arithmetic of an exchange. It is exact until what is received is cut, and what is a share of the
// amount is rounded down.
func (s *Service) compute(c Create, t Terms, l Lock) (Exchange, error) {
	from, to := c.Amount.Currency(), c.To
	x := Exchange{
		Lock: l.ID, From: c.Amount, RateFrom: l.Rates[from.Code], RateTo: l.Rates[to.Code],
		FeePercent: l.Fee, Fee: l.Fee.Of(c.Amount), MarkupPercent: l.Markup, Markup: l.Markup.Of(c.Amount),
		Reference: c.Reference, Metadata: c.Metadata,
	}
	if x.RateFrom.IsZero() || x.RateTo.IsZero() {
		return x, fmt.Errorf("lock %s has no rates for %s and %s", l.ID, from.Code, to.Code)
	}
	if !s.allowed(x, t) {
		return x, fault.New(fault.AmountOutOfRange)
	}
	var err error
	x.To, err = money.Convert(x.From, x.RateFrom, x.FeePercent, x.RateTo, to)
	if err != nil || x.To.Sign() <= 0 || x.To.Units() > ledger.MaxUnits {
		return x, fault.New(fault.AmountOutOfRange).Wrap(err)
	}
	kept, err := x.kept()
	if err != nil {
		return x, err
	}
	x.Gain, err = money.ValueOf(kept, l.Market[from.Code]).Sub(money.ValueOf(x.To, l.Market[to.Code])).Floor(gainDecimals)
	if err != nil {
		return x, fault.New(fault.AmountOutOfRange).Wrap(err)
	}
	return x, nil
}

// kept is what liquidity takes: the amount without the fee.
func (x Exchange) kept() (money.Amount, error) { return x.From.Sub(x.Fee) }

// allowed tells whether the amount is within the largest one: the partner's own in this currency, or what is worth
// the catalogue's euros.
func (s *Service) allowed(x Exchange, t Terms) bool {
	slug := x.From.Currency().Code
	if own, ok := t.Max[slug]; ok {
		return x.From.Cmp(own) <= 0
	}
	for _, e := range s.entries {
		if e.Code == slug {
			return money.ValueOf(x.From, x.RateFrom).Cmp(money.ValueOf(e.MaxEUR, money.One)) <= 0
		}
	}
	return false
}

// write queues everything that an exchange is.
func (s *Service) write(tx *db.Tx, x Exchange, who holder) error {
	legs, err := s.legs(tx, x, who)
	if err != nil {
		return err
	}
	metadata, err := entry.EncodeMetadata(x.Metadata)
	if err != nil {
		return err
	}
	tx.Write(insertExchange, x.Partner, x.ID, x.Owner, x.Lock, x.From.Currency().Code, x.From.Units(), x.To.Currency().Code,
		x.To.Units(), x.RateFrom.String(), x.RateTo.String(), x.FeePercent.String(), x.Fee.Units(), x.MarkupPercent.String(),
		x.Markup.Units(), x.Gain, x.Reference, metadata, x.CreatedAt)
	ledger.Post(tx, x.Partner, ledger.Operation{Type: OperationType, ID: x.ID}, x.CreatedAt, legs...)
	return s.events.Write(tx, event.Event{
		Partner: x.Partner, Object: x.ID, Version: 1, Type: event.Exchange, At: x.CreatedAt, Body: x.notice(),
	})
}

// legs are the postings of an exchange. It reads what it needs first.
func (s *Service) legs(tx *db.Tx, x Exchange, who holder) ([]ledger.Leg, error) {
	from, to := x.From.Currency(), x.To.Currency()
	var taking, paying, fees clock.ID
	for _, a := range []struct {
		purpose  ledger.Purpose
		currency money.Currency
		into     *clock.ID
	}{{ledger.Liquidity, from, &taking}, {ledger.Liquidity, to, &paying}, {ledger.Fees, from, &fees}} {
		id, err := s.account(tx, x.Partner, a.purpose, a.currency)
		if err != nil {
			return nil, err
		}
		*a.into = id
	}
	kept, err := x.kept()
	if err != nil {
		return nil, err
	}
	platforms, err := x.Fee.Sub(x.Markup)
	if err != nil {
		return nil, err
	}
	legs := []ledger.Leg{{Name: amountLeg, Debit: who.from.Balance, Credit: taking, Amount: kept}}
	if platforms.Sign() > 0 {
		legs = append(legs, ledger.Leg{Name: feeLeg, Debit: who.from.Balance, Credit: fees, Amount: platforms})
	}
	if x.Markup.Sign() > 0 {
		own, err := ledger.FindCustomer(tx, x.Partner, ledger.PartnerItself, from)
		if err != nil {
			return nil, err
		}
		legs = append(legs, ledger.Credit(markupLeg, who.from.Balance, own, x.Markup)...)
	}
	return append(legs, ledger.Credit(receivedLeg, paying, who.to, x.To)...), nil
}

// place names an account of the platform in a partner's book.
type place struct {
	partner  int64
	purpose  ledger.Purpose
	currency string
}

// account finds an account of the platform, from memory after the first time: which ones a book has never changes.
func (s *Service) account(r db.Reader, partner int64, p ledger.Purpose, c money.Currency) (clock.ID, error) {
	key := place{partner, p, c.Code}
	if id, ok := s.accounts.Load(key); ok {
		return id.(clock.ID), nil
	}
	id, err := ledger.FindAccount(r, partner, ledger.PartnerItself, p, c)
	if err == nil {
		s.accounts.Store(key, id)
	}
	return id, err
}

// Find reads an exchange; P414 when the partner has no such exchange.
func (s *Service) Find(r db.Reader, partner int64, id clock.ID) (Exchange, error) {
	x, known, err := s.scan(r.Row(selectExchange, partner, id), partner, s.catalog.Currency)
	if errors.Is(err, db.ErrNoRows) {
		return Exchange{}, fault.New(fault.ExchangeNotFound)
	}
	if err == nil && !known {
		err = fmt.Errorf("exchange %s has an unknown currency", id)
	}
	return x, err
}
