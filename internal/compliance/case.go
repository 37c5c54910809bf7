package compliance

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// State is where a case stands.
type State string

// The states of cases.
const (
	Open           State = "OPEN"
	ClosedOK       State = State(OK)
	ClosedRejected State = State(Rejected)
)

// Case is a user whom an officer must look at.
type Case struct {
	Partner   int64
	ID        clock.ID
	User      clock.ID
	State     State
	Froze     bool // opening it froze the user
	OpenedAt  time.Time
	ClosedAt  time.Time // zero while open
	Score     int64     // the highest of its findings
	Found     int64     // the number of its newest screening; 0 when an earlier program stored none
	FoundAt   time.Time // when that was
	Findings  []Screening
	Decisions []Decided
}

// Screening is what one screening found.
type Screening struct {
	Number      int64
	Cause       Cause
	ListVersion string
	At          time.Time
	Names       []Name    // as they were screened
	BirthDate   string    // as it was screened
	Countries   Countries // as they were screened
	Findings    []Finding
	Erased      bool // the personal data were erased: names and findings are gone
}

// Decided is what an officer said.
type Decided struct {
	Number     int64
	Verdict    Verdict
	Final      bool
	Officer    string
	ProposedBy string // of a confirmation
	Reason     string
	At         time.Time
}

// Proposal is the verdict that waits for another officer's confirmation, if there is one.
func (c Case) Proposal() (Decided, bool) {
	said := c.standing()
	if c.State != Open || len(said) == 0 {
		return Decided{}, false
	}
	return said[len(said)-1], true
}

// Void tells whether a decision of the case counts no more, since something was found after it.
func (c Case) Void(d Decided) bool { return d.At.Before(c.FoundAt) }

// standing are the decisions on all that was found.
func (c Case) standing() []Decided {
	return slices.DeleteFunc(slices.Clone(c.Decisions), c.Void)
}

// found is the sealed part of a screening.
type found struct {
	Names     []Name    `json:"names"`
	BirthDate string    `json:"birthDate,omitempty"`
	Countries Countries `json:"countries"`
	Findings  []Finding `json:"findings"`
}

var (
	insertCase = db.NewInsert("compliance_case", `partner_id bigint, id uuid, user_id uuid, state text, froze boolean,
		opened_at bigint, closed_at bigint`)
	insertFinding = db.NewInsert("compliance_finding", `partner_id bigint, case_id uuid, number bigint, user_id uuid,
		cause text, score bigint, list_version text, found bytes, created_at bigint`)
	insertHit = db.NewInsert("compliance_hit", `partner_id bigint, user_id uuid, case_id uuid, number bigint, ref text,
		score bigint`)
	lockOpenCase = db.NewQuery(`
		SELECT id, froze FROM compliance_case WHERE partner_id = $1 AND user_id = $2 AND state = 'OPEN' FOR UPDATE`)
	setFroze     = db.NewCommand(`UPDATE compliance_case SET froze = TRUE WHERE partner_id = $1 AND id = $2`)
	selectNewest = db.NewQuery(`
		SELECT COALESCE(MAX(number), 0), COALESCE(MAX(created_at), 0) FROM compliance_finding WHERE partner_id = $1 AND case_id = $2`)
	selectSaid  = db.NewQuery(`SELECT COALESCE(MAX(created_at), 0) FROM compliance_decision WHERE partner_id = $1 AND case_id = $2`)
	selectKnown = db.NewQuery(`
		SELECT h.ref, h.score, c.state FROM compliance_hit h
		JOIN compliance_case c ON c.partner_id = h.partner_id AND c.id = h.case_id
		WHERE h.partner_id = $1 AND h.user_id = $2 ORDER BY c.opened_at, h.case_id, h.number`)
	eraseFound = db.NewCommand(`UPDATE compliance_finding SET found = $3 WHERE partner_id = $1 AND user_id = $2`)
)

// OpenCase puts a user under review, or adds to the review under way, and answers the case's id. The
// transaction becomes a locked one. Call it when the user's row is locked already.
func (s *Service) OpenCase(tx *db.Tx, sub Subject, cause Cause, r Result) (clock.ID, error) {
	return s.open(tx, sub, cause, r, false)
}

// Stop is OpenCase for a user who could use the account otherwise: the user is frozen in the same transaction. An OK
// lifts that, unless a person froze the user, before or since.
func (s *Service) Stop(tx *db.Tx, sub Subject, cause Cause, r Result) (clock.ID, error) {
	return s.open(tx, sub, cause, r, true)
}

