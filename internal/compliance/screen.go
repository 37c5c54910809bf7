package compliance

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"kontor/internal/clock"
	"kontor/internal/compliance/match"
	"kontor/internal/compliance/watchlist"
	"kontor/internal/db"
)

// Scores of findings that are no comparison of names.
const (
	certain      = 100
	countryScore = 60
	adult        = 18 // years
	mostTwins    = 20 // other users that one finding names
)

// Screen judges a person by what is in memory: lists, countries, age. It does no I/O, takes some milliseconds,
// and belongs outside of transactions. Without a list it answers that nobody could be screened.
func (s *Service) Screen(sub Subject) Result {
	l := s.lists.Load()
	r := Result{ListVersion: joinVersions(l.version, s.Risk.version()), Findings: s.listed(l, sub)}
	if len(l.sources) == 0 {
		r.Findings = append(r.Findings, Finding{Kind: NoList, Ref: "lists", Score: certain, Text: "No list was imported, so nobody could be screened."})
	}
	r.Findings = append(r.Findings, s.countries(sub)...)
	if born, err := time.Parse(time.DateOnly, sub.BirthDate); err == nil && born.AddDate(adult, 0, 0).After(s.Clock.Now()) {
		r.Findings = append(r.Findings, Finding{Kind: Underage, Ref: "age", Score: certain, Text: "The person is younger than 18 years."})
	}
	return r
}

// countries are the countries of high risk that a person has to do with, each once.
func (s *Service) countries(sub Subject) (found []Finding) {
	for _, c := range []struct{ what, code string }{
		{"residence", sub.Countries.Residence}, {"citizenship", sub.Countries.Citizenship}, {"nationality", sub.Countries.Nationality},
	} {
		ref := "country:" + c.code
		if c.code == "" || !s.HighRisk(c.code) || slices.ContainsFunc(found, func(f Finding) bool { return f.Ref == ref }) {
			continue
		}
		found = append(found, Finding{
			Kind: CountryRisk, Ref: ref, Score: countryScore, Text: fmt.Sprintf("The country of %s, %s, is one of high risk.", c.what, c.code),
		})
	}
	return found
}

// listed looks for a person on the lists.
func (s *Service) listed(l *lists, sub Subject) []Finding {
	p := match.Person{BirthDate: sub.BirthDate, Countries: sub.Countries.all()}
	for _, n := range sub.Names {
		p.Names = append(p.Names, n.whole())
		for _, drawn := range []Name{{match.Drawn(n.First), match.Drawn(n.Last)}, {match.Drawn(n.whole()), ""}} {
			if !slices.Contains(p.Names, drawn.whole()) {
				p.Names = append(p.Names, drawn.whole())
			}
		}
	}
	var all []Finding
	for _, h := range l.index.Search(p) {
		kind := Listed
		switch h.Kind {
		case watchlist.Sanction:
			kind = Sanction
		case watchlist.Political:
			kind = Political
		}
		all = append(all, Finding{
			Kind: kind, Ref: h.List + ":" + h.ID, Score: h.Score,
			Text: fmt.Sprintf("%s is like %s of the list %s.", h.Spelling, h.Matched, h.List),
			Match: &Match{
				List: h.List, Entity: h.ID, Name: h.Names[0], Matched: h.Matched, Spelling: h.Spelling, Aliases: slices.Concat(h.Names[1:], h.Weak),
				BirthDates: h.Births, Countries: h.Countries, Programmes: h.Programmes, Evidence: h.Evidence,
			},
		})
	}
	return all
}

func (n Name) whole() string { return strings.TrimSpace(n.First + " " + n.Last) }

func (c Countries) all() []string {
	return []string{c.Residence, c.Citizenship, c.Nationality, c.Birth}
}

