package sepa

import (
	"context"

	"kontor/internal/db"
)

// A bank may book several payments as one entry, a batch. It tells the payments in the same document or in another one,
// mostly in a camt.054 beside the camt.053 that has the batch, under the reference of the entry. Whichever comes first, the
// money is booked once, payment by payment:
//
//   - A batch that comes without its payments is not booked. Those that were told before are its, and what is left of it
//     stands in the reconciliation (Undetailed) until they come.
//   - What is told of an entry of which as much is booked as it amounts to is the same in other words.
//
// Payments that the bank tells under other references than that of the batch are not found to be its: the batch and they
// stand in the reconciliation side by side, and nothing is booked twice.

// entryKey is what a bank knows an entry by.
type entryKey struct{ account, reference string }

func sums(known map[lineKey]int64) map[entryKey]int64 {
	all := map[entryKey]int64{}
	for k, units := range known {
		all[entryKey{k.account, k.reference}] += units
	}
	return all
}

// toldOtherwise tells whether all of the entry that the payment is of was booked already, from other parts.
func (e Entry) toldOtherwise(booked map[entryKey]int64) bool {
	whole := e.Amount
	if !e.Whole.IsZero() {
		whole = e.Whole
	}
	units, known := booked[entryKey{string(e.Account), e.Reference}]
	return known && units == whole.Units()
}

// bare tells that nothing but the entry itself is known of a payment.
func (e Entry) bare() bool { return e.EndToEnd == "" && e.Debtor == Party{} && e.Creditor == Party{} }

// apartLines are the lines of a statement as they are kept: in the place of batches, and of payments that were told
// otherwise before, those that are booked of them; what is left of a batch stays a line.
func (s *Service) apartLines(ctx context.Context, st Statement) ([]Entry, error) {
	var references []string
	for _, l := range st.Lines {
		if l.Batch > 0 || !l.Whole.IsZero() || l.bare() {
			references = append(references, l.Reference)
		}
	}
	if len(references) == 0 {
		return st.Lines, nil
	}
	known := map[lineKey]int64{}
	err := s.db.View(ctx, func(r db.Reader) error {
		clear(known)
		return findKnown(r, known, string(st.Account), references)
	})
	if err != nil {
		return nil, err
	}
	booked, parts := sums(known), map[string][]lineKey{}
	for k := range known {
		parts[k.reference] = append(parts[k.reference], k)
	}
	var kept []Entry
	replaced := map[string]bool{}
	for _, l := range st.Lines {
		_, itself := known[lineKey{string(st.Account), l.Reference, l.Part}]
		if itself || l.Batch == 0 && !l.toldOtherwise(booked) {
			kept = append(kept, l)
			continue
		}
		if !replaced[l.Reference] {
			replaced[l.Reference] = true
			for _, k := range parts[l.Reference] {
				kept = append(kept, Entry{Account: st.Account, Reference: k.reference, Part: k.part, Amount: euros(known[k])})
			}
		}
		if left := l.Amount.Units() - booked[entryKey{string(st.Account), l.Reference}]; l.Batch > 0 && left != 0 {
			l.Amount = euros(left)
			kept = append(kept, l)
		}
	}
	return kept, nil
}
