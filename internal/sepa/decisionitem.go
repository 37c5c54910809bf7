package sepa

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/user"
)

// ItemKind is what sort of money waits on suspense.
type ItemKind string

// The kinds of items.
const (
	ItemDeposit ItemKind = "DEPOSIT" // of an owner; on the suspense account of the owner's partner
	ItemCredit  ItemKind = "CREDIT"  // nobody's; on the operator's
	ItemReturn  ItemKind = "RETURN"  // came back, and fits no payment of ours; on the operator's
	ItemDebit   ItemKind = "DEBIT"   // fits no payment of ours; on the operator's
)

// ItemWaiting is the state of an item that is not decided. A decided one has its verdict as state.
const ItemWaiting = "WAITING"

// Item is money on suspense, or what became of it.
type Item struct {
	Partner   int64 // whose owner has the deposit; the operator: nobody's
	ID        clock.ID
	Kind      ItemKind
	Owner     clock.ID     // of a deposit: a user; none: the partner
	Amount    money.Amount // above zero
	Name      string       // of the other side, as the bank has it
	IBAN      string       // of the other side; empty when the bank did not tell
	Title     string
	EndToEnd  string    // the sender's id, of what is nobody's
	Reference string    // the bank's, of what is nobody's
	Day       time.Time // on which the bank booked what is nobody's
	Since     time.Time
	State     string
	Why       string // why a deposit waits: WaitsFrozen and so on
	Score     int64  // of the comparison of a deposit's names, in thousandths; 0 before it
	Hindrance string // why the owner of a waiting deposit may not get it now; empty: nothing is in the way
	Progress  string // of what goes back: DepositReturning, DepositReturned
	Decisions []Said // not in lists of what waits
	Proposed  bool   // an officer proposed something in this round
	round     int64  // how often the bank refused to send it back
}

// open are the decisions of this round.
func (it Item) open() []Said {
	for i, said := range it.Decisions {
		if said.Round == it.round {
			return it.Decisions[i:]
		}
	}
	return nil
}

// Said is what an officer said, and to whom a payment was assigned.
type Said struct {
	compliance.Decided
	Round     int64 // how often the bank had refused to send it back
	ToPartner int64 // 0: it was not assigned
	ToOwner   clock.ID
}

const (
	itemColumns  = "partner_id, id, owner_id, amount, status, reason, score, returns, created_at, " + payerColumns
	entryColumns = "id, amount, reference, detail, booked_on, created_at, " + refusals
	refusals     = `(SELECT COUNT(*) FROM sepa_return r JOIN sepa_return_refusal f ON f.partner_id = r.partner_id AND f.return_id = r.id
		WHERE r.partner_id = bank_entry.partner_id AND r.entry_id = bank_entry.id AND r.target_partner = 0)` // as nobody's
	undecided = ` AND NOT EXISTS (SELECT 1 FROM suspense_decision s
		WHERE s.partner_id = bank_entry.partner_id AND s.item_id = bank_entry.id AND s.final AND s.round = ` + refusals + `)`
	suspended = "status = '" + DepositSuspended + "'"
	unknown   = "partner_id = 0 AND kind = '" + entryUnknown + "'"
	aside     = "partner_id = 0 AND id IN (SELECT entry_id FROM suspense_entry WHERE partner_id = 0)"
	behind    = " AND (created_at > $1 OR (created_at = $1 AND id > $2)) ORDER BY created_at, id LIMIT $3"
	// said counts what officers have proposed in this round.
	saidDeposit = `, (SELECT COUNT(*) FROM suspense_decision p WHERE p.partner_id = sepa_deposit.partner_id
		AND p.item_id = sepa_deposit.id AND p.round = sepa_deposit.returns)`
	saidEntry = `, (SELECT COUNT(*) FROM suspense_decision p WHERE p.partner_id = bank_entry.partner_id
		AND p.item_id = bank_entry.id AND p.round = ` + refusals + `)`
)

