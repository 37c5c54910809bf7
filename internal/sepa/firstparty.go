package sepa

import (
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/ledger"
	"kontor/internal/namecheck"
	"kontor/internal/user"
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

// judge is what a comparison of names needs to know of one partner's deposits.
type judge struct {
	rule  NameRule
	names map[clock.ID]user.Name // of users, as identity checks established them
}

// judgeOf reads what is needed to judge deposits of a partner.
func (s *Service) judgeOf(r db.Reader, partner int64, deposits []Deposit) (judge, error) {
	rule, err := s.owners.NameRule(r, partner)
	if err != nil {
		return judge{}, err
	}
	names, err := user.FindNames(r, partner, ownersOf(deposits))
	return judge{rule, names}, err
}

// ownersOf are the users and the partner who get deposits, each once.
func ownersOf(deposits []Deposit) []clock.ID {
	var all []clock.ID
	seen := map[clock.ID]bool{}
	for _, d := range deposits {
		if !seen[d.Owner] {
			seen[d.Owner] = true
			all = append(all, d.Owner)
		}
	}
	return all
}

// check compares the sender's name with the owner's: a user's as an identity check established it, a partner's legal
// name. Where the owner's name is not known, because the data were erased, say, a person decides.
func (j judge) check(d Deposit) verdict {
	name, known := j.names[d.Owner]
	switch {
	case d.Owner == ledger.PartnerItself && j.rule.Company != "":
		return j.rule.judge(namecheck.Company(j.rule.Company, d.SenderName))
	case known:
		return j.rule.judge(namecheck.Person(name.First, name.Last, d.SenderName))
	}
	return verdict{answer: nameUnsure}
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
