package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/user"
)

// States of a proof of address.
const (
	proofWaiting    = "WAITING"
	proofApproved   = "APPROVED"
	proofRejected   = "REJECTED"
	proofQuestioned = "QUESTIONED"
)

// Proof is the review of a proof of address.
type Proof struct {
	Partner    int64
	ID         clock.ID
	User       clock.ID
	ExternalID string // of the user; only in the queue
	Status     string // WAITING, APPROVED, REJECTED or QUESTIONED
	Officer    string // who decided, as the audit log names people
	Reason     string
	CreatedAt  time.Time
	DecidedAt  time.Time
}

// The reasons why a decision on a proof is refused.
var (
	ErrNoProof      = errors.New("console: there is no such proof of address")
	ErrProofDecided = errors.New("console: the proof of address was decided already, or another upload took its place")
)

// Proofs are the proofs of address that wait for an officer.
type Proofs interface {
	// Waiting lists those that wait, of all partners, the oldest first.
	Waiting(r db.Reader, limit int) ([]Proof, error)
	// Find reads one; ErrNoProof.
	Find(r db.Reader, partner int64, id clock.ID) (Proof, error)
	// Decide records a decision and what follows from it; ErrNoProof, ErrProofDecided.
	Decide(ctx context.Context, partner int64, id clock.ID, actor, status, reason string) error
}

// maxReason is how long the reason of a decision on a proof may be, in characters.
const maxReason = 2000

// longestQueue is how many proofs the queue shows; of more, the first.
const longestQueue = 200

type proofList struct {
	Rows []Proof
	Now  time.Time
	Full bool

	Names []named
}

func (p Proof) path() string { return Root + "/poa/" + itoa(p.Partner) + "/" + p.ID.String() }

func (c *console) listProofs(w http.ResponseWriter, r *http.Request) error {
	partners, err := c.partners(r.Context())
	if err != nil {
		return err
	}
	l := proofList{Now: c.Clock.Now(), Names: partners}
	err = c.DB.View(r.Context(), func(rd db.Reader) (err error) {
		l.Rows, err = c.Proofs.Waiting(rd, longestQueue)
		return err
	})
	if err != nil {
		return err
	}
	l.Full = len(l.Rows) == longestQueue
	c.render(w, r, http.StatusOK, proofsPage(c.frame(r, "Proof of address", proofsSection), l))
	return nil
}

// proofView is what the page of a proof shows.
type proofView struct {
	Proof Proof
	profile
	Documents []Document
	MayDecide bool
	Typed     string // the reason, when the decision was refused
}

// open tells whether the proof can be decided.
func (v proofView) open() bool {
	return v.Proof.Status == proofWaiting || v.Proof.Status == proofQuestioned
}

func (c *console) showProof(w http.ResponseWriter, r *http.Request) error {
	return c.proofAgain(w, r, http.StatusOK, "", "")
}

func proofOf(r *http.Request) (partner int64, id clock.ID, err error) {
	if partner, err = strconv.ParseInt(chi.URLParam(r, "partner"), 10, 64); err != nil {
		return 0, id, errNotFound
	}
	if id, err = clock.ParseID(chi.URLParam(r, "proof")); err != nil {
		return 0, id, errNotFound
	}
	return partner, id, nil
}

// proofAgain shows a proof, with what was wrong with a decision, and its reason as it was typed.
func (c *console) proofAgain(w http.ResponseWriter, r *http.Request, status int, why, reason string) error {
	partner, id, err := proofOf(r)
	if err != nil {
		return err
	}
	partners, err := c.partners(r.Context())
	if err != nil {
		return err
	}
	v := proofView{Typed: reason, MayDecide: officer(r).May(Decide)}
	err = c.DB.Snapshot(r.Context(), func(rd db.Reader) (err error) {
		if v.Proof, err = c.Proofs.Find(rd, partner, id); err != nil {
			return err
		}
		u, err := user.FindByID(rd, partner, v.Proof.User)
		if err != nil {
			return err
		}
		v.profile = profile{User: u, PartnerName: nameOf(partners, partner)}
		if err := c.fillPerson(rd, &v.profile); err != nil || !officer(r).May(ReadDocuments) {
			return err
		}
		all, err := c.Documents.Files(rd, partner, u.ID)
		v.Documents = nil
		for _, d := range all {
			if d.Check == id {
				v.Documents = append(v.Documents, d)
			}
		}
		return err
	})
	if errors.Is(err, ErrNoProof) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	f := c.frame(r, "Proof of address of "+v.title(), proofsSection)
	if f.problem = why; why != "" {
		f.done = ""
	}
	c.render(w, r, status, proofPage(f, v))
	return nil
}

// decideProof records a decision on a proof of address.
func (c *console) decideProof(w http.ResponseWriter, r *http.Request) error {
	if err := form(r); err != nil {
		return err
	}
	partner, id, err := proofOf(r)
	if err != nil {
		return err
	}
	verdict, reason := r.PostForm.Get("verdict"), strings.TrimSpace(reasonOf(r))
	n := utf8.RuneCountInString(reason)
	if verdict != proofApproved && verdict != proofRejected && verdict != proofQuestioned || n == 0 || n > maxReason || !utf8.ValidString(reason) {
		return c.proofAgain(w, r, http.StatusBadRequest, "Choose a decision, and give a reason of at most 2,000 characters.", reason)
	}
	err = c.Proofs.Decide(r.Context(), partner, id, officer(r).Actor(), verdict, reason)
	if errors.Is(err, ErrProofDecided) {
		if same, err := c.proofSaid(r, partner, id, verdict, reason); err != nil || same {
			return led(w, r, Proof{Partner: partner, ID: id}.path(), stored(true), err)
		}
	}
	switch {
	case errors.Is(err, ErrNoProof):
		return errNotFound
	case errors.Is(err, ErrProofDecided):
		return c.proofAgain(w, r, http.StatusConflict, "This proof was decided already, or another upload took its place. What you wrote was not stored.", reason)
	case err != nil:
		return err
	}
	return led(w, r, Proof{Partner: partner, ID: id}.path(), stored(true), nil)
}