var (
	selectItemPartner = db.NewQuery(`
		SELECT partner_id FROM sepa_deposit WHERE id = $1 AND ` + suspended + `
		UNION SELECT partner_id FROM suspense_decision WHERE item_id = $1
		UNION SELECT partner_id FROM suspense_entry WHERE partner_id = 0 AND entry_id = $1
		UNION SELECT partner_id FROM bank_entry WHERE id = $1 AND ` + unknown)
	selectItemDeposit = db.NewQuery(`SELECT ` + itemColumns + ` FROM sepa_deposit WHERE partner_id = $1 AND id = $2`)
	selectItemEntry   = db.NewQuery(`SELECT ` + entryColumns + ` FROM bank_entry WHERE partner_id = $1 AND id = $2`)
	lockItemEntry     = db.NewQuery(`SELECT id FROM bank_entry WHERE partner_id = $1 AND id = $2 FOR UPDATE`)
	selectSaid        = db.NewQuery(`
		SELECT number, round, verdict, to_partner, to_owner, final, officer, proposed_by, reason, created_at FROM suspense_decision
		WHERE partner_id = $1 AND item_id = $2 ORDER BY number`)
	selectSuspended = db.NewQuery(`SELECT ` + itemColumns + saidDeposit + ` FROM sepa_deposit WHERE ` + suspended + behind)
	selectUnknown   = db.NewQuery(`SELECT ` + entryColumns + saidEntry + ` FROM bank_entry WHERE ` + unknown + undecided + behind)
	selectAside     = db.NewQuery(`SELECT ` + entryColumns + saidEntry + ` FROM bank_entry WHERE ` + aside + undecided + behind)
	selectDecided   = db.NewQuery(`
		SELECT partner_id, item_id, created_at FROM suspense_decision
		WHERE final AND (created_at < $1 OR (created_at = $1 AND item_id < $2)) ORDER BY created_at DESC, item_id DESC LIMIT $3`)
	countSuspended = db.NewQuery(`SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM sepa_deposit WHERE partner_id >= 0 AND ` + suspended)
	countUnknown   = db.NewQuery(`SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM bank_entry WHERE ` + unknown + undecided)
	countAside     = db.NewQuery(`SELECT COUNT(*), COALESCE(MIN(created_at), 0) FROM bank_entry WHERE ` + aside + undecided)
)

// FindItem reads an item with its decisions. Officers do not say whose it is. The error wraps ErrNoItem.
func (s *Service) FindItem(r db.Reader, id clock.ID) (Item, error) {
	var partner int64
	err := r.Row(selectItemPartner, id).Scan(&partner)
	if errors.Is(err, db.ErrNoRows) {
		return Item{}, ErrNoItem
	}
	if err != nil {
		return Item{}, err
	}
	return s.readItem(r, partner, id)
}

func (s *Service) readItem(r db.Reader, partner int64, id clock.ID) (it Item, err error) {
	var status string
	if partner == ledger.Operator {
		it, err = s.scanEntry(r.Row(selectItemEntry, partner, id))
	} else {
		it, status, err = s.scanSuspended(r.Row(selectItemDeposit, partner, id))
	}
	if err != nil {
		return Item{}, err
	}
	if it.Decisions, err = s.said(r, partner, id); err != nil {
		return Item{}, err
	}
	last := len(it.Decisions) - 1
	decided := last >= 0 && it.Decisions[last].Final
	switch {
	case decided && it.Kind == ItemDeposit:
		decided = status != DepositSuspended
	case decided:
		decided = it.Decisions[last].Round == it.round
	}
	if decided {
		it.State = string(it.Decisions[last].Verdict)
		if status == DepositReturning || status == DepositReturned {
			it.Progress = status
		}
		return it, nil
	}
	it.Proposed = len(it.open()) > 0
	if it.Kind == ItemDeposit {
		it.Hindrance, err = hindranceOf(r, it.Partner, it.Owner)
	}
	return it, err
}

// hindranceOf tells why an owner may not receive money from outside now; empty when nothing is in the way.
func hindranceOf(r db.Reader, partner int64, owner clock.ID) (string, error) {
	to, err := recipient(r, partner, owner)
	if err != nil || to == nil || to.MayReceive(true) == nil {
		return "", err
	}
	return hindrance(*to), nil
}

func (s *Service) scanSuspended(row db.Scanner, more ...any) (it Item, status string, err error) {
	it = Item{Kind: ItemDeposit, State: ItemWaiting}
	var units int64
	var from payerRow
	into := append([]any{&it.Partner, &it.ID, &it.Owner, &units, &status, &it.Why, &it.Score, &it.round, &it.Since}, from.dest()...)
	if err = row.Scan(append(into, more...)...); err != nil {
		return it, status, err
	}
	p, err := s.openPayer(it.ID, from)
	it.Amount, it.Name, it.IBAN, it.Title = money.New(units, s.euro), p.Name, p.IBAN, p.Title
	return it, status, err
}

func (s *Service) scanEntry(row db.Scanner, more ...any) (Item, error) {
	it := Item{Partner: ledger.Operator, Kind: ItemCredit, State: ItemWaiting}
	var units int64
	var sealed []byte
	err := row.Scan(append([]any{&it.ID, &units, &it.Reference, &sealed, &it.Day, &it.Since, &it.round}, more...)...)
	if err != nil {
		return Item{}, err
	}
	text, err := s.vault.Open(entryPlace(it.ID), sealed)
	if err != nil {
		return Item{}, err
	}
	var d entryDetail
	if err := json.Unmarshal(text, &d); err != nil {
		return Item{}, err
	}
	other := d.Debtor
	it.Amount = money.New(units, s.euro)
	switch {
	case units < 0:
		it.Kind, it.Amount, other = ItemDebit, it.Amount.Neg(), d.Creditor
	case d.Returned: // its parties are those of the payment that came back
		it.Kind, other = ItemReturn, d.Creditor
	}
	it.Name, it.IBAN, it.Title, it.EndToEnd = other.Name, string(other.IBAN), d.Title, d.EndToEnd
	return it, nil
}