func (s *Service) open(tx *db.Tx, sub Subject, cause Cause, r Result, freeze bool) (id clock.ID, err error) {
	if !r.Flagged() {
		return clock.ID{}, errors.New("compliance: a case without a finding")
	}
	tx.Locked()
	id, action, froze := clock.NewID(), "case.add", false
	err = tx.Row(lockOpenCase, sub.Partner, sub.User).Scan(&id, &froze)
	fresh := errors.Is(err, db.ErrNoRows)
	if err != nil && !fresh {
		return clock.ID{}, err
	}
	changed := false
	if freeze {
		if changed, err = s.freezer.Freeze(tx, sub.Partner, sub.User); err != nil {
			return clock.ID{}, err
		}
	}
	switch {
	case fresh:
		action = "case.open"
		tx.Write(insertCase, sub.Partner, id, sub.User, string(Open), changed, s.Clock.Now(), time.Time{})
	case changed:
		tx.Write(setFroze, sub.Partner, id)
	}
	number, err := s.writeFinding(tx, id, sub, cause, r)
	if err != nil {
		return clock.ID{}, err
	}
	return id, audit.Write(tx, audit.Entry{
		Actor: audit.System, Action: action, Partner: sub.Partner, Object: id.String(), Details: map[string]any{
			"user": sub.User.String(), "cause": string(cause), "finding": number, "score": r.Score(),
			"kinds": kinds(r.Findings), "lists": r.ListVersion, "froze": changed,
		},
	})
}

func (s *Service) writeFinding(tx *db.Tx, id clock.ID, sub Subject, cause Cause, r Result) (number int64, err error) {
	var newest, said time.Time
	if err := tx.Row(selectNewest, sub.Partner, id).Scan(&number, &newest); err != nil {
		return 0, err
	}
	if err := tx.Row(selectSaid, sub.Partner, id).Scan(&said); err != nil {
		return 0, err
	}
	number++
	at := s.Clock.Now()
	if !at.After(said) { // by its time it voids the proposal, which may be another node's, whose clock is ahead
		at = said.Add(time.Microsecond)
	}
	text, err := json.Marshal(found{sub.Names, sub.BirthDate, sub.Countries, r.Findings})
	if err != nil {
		return 0, err
	}
	sealed, err := s.Vault.Seal(foundPlace(id, number), text)
	if err != nil {
		return 0, err
	}
	tx.Write(insertFinding, sub.Partner, id, number, sub.User, string(cause), r.Score(), r.ListVersion, sealed, at)
	scores := map[string]int64{}
	for _, f := range r.Findings {
		scores[f.Ref] = max(scores[f.Ref], f.Score)
	}
	for ref, score := range scores {
		tx.Write(insertHit, sub.Partner, sub.User, id, number, ref, score)
	}
	return number, nil
}

func foundPlace(id clock.ID, number int64) vault.Place {
	return vault.Place{Table: "compliance_finding", Column: "found", Row: fmt.Sprintf("%s/%d", id, number)}
}

// kinds are the sorts of things that were found, each once.
func kinds(findings []Finding) []string {
	var all []string
	for _, f := range findings {
		if !slices.Contains(all, string(f.Kind)) {
			all = append(all, string(f.Kind))
		}
	}
	return all
}

// unknown leaves out of a result what an officer has seen and accepted already, or is looking at, unless it has
// become surer since. What led to a rejection counts again.
func unknown(r db.Reader, sub Subject, res Result) (Result, error) {
	rows := r.Rows(selectKnown, sub.Partner, sub.User)
	defer rows.Close()
	known := map[string]int64{}
	for rows.Next() {
		var ref, state string
		var score int64
		if err := rows.Scan(&ref, &score, &state); err != nil {
			return Result{}, err
		}
		if State(state) == ClosedRejected {
			delete(known, ref)
		} else {
			known[ref] = max(known[ref], score)
		}
	}
	if err := rows.Err(); err != nil {
		return Result{}, err
	}
	res.Findings = slices.DeleteFunc(slices.Clone(res.Findings), func(f Finding) bool {
		score, ok := known[f.Ref]
		return ok && score >= f.Score
	})
	return res, nil
}

// Forget erases what the cases of a user say about the person, and by what the person is recognised. The
// cases, their scores and their decisions stay.
func Forget(tx *db.Tx, partner int64, user clock.ID) {
	tx.Write(eraseFound, partner, user, []byte{})
	tx.Write(deleteKeys, partner, user)
}
