package compliance

import (
	"strings"
	"unicode"

	"kontor/internal/db"
)

// lists is what is screened against.
type lists struct {
	version string
}

// Screen judges a person by what is in memory: lists, countries, age. It does no I/O.
func (s *Service) Screen(sub Subject) Result {
	return Result{ListVersion: s.lists.Load().version}
}

// Judge finishes a screening in the transaction that accepts an identity: it looks for other users with the
// same document or the same name and birth date, leaves out what an officer has accepted before, and opens a
// case when something remains. Under review tells whether the user now waits for an officer. The transaction
// becomes a locked one; the user's row is locked already.
func (s *Service) Judge(tx *db.Tx, sub Subject, cause Cause, r Result) (underReview bool, err error) {
	tx.Locked()
	_, open, err := UnderReview(tx, sub.Partner, sub.User)
	if err != nil {
		return false, err
	}
	fresh, err := unknown(tx, sub, r)
	if err != nil {
		return false, err
	}
	if fresh.Flagged() {
		_, err = s.OpenCase(tx, sub, cause, fresh)
	}
	return open || fresh.Flagged(), err
}

// plainNumber is a document's number as two of them are compared.
func plainNumber(number string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, number)
}