func (s *Service) said(r db.Reader, partner int64, id clock.ID) ([]Said, error) {
	rows := r.Rows(selectSaid, partner, id)
	defer rows.Close()
	var all []Said
	for rows.Next() {
		var d Said
		var verdict string
		var sealed []byte
		err := rows.Scan(&d.Number, &d.Round, &verdict, &d.ToPartner, &d.ToOwner, &d.Final, &d.Officer, &d.ProposedBy, &sealed, &d.At)
		if err != nil {
			return nil, err
		}
		text, err := s.vault.Open(saidPlace(id, d.Number), sealed)
		if err != nil {
			return nil, err
		}
		d.Verdict, d.Reason = compliance.Verdict(verdict), string(text)
		all = append(all, d)
	}
	return all, rows.Err()
}

// lockItem reads an item again and keeps others from deciding it, and from changing the deposit's owner, until the
// commit.
func (s *Service) lockItem(tx *db.Tx, it Item) (Item, error) {
	tx.Locked()
	if it.Kind != ItemDeposit {
		if err := tx.Row(lockItemEntry, it.Partner, it.ID).Scan(&it.ID); err != nil {
			return Item{}, err
		}
		return s.readItem(tx, it.Partner, it.ID)
	}
	if it.Owner != ledger.PartnerItself {
		_, err := user.LockByID(tx, it.Partner, it.Owner)
		if err != nil && !isDeleted(err) {
			return Item{}, err
		}
	}
	if _, err := s.scanDeposit(tx.Row(lockDeposit, it.Partner, it.ID), it.Partner); err != nil {
		return Item{}, err
	}
	return s.readItem(tx, it.Partner, it.ID)
}

// isDeleted tells that the owner of a deposit was deleted: nobody can change that any more, so there is nothing to lock.
func isDeleted(err error) bool {
	var known *fault.Error
	return errors.As(err, &known) && known.Code == fault.InvalidUser
}

// ItemFilter says which items to list.
type ItemFilter struct {
	Decided bool  // those that were decided, the newest decision first; otherwise those that wait, the oldest first
	After   *Item // go on behind this one: Since and ID, or of a decided one the time of the decision and ID
	Limit   int
}

// ListItems reads items of all partners, for officers: those that wait without their decisions.
func (s *Service) ListItems(r db.Reader, f ItemFilter) ([]Item, error) {
	if f.Decided {
		return s.decidedItems(r, f)
	}
	var at time.Time
	var id clock.ID
	if f.After != nil {
		at, id = f.After.Since, f.After.ID
	}
	var count int64
	items, err := readItems(r.Rows(selectSuspended, at, id, f.Limit), func(rows db.Scanner) (Item, error) {
		it, _, err := s.scanSuspended(rows, &count)
		it.Proposed = count > 0
		return it, err
	})
	if err != nil {
		return nil, err
	}
	for _, q := range []*db.Query{selectUnknown, selectAside} {
		entries, err := readItems(r.Rows(q, at, id, f.Limit), func(rows db.Scanner) (Item, error) {
			it, err := s.scanEntry(rows, &count)
			it.Proposed = count > 0
			return it, err
		})
		if err != nil {
			return nil, err
		}
		items = append(items, entries...)
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Or(a.Since.Compare(b.Since), bytes.Compare(a.ID[:], b.ID[:])) })
	items = items[:min(len(items), f.Limit)]
	for i, it := range items {
		if it.Kind != ItemDeposit {
			continue
		}
		if items[i].Hindrance, err = hindranceOf(r, it.Partner, it.Owner); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func readItems(rows *db.Rows, scan func(rows db.Scanner) (Item, error)) ([]Item, error) {
	defer rows.Close()
	var all []Item
	for rows.Next() {
		it, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	return all, rows.Err()
}

func (s *Service) decidedItems(r db.Reader, f ItemFilter) ([]Item, error) {
	at, id := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), clock.ID{}
	if f.After != nil {
		at, id = f.After.Since, f.After.ID
	}
	found, err := readItems(r.Rows(selectDecided, at, id, f.Limit), func(rows db.Scanner) (it Item, err error) {
		return it, rows.Scan(&it.Partner, &it.ID, &it.Since)
	})
	if err != nil {
		return nil, err
	}
	for i, it := range found {
		if found[i], err = s.readItem(r, it.Partner, it.ID); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// ItemsWaiting counts what waits for a decision and tells since when the oldest does.
func ItemsWaiting(r db.Reader) (waiting int64, oldest time.Time, err error) {
	for _, q := range []*db.Query{countSuspended, countUnknown, countAside} {
		var n int64
		var since time.Time
		if err := r.Row(q).Scan(&n, &since); err != nil {
			return 0, time.Time{}, err
		}
		waiting += n
		if n > 0 && (oldest.IsZero() || since.Before(oldest)) {
			oldest = since
		}
	}
	return waiting, oldest, nil
}
