package sepa

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/vault"
)

// The kinds of what the bank booked.
const (
	entryTransfer = "TRANSFER"  // a transfer of ours was debited
	entryReturn   = "RETURN"    // one came back
	entryDeposit  = "DEPOSIT"   // somebody paid in for an owner
	entrySentBack = "SENT_BACK" // a payment that we had sent back was debited
	entryUnknown  = "UNKNOWN"   // a person must look at it
)

var (
	insertEntry = db.NewInsert("bank_entry", `partner_id bigint, account text, reference text, part text, id uuid, kind text,
		amount bigint, target_partner bigint, object_id uuid, reason text, detail bytes, booked_on bigint, created_at bigint`)
	// selectKnown and selectBooked look up value by value: PostgreSQL, planning them before the table's first day was
	// analysed, would read all of it for a list.
	selectKnown = db.NewQuery(db.ListUnion(3, `SELECT reference, part, amount FROM bank_entry
		WHERE partner_id = $1 AND account = $2 AND reference = VALUE`))
	// selectSent finds transfers by their ids alone: the bank does not know of partners.
	selectSent = db.NewQuery(`SELECT t.partner_id, t.id, t.amount, t.status
		FROM sepa_batch_item i JOIN sepa_transfer t ON t.partner_id = i.partner_id AND t.id = i.transfer_id
		WHERE i.transfer_id IN (` + db.List(1) + `)`)
	selectEntryDetail  = db.NewQuery(`SELECT id, reference, amount, detail FROM bank_entry WHERE partner_id = $1 AND id = $2`)
	selectEntryDetails = db.NewQuery(db.ListUnion(2, `SELECT id, reference, amount, detail FROM bank_entry
		WHERE partner_id = $1 AND id = VALUE`))
	selectBooked = db.NewQuery(db.ListUnion(2, `SELECT object_id, kind FROM bank_entry
		WHERE partner_id = $1 AND kind <> '`+entryUnknown+`' AND object_id = VALUE`))
)

// Book takes payments that the bank has booked on the collective account. Each is booked once in the operator's
// book, however often it is told: against clearing when it is known whose it is, to be passed on to that partner,
// and else against the operator's suspense account, where a person must look at it. Many are booked in one
// transaction, with one job for each partner whose payments are among them.
func (s *Service) Book(ctx context.Context, entries []Entry) error {
	return sideBySide(ctx, entries, func(some []Entry) error {
		lines, err := s.lines(some)
		if err != nil {
			return err
		}
		return s.db.Update(ctx, func(tx *db.Tx) error { return s.bookLines(tx, lines) })
	})
}

// line is a payment on its way into the operator's book.
type line struct {
	Entry
	id     clock.ID // of its row
	detail []byte   // sealed: parties and remittance information
	kind   string
	target ref  // whose it is; nobody's if that is unknown
	waits  bool // it leaves suspense: a payment that was nobody's has been sent back
}

// entryDetail is the sealed part of what the bank booked.
type entryDetail struct {
	Debtor   Party  `json:"debtor"`
	Creditor Party  `json:"creditor"`
	Title    string `json:"title"`
	EndToEnd string `json:"endToEnd"`
	Ours     string `json:"ours,omitempty"`
	Returned bool   `json:"returned,omitempty"`
}

func entryPlace(id clock.ID) vault.Place {
	return vault.Place{Table: "bank_entry", Column: "detail", Row: id.String()}
}

// findEntry reads what the bank booked.
func (s *Service) findEntry(r db.Reader, id clock.ID) (Entry, entryDetail, error) {
	_, e, d, err := s.openEntry(r.Row(selectEntryDetail, ledger.Operator, id))
	return e, d, err
}

// findEntries is findEntry of many.
func (s *Service) findEntries(r db.Reader, ids []clock.ID) (map[clock.ID]Entry, map[clock.ID]entryDetail, error) {
	entries, details := make(map[clock.ID]Entry, len(ids)), make(map[clock.ID]entryDetail, len(ids))
	for _, args := range db.Lists(ids, ledger.Operator) {
		rows := r.Rows(selectEntryDetails, args...)
		for rows.Next() {
			id, e, d, err := s.openEntry(rows)
			if err != nil {
				rows.Close()
				return nil, nil, err
			}
			entries[id], details[id] = e, d
		}
		if err := rows.Err(); err != nil {
			return nil, nil, err
		}
	}
	return entries, details, nil
}

