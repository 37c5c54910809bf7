package identity

import (
	"errors"
	"reflect"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
	"kontor/internal/user"
)

var (
	errPagesURL = errors.New("identity: the base of the hosted pages' addresses must be an http or https URL without a query")
	errNoEuro   = errors.New("identity: the catalogue has no eur")
)

// Case is all that a check judges.
type Case struct {
	Partner   int64
	User      clock.ID
	Attempt   clock.ID
	Method    string
	Claims    Claims
	Person    user.Person // as the partner told it
	Documents []Document
	Today     time.Time
	Accepted  bool // an officer accepted this attempt before
	Staged    bool // the sandbox supplies the documents
}

// Outcome is how a check ended: Rejected with a reason, or Successful.
type Outcome struct {
	Status  string
	Reason  string
	Review  bool // accepted, but a person must look: flagged high risk
	Expired bool // accepted, but the document expired the day before, whatever was declared
	Read    Read // what the document itself says
}

// Read is what a check read from the document itself; what it could not read is empty.
type Read struct {
	DocumentNumber string
	IssueCountry   string // ISO 3166 alpha-2
	ExpiryDate     string // YYYY-MM-DD
	BirthDate      string // YYYY-MM-DD
}

// or fills what is empty from another reading.
func (r Read) or(other Read) Read {
	return Read{
		DocumentNumber: first(r.DocumentNumber, other.DocumentNumber), IssueCountry: first(r.IssueCountry, other.IssueCountry),
		ExpiryDate: first(r.ExpiryDate, other.ExpiryDate), BirthDate: first(r.BirthDate, other.BirthDate),
	}
}

// judged is a case with what was found about it.
type judged struct {
	c       Case
	outcome Outcome
	subject Subject
	finding Finding
}

// caseOf reads what there is to judge about an attempt.
func (s *Service) caseOf(r db.Reader, u user.User, a Attempt) (Case, error) {
	person, err := s.Users.FindPerson(r, u)
	if err != nil {
		return Case{}, err
	}
	c := Case{
		Partner: u.Partner, User: u.ID, Attempt: a.ID, Method: a.Method, Claims: a.Claims, Person: person, Today: s.today(),
		Accepted: a.Flagged && a.Status == Successful,
	}
	if s.Documents != nil && a.exists() {
		c.Documents, err = s.Documents.List(r, u.Partner, u.ID, a.ID)
	}
	return c, err
}

// today is the day in UTC.
func (s *Service) today() time.Time { return s.Clock.Now().UTC().Truncate(24 * time.Hour) }

// judge checks a case, and screens whom the check accepts.
func (s *Service) judge(r db.Reader, c Case, check func(Case) (Outcome, error)) (judged, error) {
	outcome, err := check(c)
	if err != nil {
		return judged{}, err
	}
	return s.screen(r, c, outcome)
}

