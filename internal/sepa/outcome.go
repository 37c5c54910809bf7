package sepa

import (
	"context"
	"encoding/hex"
	"errors"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

var (
	selectInBatch = db.NewQuery(`SELECT partner_id, transfer_id FROM sepa_batch_item WHERE batch_id = $1`)
	selectPartner = db.NewQuery(`SELECT partner_id, transfer_id FROM sepa_batch_item WHERE transfer_id IN (` + db.List(1) + `)`)
)

// news is what the bank has said, or booked, of a transfer.
type news struct {
	id      clock.ID
	settled bool         // executed; otherwise refused
	reason  string       // why it was refused or came back: a code of ISO 20022's external list
	back    money.Amount // what came back; nothing unless above zero
	entry   booked       // if it was booked
}

// Report takes what the bank says of transfers. It can be told again: a transfer ends once. What is not ours is
// passed over.
func (s *Service) Report(ctx context.Context, statuses []Status) error {
	var ids []clock.ID
	for _, st := range statuses {
		if id, ok := transferID(st.EndToEnd); ok {
			ids = append(ids, id)
		}
	}
	partners := make(map[clock.ID]int64, len(ids))
	err := s.db.View(ctx, func(r db.Reader) error {
		for _, args := range db.Lists(ids) {
			refs, err := scanRefs(r.Rows(selectPartner, args...))
			if err != nil {
				return err
			}
			for _, t := range refs {
				partners[t.id] = t.partner
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	told := map[int64][]news{}
	for _, st := range statuses {
		id, _ := transferID(st.EndToEnd)
		if partner, ours := partners[id]; ours {
			told[partner] = append(told[partner], news{id: id, settled: st.Settled, reason: st.Reason})
		}
	}
	return s.takeEach(ctx, told)
}

// ReportBatch takes what the bank says of a whole message: a batch, or a return, which is done when it is debited.
func (s *Service) ReportBatch(ctx context.Context, message clock.ID, settled bool, reason string) error {
	var refs []ref
	var back giveBack
	var isReturn bool
	err := s.db.View(ctx, func(r db.Reader) (err error) {
		if back, isReturn, err = s.findReturn(r, message); err != nil || isReturn {
			return err
		}
		refs, err = scanRefs(r.Rows(selectInBatch, message))
		return err
	})
	switch {
	case err != nil:
		return err
	case isReturn && !settled:
		return s.refuseReturn(ctx, back, reason)
	case isReturn:
		return nil
	}
	told := map[int64][]news{}
	for _, t := range refs {
		told[t.partner] = append(told[t.partner], news{id: t.id, settled: settled, reason: reason})
	}
	return s.takeEach(ctx, told)
}

// takeEach takes what is new of several partners' transfers: each partner's books are changed by themselves.
func (s *Service) takeEach(ctx context.Context, told map[int64][]news) error {
	var failed []error
	for partner, some := range told {
		if err := s.takeAll(ctx, partner, some); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// transferID reads an end-to-end id; see EndToEnd.
func transferID(endToEnd string) (clock.ID, bool) {
	var id clock.ID
	if len(endToEnd) != hex.EncodedLen(len(id)) {
		return clock.ID{}, false
	}
	_, err := hex.Decode(id[:], []byte(endToEnd))
	return id, err == nil
}

// takeAll lets the transfers of a partner become what the bank has told of them, in the order in which it told.
func (s *Service) takeAll(ctx context.Context, partner int64, told []news) error {
	return together(ctx, told, func(some []news) error {
		var e *ending
		err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
			if e, err = s.readEnding(tx, partner, some); err != nil {
				return err
			}
			return e.take(tx, some)
		})
		if err != nil {
			return err
		}
		for _, entry := range e.unfit {
			if err := s.db.Update(ctx, func(tx *db.Tx) error { return s.setAside(tx, entry) }); err != nil {
				return err
			}
		}
		return nil
	})
}