func (s *Service) openEntry(row db.Scanner) (id clock.ID, e Entry, d entryDetail, err error) {
	var units int64
	var sealed []byte
	if err := row.Scan(&id, &e.Reference, &units, &sealed); err != nil {
		return id, e, d, err
	}
	e.Amount = money.New(units, s.euro)
	text, err := s.vault.Open(entryPlace(id), sealed)
	if err != nil {
		return id, e, d, err
	}
	return id, e, d, json.Unmarshal(text, &d)
}

// operation names what was booked in the operator's book.
func (l line) operation() ledger.Operation {
	if l.kind == entryDeposit || l.kind == entrySentBack {
		return ledger.Operation{Type: DepositOperation, ID: l.id}
	}
	return ledger.Operation{Type: TransferOperation, ID: l.id}
}

// lines prepares what needs no transaction. The ids of lines that are booked together follow one another, so that
// the id of the first names them all.
func (s *Service) lines(entries []Entry) ([]line, error) {
	all := make([]line, len(entries))
	first := firstOf(clock.NewID())
	for i, e := range entries {
		l := line{Entry: e, id: nth(first, i)}
		detail, err := json.Marshal(entryDetail{e.Debtor, e.Creditor, e.Title, e.EndToEnd, e.Ours, e.Returned})
		if err != nil {
			return nil, err
		}
		l.detail, err = s.vault.Seal(entryPlace(l.id), detail)
		if err != nil {
			return nil, err
		}
		all[i] = l
	}
	return all, nil
}

// lineBits are the last bits of the ids of lines: they number those that are booked together.
const lineBits = 12

// firstOf makes an id the first of a row of ids.
func firstOf(id clock.ID) clock.ID { return nth(id, 0) }

// lastOf is the last id in the row of the given one.
func lastOf(id clock.ID) clock.ID { return nth(id, 1<<lineBits-1) }

func nth(id clock.ID, i int) clock.ID {
	const mask = 1<<lineBits - 1
	end := binary.BigEndian.Uint16(id[14:])
	binary.BigEndian.PutUint16(id[14:], end&^mask|uint16(i)&mask) //nolint:gosec // i is below 1 << lineBits
	return id
}

// bookLines books those of the lines that are not booked yet.
func (s *Service) bookLines(tx *db.Tx, lines []line) error {
	lines, err := fresh(tx, lines)
	if err != nil || len(lines) == 0 {
		return err
	}
	if err := s.classify(tx, lines); err != nil {
		return err
	}
	var accounts [3]clock.ID
	for i, purpose := range []ledger.Purpose{ledger.Bank, ledger.Clearing, ledger.Suspense} {
		if accounts[i], err = ledger.FindAccount(tx, ledger.Operator, ledger.PartnerItself, purpose, s.euro); err != nil {
			return err
		}
	}
	bank, clearing, suspense := accounts[0], accounts[1], accounts[2]
	now := s.clock.Now()
	var partners []int64
	for _, l := range lines {
		other := clearing
		if l.kind == entryUnknown || l.waits {
			other = suspense
		} else if !slices.Contains(partners, l.target.partner) {
			partners = append(partners, l.target.partner)
		}
		tx.Write(insertEntry, ledger.Operator, string(l.Account), l.Reference, l.Part, l.id, l.kind, l.Amount.Units(),
			l.target.partner, l.target.id, l.Reason, l.detail, l.Day, now)
		leg := ledger.Leg{Name: "amount", Debit: bank, Credit: other, Amount: l.Amount}
		if l.Amount.Sign() < 0 {
			leg.Debit, leg.Credit, leg.Amount = other, bank, l.Amount.Neg()
		}
		ledger.Post(tx, ledger.Operator, l.operation(), now, leg)
	}
	for _, partner := range partners {
		job.Enqueue(tx, partner, applyEntries, firstOf(lines[0].id), now)
	}
	tx.AfterCommit(s.jobs.Wake)
	return nil
}

// lineKey is what a bank knows a payment by.
type lineKey struct{ account, reference, part string }

func (l line) key() lineKey { return lineKey{string(l.Account), l.Reference, l.Part} }

// fresh leaves out what is booked already, what is told twice, batches whose payments are told elsewhere, and lines that
// move nothing: there is nothing to post.
func fresh(r db.Reader, lines []line) ([]line, error) {
	known := map[lineKey]int64{}
	references := map[string][]string{}
	for _, l := range lines {
		references[string(l.Account)] = append(references[string(l.Account)], l.Reference)
	}
	for account, some := range references {
		if err := findKnown(r, known, account, some); err != nil {
			return nil, err
		}
	}
	whole := sums(known)
	var left []line
	for _, l := range lines {
		if _, told := known[l.key()]; !told && l.Batch == 0 && !l.Amount.IsZero() && !l.toldOtherwise(whole) {
			known[l.key()] = l.Amount.Units()
			left = append(left, l)
		}
	}
	return left, nil
}