// screen screens whom a check accepted. What a check wants a person to look at, nobody is asked twice about one attempt.
func (s *Service) screen(r db.Reader, c Case, outcome Outcome) (judged, error) {
	outcome.Review = outcome.Review && !c.Accepted
	j := judged{c: c, outcome: outcome}
	j.subject = Subject{
		Partner: c.Partner, User: c.User, Attempt: c.Attempt, Person: c.Person, Flagged: outcome.Review,
		DocumentType:   first(c.Claims.DocumentType, c.Person.DocumentType),
		DocumentNumber: first(outcome.Read.DocumentNumber, c.Claims.DocumentNumber, c.Person.DocumentNumber),
		IssueCountry:   first(outcome.Read.IssueCountry, c.Claims.IssueCountry),
	}
	if outcome.Status != Successful {
		return j, nil
	}
	j.finding.Hit = outcome.Review
	if s.Screener == nil {
		return j, nil
	}
	finding, err := s.Screener.Screen(r, j.subject)
	finding.Hit = finding.Hit || outcome.Review
	j.finding = finding
	return j, err
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// prepare looks at a user and the attempt that counts, and changes the attempt to what is to be judged, or
// replaces it by a new one, whose number is 0. It answers false when there is nothing to judge.
type prepare func(r db.Reader, u user.User, a *Attempt) (bool, error)

// settle judges the attempt of a user that counts, as far as prepare wants it, and records the outcome. The check
// and the screening run before the user is locked, and again only when something changed until then.
func (s *Service) settle(tx *db.Tx, partner int64, externalID string, check func(Case) (Outcome, error), p prepare) (Status, error) {
	u, err := user.Find(tx, partner, externalID)
	if err != nil {
		return Status{}, err
	}
	early, err := s.consider(tx, u, check, p, nil)
	if err != nil {
		return Status{}, err
	}
	if u, err = user.Lock(tx, partner, externalID); err != nil {
		return Status{}, err
	}
	now, err := s.consider(tx, u, check, p, early.judged)
	if err != nil || now.judged == nil {
		return Status{User: u, Attempt: now.attempt}, err
	}
	a := now.attempt
	if !a.exists() {
		if a, err = s.begin(tx, u, now.last, a); err != nil {
			return Status{}, err
		}
	}
	now.judged.subject.Attempt = a.ID
	if err := s.conclude(tx, &u, &a, *now.judged); err != nil {
		return Status{}, err
	}
	return Status{User: u, Attempt: a}, nil
}

// considered is an attempt with what was found about it; nil when there is nothing to judge.
type considered struct {
	last    Attempt // that is stored
	attempt Attempt
	judged  *judged
}

// consider judges the attempt that counts. What was judged before stands when the case is the same.
func (s *Service) consider(r db.Reader, u user.User, check func(Case) (Outcome, error), p prepare, before *judged) (considered, error) {
	last, err := s.latest(r, u)
	if err != nil {
		return considered{}, err
	}
	found := considered{last: last, attempt: last}
	if ready, err := p(r, u, &found.attempt); err != nil || !ready {
		return found, err
	}
	c, err := s.caseOf(r, u, found.attempt)
	if err != nil {
		return found, err
	}
	if before != nil && reflect.DeepEqual(before.c, c) {
		found.judged = before
		return found, nil
	}
	j, err := s.judge(r, c, check)
	found.judged = &j
	return found, err
}

// conclude records how the check of a locked user's attempt ended, with everything that follows.
func (s *Service) conclude(tx *db.Tx, u *user.User, a *Attempt, j judged) error {
	if s.Provider != nil && a.Method == Files && a.Status == Pending && j.outcome.Status == Successful {
		return s.handOver(tx, u, a)
	}
	before, known := a.Status, a.Claims.ExpiryDate != "" && a.Status == Successful
	a.Claims = a.Claims.with(Claims{ExpiryDate: j.outcome.Read.ExpiryDate})
	if j.outcome.Expired && !s.expired(*a) { // a date, so that it is not forgotten while an officer decides
		a.Claims.ExpiryDate = s.today().AddDate(0, 0, -1).Format(time.DateOnly)
	}
	switch {
	case j.outcome.Status == Rejected:
		s.refuse(u, a, j.outcome.Reason)
	case j.finding.Hit:
		a.Status, a.ManualReview, a.Flagged = InVerification, true, true
		unverify(u)
	default:
		a.Status, a.ManualReview = Successful, false
		if err := s.accept(tx, u, a); err != nil {
			return err
		}
	}
	if a.Status != InVerification {
		a.DecidedAt = s.Clock.Now()
	}
	if err := s.save(tx, *a); err != nil {
		return err
	}
	if a.Status != before || a.ManualReview {
		if err := s.tell(tx, u, *a); err != nil {
			return err
		}
	}
	if j.outcome.Status == Successful && s.Screener != nil {
		if err := s.Screener.Record(tx, j.subject, j.finding); err != nil {
			return err
		}
	}
	if j.outcome.Status == Successful && !known {
		s.watchExpiry(tx, *a)
	}
	if err := s.advance(tx, u, *a); err != nil {
		return err
	}
	if a.Status == Successful && s.expired(*a) {
		u.Verification = user.Expired
		if err := s.tell(tx, u, *a); err != nil {
			return err
		}
	}
	user.SaveState(tx, *u)
	return nil
}

// handOver has a provider judge the uploaded files of a locked user: nothing is seen against them here.
func (s *Service) handOver(tx *db.Tx, u *user.User, a *Attempt) error {
	a.Status = InVerification
	job.Enqueue(tx, a.Partner, checkJob, a.ID, s.Clock.Now())
	tx.AfterCommit(s.Jobs.Wake)
	if err := s.save(tx, *a); err != nil {
		return err
	}
	if err := s.tell(tx, u, *a); err != nil {
		return err
	}
	user.SaveState(tx, *u)
	return nil
}

// refuse ends an attempt of a locked user with a reason.
func (s *Service) refuse(u *user.User, a *Attempt, reason string) {
	a.Status, a.Reason, a.ManualReview, a.DecidedAt = Rejected, reason, false, s.Clock.Now()
	unverify(u)
}

// unverify takes back a verification. One that has expired stays so: money has been on the account.
func unverify(u *user.User) {
	if u.Verification == user.Verified {
		u.Verification = user.NotVerified
	}
}
