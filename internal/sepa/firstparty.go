package sepa

import (
	"errors"

	"kontor/internal/db"
	"kontor/internal/namecheck"
)

// Owners tells how the names of a partner's deposits are judged.
type Owners interface {
	NameRule(r db.Reader, partner int64) (NameRule, error)
}

// NameRule is how the names of a partner's deposits are judged. Scores are in thousandths.
type NameRule struct {
	Company string // the partner's legal name; empty: it has none yet
	Accept  int64  // from here on the sender is the owner
	Reject  int64  // below, the sender is somebody else; between the two a person decides
}

// What the comparison of names says.
const (
	nameSame   = "SAME"
	nameOther  = "OTHER"
	nameUnsure = "UNSURE"
)

// verdict is what the comparison of a deposit's names says.
type verdict struct {
	answer string
	score  int64
}

// check compares the sender's name with the owner's: a user's as an identity check established it, a partner's legal
// name. Where the owner's name is not known, a person decides.
func (s *Service) check(r db.Reader, d Deposit) (verdict, error) {
	rule, err := s.owners.NameRule(r, d.Partner)
	if err != nil {
		return verdict{}, err
	}
	to, err := recipient(r, d.Partner, d.Owner)
	if err != nil {
		return verdict{}, err
	}
	if to == nil {
		if rule.Company == "" {
			return verdict{answer: nameUnsure}, nil
		}
		return rule.judge(namecheck.Company(rule.Company, d.SenderName)), nil
	}
	known, found, err := s.users.FindEstablished(r, *to)
	if errors.Is(err, db.ErrNoRows) { // those of deleted users are erased
		found, err = false, nil
	}
	if err != nil || !found {
		return verdict{answer: nameUnsure}, err
	}
	return rule.judge(namecheck.Person(known.FirstName, known.LastName, d.SenderName)), nil
}

func (n NameRule) judge(score int64) verdict {
	switch {
	case score >= n.Accept:
		return verdict{nameSame, score}
	case score < n.Reject:
		return verdict{nameOther, score}
	}
	return verdict{nameUnsure, score}
}