// findKnown adds what is booked of some entries.
func findKnown(r db.Reader, known map[lineKey]int64, account string, references []string) error {
	slices.Sort(references)
	for _, args := range db.Lists(slices.Compact(references), ledger.Operator, account) {
		rows := r.Rows(selectKnown, args...)
		for rows.Next() {
			k := lineKey{account: account}
			var units int64
			if err := rows.Scan(&k.reference, &k.part, &units); err != nil {
				return err
			}
			known[k] = units
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// classify tells what each line is, and whose.
func (s *Service) classify(r db.Reader, lines []line) error {
	var ids []clock.ID
	for _, l := range lines {
		if id, ok := transferID(l.EndToEnd); ok {
			ids = append(ids, id)
		}
	}
	sent, err := findSent(r, ids)
	if err != nil {
		return err
	}
	booked, err := findBooked(r, ids)
	if err != nil {
		return err
	}
	var credits []Entry
	var at []int // the credits' places among the lines
	for i := range lines {
		l := &lines[i]
		l.kind, l.target = entryUnknown, ref{}
		id, _ := transferID(l.EndToEnd)
		if t, ours := sent[id]; ours {
			key := bookedKey{id, t.kindOf(l.Entry)}
			if key.kind != entryUnknown && !booked[key] {
				booked[key] = true
				l.kind, l.target = key.kind, ref{t.partner, id}
			}
			if key.kind != entryUnknown {
				continue
			}
		}
		switch {
		case l.Amount.Sign() < 0:
			if err := s.classifySentBack(r, l, booked); err != nil {
				return err
			}
		case !l.Returned:
			credits, at = append(credits, l.Entry), append(at, i)
		}
	}
	owners, err := beneficiaries(r, credits)
	if err != nil {
		return err
	}
	for i, to := range owners {
		l := &lines[at[i]]
		l.kind, l.target = entryDeposit, ref{to.partner, DepositID(l.Entry)}
	}
	return nil
}

func (s *Service) classifySentBack(r db.Reader, l *line, booked map[bookedKey]bool) error {
	id, ok := transferID(l.Ours)
	if !ok || booked[bookedKey{id, entrySentBack}] {
		return nil
	}
	g, ok, err := s.findReturn(r, id)
	if err != nil || !ok || l.Amount != g.amount.Neg() {
		return err
	}
	var refused int64
	if err := r.Row(countRefusals, ledger.Operator, id).Scan(&refused); err != nil || refused > 0 {
		return err
	}
	earlier, err := findBooked(r, []clock.ID{id})
	if err != nil || len(earlier) > 0 {
		return err
	}
	booked[bookedKey{id, entrySentBack}] = true
	l.kind, l.target, l.waits = entrySentBack, ref{g.deposit.partner, id}, g.deposit == (ref{})
	return nil
}

// sent is what a transfer that the bank has got is to what the bank books.
type sent struct {
	partner int64
	units   int64
	status  string
}

// kindOf tells what a booked payment is to the transfer that it names. What does not fit, a debit of another amount,
// say, is for a person; so is what comes a second time.
func (t sent) kindOf(e Entry) string {
	switch {
	case t.status == TransferFailed:
	case e.Amount.Units() == -t.units:
		return entryTransfer
	case e.Returned && e.Amount.Sign() > 0 && e.Amount.Units() <= t.units:
		return entryReturn
	}
	return entryUnknown
}

func findSent(r db.Reader, ids []clock.ID) (map[clock.ID]sent, error) {
	all := make(map[clock.ID]sent, len(ids))
	for _, args := range db.Lists(ids) {
		rows := r.Rows(selectSent, args...)
		for rows.Next() {
			var id clock.ID
			var t sent
			if err := rows.Scan(&t.partner, &id, &t.units, &t.status); err != nil {
				return nil, err
			}
			all[id] = t
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// bookedKey is what can be booked of an object once.
type bookedKey struct {
	id   clock.ID
	kind string
}

func findBooked(r db.Reader, ids []clock.ID) (map[bookedKey]bool, error) {
	all := make(map[bookedKey]bool, len(ids))
	for _, args := range db.Lists(ids, ledger.Operator) {
		rows := r.Rows(selectBooked, args...)
		for rows.Next() {
			var k bookedKey
			if err := rows.Scan(&k.id, &k.kind); err != nil {
				return nil, err
			}
			all[k] = true
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}
