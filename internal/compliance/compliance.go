// Package compliance screens users and keeps the cases that officers decide.
//
// A screening compares a person with the lists of sanctions and of politically exposed persons, judges the
// countries and the age, and looks for other users with the same document or the same name and birth date.
// Screen works in memory and may be called anywhere; Check adds what the database knows. In the transaction that
// accepts an identity Remember keeps by what the person is recognised, and OpenCase or Stop takes up what was found. Decide records what officers say. What follows from a
// final decision is declared here as Outcome and done elsewhere, in the same transaction.
//
// Nothing here tells a partner more than "under review": findings are for the operator's officers.
package compliance

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"kontor/internal/clock"
	"kontor/internal/compliance/match"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// Name is one spelling of a person's name, in any script. A name that cannot be divided stands in Last alone.
type Name struct {
	First string `json:"first,omitempty"`
	Last  string `json:"last"`
}

// Countries are the countries that a person has to do with, as ISO 3166-1 alpha-2 codes; empty: unknown.
type Countries struct {
	Residence   string `json:"residence,omitempty"`
	Citizenship string `json:"citizenship,omitempty"`
	Nationality string `json:"nationality,omitempty"`
	Birth       string `json:"birth,omitempty"`
}

// Subject is who is screened.
type Subject struct {
	Partner   int64
	User      clock.ID
	Names     []Name // all known spellings: the profile's, and what the identity check established
	BirthDate string // YYYY-MM-DD; empty: unknown, which leaves the age unjudged
	Countries Countries
	Documents [][]byte // keyed hashes of identity documents: DocumentHash
}

// Kind is what sort of thing was found.
type Kind string

// The kinds of findings.
const (
	Sanction          Kind = "SANCTION"           // an entry of a list of sanctions
	Political         Kind = "PEP"                // a politically exposed person, or someone close to one
	Listed            Kind = "LISTED"             // an entry of a list for another reason
	CountryRisk       Kind = "COUNTRY_RISK"       // a country of high risk
	DuplicateDocument Kind = "DUPLICATE_DOCUMENT" // another user has the same document
	DuplicatePerson   Kind = "DUPLICATE_PERSON"   // another user has the same name and birth date
	Underage          Kind = "UNDERAGE"           // younger than 18 years
	NoList            Kind = "NO_LIST"            // no list was imported, so nobody could be screened
	ProfileChanged    Kind = "PROFILE_CHANGED"    // a verified user's name or birth date was changed
	Requested         Kind = "REQUESTED"          // a rail or the sandbox's caller asked for a review
)

// Finding is one thing that an officer must judge.
type Finding struct {
	Kind  Kind   `json:"kind"`
	Ref   string `json:"ref"`             // what was found, the same in every screening: "eu:13", "country:XX"
	Score int64  `json:"score"`           // how sure it is, from 0 to 100
	Text  string `json:"text"`            // for the officer, in one sentence
	Match *Match `json:"match,omitempty"` // the entry of a list
}

// Match tells which entry of a list was found, and why.
type Match struct {
	List       string   `json:"list"`
	Entity     string   `json:"entity"`   // the list's own id
	Name       string   `json:"name"`     // the entry's main name
	Matched    string   `json:"matched"`  // the spelling in the entry that fits best
	Spelling   string   `json:"spelling"` // the subject's spelling that it fits
	Aliases    []string `json:"aliases,omitempty"`
	BirthDates []string `json:"birthDates,omitempty"`
	Countries  []string `json:"countries,omitempty"`
	Programmes []string `json:"programmes,omitempty"`
	Evidence   []string `json:"evidence,omitempty"` // what speaks for it and against it
}

// Result is the outcome of a screening.
type Result struct {
	Findings    []Finding
	ListVersion string // the lists that were used: "eu 2026-03-01 0a1b2c3d4e5f; un …"

	last map[string]int64 // by key, the number of the user who came last with it, as Check saw it
}

// Flagged tells whether an officer must decide.
func (r Result) Flagged() bool { return len(r.Findings) > 0 }

// Score is the highest score of a finding; 0 when nothing was found.
func (r Result) Score() int64 {
	var highest int64
	for _, f := range r.Findings {
		highest = max(highest, f.Score)
	}
	return highest
}

// Verdict is what officers decide.
type Verdict string

// The verdicts.
const (
	OK       Verdict = "OK"
	Rejected Verdict = "REJECTED"
)

// Cause is why a user was screened.
type Cause string

// The causes of screenings.
const (
	Onboarding    Cause = "ONBOARDING"      // an identity was accepted, or a user without KYC was created
	Rescreening   Cause = "RESCREENING"     // a list has changed
	ProfileChange Cause = "PROFILE_CHANGED" // a verified user's name or birth date was changed
)

// Review is a final decision.
type Review struct {
	Partner int64
	User    clock.ID
	Case    clock.ID
	Causes  []Cause // why the case was opened, and what was added to it
	Verdict Verdict
}

// Outcome does what follows from a final decision, in the transaction that records it, which is a locked one
// (db.Tx.Locked). An error undoes the decision.
type Outcome interface {
	Reviewed(tx *db.Tx, r Review) error
}

// Freezer sets and lifts the operator's mark on a user. Freeze tells whether the mark was new: only then an OK
// lifts it. Unfreeze leaves a mark that a person has set since.
type Freezer interface {
	Freeze(tx *db.Tx, partner int64, user clock.ID) (changed bool, err error)
	Unfreeze(tx *db.Tx, partner int64, user clock.ID) error
}

// Config is what the service needs.
type Config struct {
	DB       *db.DB
	Vault    *vault.Vault
	Clock    clock.Clock
	Log      *slog.Logger
	FourEyes func(r db.Reader, partner int64) (bool, error) // the partner's setting
	HighRisk func(country string) bool                      // by ISO 3166-1 alpha-2 code
	Risk     RiskVersion                                    // of the countries that HighRisk knows
	Sandbox  bool                                           // invented persons are listed too, and two users may be the same person
}

// Service screens users and keeps cases. It is safe for concurrent use.
type Service struct {
	Config
	outcome    Outcome
	freezer    Freezer
	population Population
	lists      atomic.Pointer[lists]
	loading    sync.Mutex
}

// NewService makes the service. Before the first decision Join must have been called, and Load before the first
// screening: until then only the sandbox has a list.
func NewService(c Config) *Service {
	s := &Service{Config: c}
	var sources []Watchlist
	content := map[clock.ID][]match.Listed{}
	if c.Sandbox {
		own, invented := embedded()
		sources, content[own.ID] = []Watchlist{own}, invented
	}
	s.lists.Store(newLists(sources, content))
	return s
}

// Join names who does what follows from decisions and from hits of a re-screening, and who knows the users: parts
// that need the service themselves.
func (s *Service) Join(o Outcome, f Freezer, p Population) {
	s.outcome, s.freezer, s.population = o, f, p
}

// documentPurpose keeps hashes of documents apart from the vault's other hashes.
const documentPurpose = "compliance-document"

// DocumentHash is by which an identity document is recognised: a keyed hash of its type, the country that
// issued it (alpha-2) and its number. Spaces, hyphens and case in the number do not count.
func (s *Service) DocumentHash(kind, country, number string) ([]byte, error) {
	return s.Vault.Hash(documentPurpose, []byte(kind), []byte(country), []byte(plainNumber(number)))
}