var (
	selectTwins = db.NewQuery(`
		SELECT DISTINCT kind, partner_id, user_id FROM screening_key
		WHERE hash = $1 AND NOT (partner_id = $2 AND user_id = $3) LIMIT 20`)
	selectKey = db.NewQuery(`
		SELECT COALESCE(MAX(number), 0), COALESCE(MAX(CASE WHEN partner_id = $2 AND user_id = $3 THEN 1 ELSE 0 END), 0)
		FROM screening_key WHERE hash = $1`)
	insertKey  = db.NewInsert("screening_key", "hash text, number bigint, kind text, partner_id bigint, user_id uuid")
	deleteKeys = db.NewCommand(`DELETE FROM screening_key WHERE partner_id = $1 AND user_id = $2`)
)

// Check adds to a screening what the database knows: other users of the platform with the same document, or the
// same name and birth date. It leaves out what an officer has accepted of this user before, or is looking at.
func (s *Service) Check(r db.Reader, sub Subject, res Result) (Result, error) {
	keys, err := s.keys(sub)
	if err != nil {
		return Result{}, err
	}
	res.Findings, res.last = slices.Clone(res.Findings), map[string]int64{}
	for _, k := range keys {
		if res.last[k.hash], _, err = lastOf(r, k, sub); err != nil { // before its owners are read: who comes later is seen, or counted
			return Result{}, err
		}
		twins, err := twins(r, k, sub)
		if err != nil {
			return Result{}, err
		}
		res.Findings = append(res.Findings, twins...)
	}
	return unknown(r, sub, res)
}

// key is by what another user of the same person is recognised.
type key struct {
	hash string
	kind Kind
}

// keys are none where persons are invented: everybody is called Test User there.
func (s *Service) keys(sub Subject) ([]key, error) {
	if s.Sandbox {
		return nil, nil
	}
	var all []key
	for _, d := range sub.Documents {
		all = append(all, key{hex.EncodeToString(d), DuplicateDocument})
	}
	for _, n := range sub.Names {
		form := match.Form(n.whole())
		if form == "" || sub.BirthDate == "" {
			continue
		}
		hash, err := s.Vault.Hash("compliance-person", []byte(form), []byte(sub.BirthDate))
		if err != nil {
			return nil, err
		}
		if k := (key{hex.EncodeToString(hash), DuplicatePerson}); !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all, nil
}

func twins(r db.Reader, k key, sub Subject) ([]Finding, error) {
	rows := r.Rows(selectTwins, k.hash, sub.Partner, sub.User)
	defer rows.Close()
	var all []Finding
	for rows.Next() {
		var kind string
		var partner int64
		var user clock.ID
		if err := rows.Scan(&kind, &partner, &user); err != nil {
			return nil, err
		}
		what := "the same document"
		if k.kind == DuplicatePerson {
			what = "the same name and birth date"
		}
		all = append(all, Finding{
			Kind: k.kind, Ref: fmt.Sprintf("%s:%d:%s", strings.ToLower(string(k.kind)), partner, user), Score: certain,
			Text: fmt.Sprintf("User %s of partner %d has %s.", user, partner, what),
		})
	}
	return all[:min(len(all), mostTwins)], rows.Err()
}

// Remember keeps by what the person is recognised when another user comes with the same. checked is the answer of
// Check: when another one came since, the key is taken and the transaction runs again, so that of two at the same
// moment the later one sees the other. The transaction becomes a locked one.
func (s *Service) Remember(tx *db.Tx, sub Subject, checked Result) error {
	keys, err := s.keys(sub)
	if err != nil {
		return err
	}
	for _, k := range keys {
		tx.Locked()
		if _, known, err := lastOf(tx, k, sub); err != nil || known {
			if err != nil {
				return err
			}
			continue
		}
		tx.Write(insertKey, k.hash, checked.last[k.hash]+1, string(k.kind), sub.Partner, sub.User)
	}
	return nil
}

// lastOf reads the number of the user who came last with a key, 0 for nobody, and whether it is the subject's as well.
func lastOf(r db.Reader, k key, sub Subject) (last int64, known bool, err error) {
	var own int64
	err = r.Row(selectKey, k.hash, sub.Partner, sub.User).Scan(&last, &own)
	return last, own != 0, err
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
