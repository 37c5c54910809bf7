package compliance

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"kontor/internal/clock"
	"kontor/internal/db"
)

const caseColumns = `c.partner_id, c.id, c.user_id, c.state, c.froze, c.opened_at, c.closed_at`

const caseScore = `, (SELECT COALESCE(MAX(f.score), 0) FROM compliance_finding f WHERE f.partner_id = c.partner_id AND f.case_id = c.id)`

var (
	selectPartner  = db.NewQuery(`SELECT partner_id FROM compliance_case WHERE id = $1`)
	selectCase     = db.NewQuery(`SELECT ` + caseColumns + caseScore + ` FROM compliance_case c WHERE c.partner_id = $1 AND c.id = $2`)
	selectFindings = db.NewQuery(`
		SELECT number, cause, list_version, found, created_at FROM compliance_finding
		WHERE partner_id = $1 AND case_id = $2 ORDER BY number`)
	selectDecisions = db.NewQuery(`
		SELECT number, verdict, final, officer, proposed_by, reason, created_at FROM compliance_decision
		WHERE partner_id = $1 AND case_id = $2 ORDER BY number`)
	selectWaiting = db.NewQuery(`
		SELECT ` + caseColumns + caseScore + ` FROM compliance_case c
		WHERE c.state = 'OPEN' AND (CAST($1 AS BIGINT) < 0 OR c.partner_id = $1)
			AND (c.opened_at > $2 OR (c.opened_at = $2 AND c.id > $3))
		ORDER BY c.opened_at, c.id LIMIT $4`)
	selectCases = db.NewQuery(`
		SELECT ` + caseColumns + caseScore + ` FROM compliance_case c
		WHERE (CAST($1 AS BIGINT) < 0 OR c.partner_id = $1) AND (c.opened_at < $2 OR (c.opened_at = $2 AND c.id < $3))
		ORDER BY c.opened_at DESC, c.id DESC LIMIT $4`)
	selectUsersCases = db.NewQuery(`
		SELECT ` + caseColumns + caseScore + ` FROM compliance_case c
		WHERE c.partner_id = $1 AND c.user_id = $2 ORDER BY c.opened_at DESC, c.id DESC LIMIT 100`)
	countOpen = db.NewQuery(`SELECT COUNT(*), COALESCE(MIN(opened_at), 0) FROM compliance_case WHERE state = 'OPEN' AND partner_id >= 0`)
)

// Filter says which cases to list.
type Filter struct {
	Partner int64 // below zero: all partners'
	Open    bool  // only those that wait, the longest waiting first; otherwise all, the newest first
	After   *Case // go on behind this one
	Limit   int
}

// List reads cases without their findings and decisions, for officers.
func List(r db.Reader, f Filter) ([]Case, error) {
	query, at, id := selectWaiting, time.Time{}, clock.ID{}
	if !f.Open {
		query, at = selectCases, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if f.After != nil {
		at, id = f.After.OpenedAt, f.After.ID
	}
	return scanCases(r.Rows(query, f.Partner, at, id, f.Limit))
}

// ListOfUser reads the newest cases of a user, without their findings and decisions.
func ListOfUser(r db.Reader, partner int64, user clock.ID) ([]Case, error) {
	return scanCases(r.Rows(selectUsersCases, partner, user))
}

func scanCases(rows *db.Rows) ([]Case, error) {
	defer rows.Close()
	var all []Case
	for rows.Next() {
		var score int64
		c, err := scanCase(rows, &score)
		if err != nil {
			return nil, err
		}
		c.Score = score
		all = append(all, c)
	}
	return all, rows.Err()
}

// Find reads a case with all that an officer needs. Officers do not say whose it is. The error wraps ErrNoCase
// when there is none.
func (s *Service) Find(r db.Reader, id clock.ID) (Case, error) {
	partner, err := partnerOf(r, id)
	if err != nil {
		return Case{}, err
	}
	var score int64
	c, err := scanCase(r.Row(selectCase, partner, id), &score)
	if err != nil {
		return Case{}, err
	}
	c.Score = score
	if c.Findings, err = s.findings(r, partner, id); err != nil {
		return Case{}, err
	}
	for _, f := range c.Findings {
		c.Found, c.FoundAt = f.Number, f.At
	}
	c.Decisions, err = s.decisions(r, partner, id)
	return c, err
}

func partnerOf(r db.Reader, id clock.ID) (partner int64, err error) {
	err = r.Row(selectPartner, id).Scan(&partner)
	if errors.Is(err, db.ErrNoRows) {
		return 0, ErrNoCase
	}
	return partner, err
}

func scanCase(row db.Scanner, more ...any) (c Case, err error) {
	var state string
	err = row.Scan(append([]any{&c.Partner, &c.ID, &c.User, &state, &c.Froze, &c.OpenedAt, &c.ClosedAt}, more...)...)
	c.State = State(state)
	if errors.Is(err, db.ErrNoRows) {
		return Case{}, ErrNoCase
	}
	return c, err
}

func (s *Service) findings(r db.Reader, partner int64, id clock.ID) ([]Screening, error) {
	rows := r.Rows(selectFindings, partner, id)
	defer rows.Close()
	var all []Screening
	for rows.Next() {
		var one Screening
		var cause string
		var sealed []byte
		if err := rows.Scan(&one.Number, &cause, &one.ListVersion, &sealed, &one.At); err != nil {
			return nil, err
		}
		text, err := s.Vault.Open(foundPlace(id, one.Number), sealed)
		if err != nil {
			return nil, err
		}
		var content found
		if one.Erased = len(text) == 0; !one.Erased {
			if err := json.Unmarshal(text, &content); err != nil {
				return nil, err
			}
		}
		one.Cause, one.Names, one.BirthDate = Cause(cause), content.Names, content.BirthDate
		one.Countries, one.Findings = content.Countries, content.Findings
		all = append(all, one)
	}
	return all, rows.Err()
}

func (s *Service) decisions(r db.Reader, partner int64, id clock.ID) ([]Decided, error) {
	rows := r.Rows(selectDecisions, partner, id)
	defer rows.Close()
	var all []Decided
	for rows.Next() {
		var d Decided
		var verdict string
		var sealed []byte
		if err := rows.Scan(&d.Number, &verdict, &d.Final, &d.Officer, &d.ProposedBy, &sealed, &d.At); err != nil {
			return nil, err
		}
		text, err := s.Vault.Open(reasonPlace(id, d.Number), sealed)
		if err != nil {
			return nil, err
		}
		d.Verdict, d.Reason = Verdict(verdict), string(text)
		all = append(all, d)
	}
	return all, rows.Err()
}

// Waiting counts the open cases of all partners and tells when the oldest was opened.
func Waiting(r db.Reader) (open int64, oldest time.Time, err error) {
	err = r.Row(countOpen).Scan(&open, &oldest)
	return open, oldest, err
}
