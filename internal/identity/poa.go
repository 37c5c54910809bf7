package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/document"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// States of the review of a proof of address. Only the newest review of a user counts.
const (
	ProofReviewed   = "WAITING"
	ProofAccepted   = "APPROVED"
	ProofRefused    = "REJECTED"
	ProofQuestioned = "QUESTIONED" // other files are asked for
)

// Rules about who needs a proof of address: the setting poa.required.
const (
	ProofAuto   = "auto" // users of high risk, and of the catalogue's countries
	ProofAlways = "always"
	ProofNever  = "never"
)

// ProofRules tells a partner's rule.
type ProofRules interface {
	ProofRule(r db.Reader, partner int64) (string, error)
}

// ProofReview is the review of the files of one upload.
type ProofReview struct {
	Partner   int64
	User      clock.ID
	Number    int64 // of the user's reviews, from 1
	ID        clock.ID
	Status    string
	Officer   string // who decided; empty while nobody has
	Reason    string // what the officer wrote
	CreatedAt time.Time
	DecidedAt time.Time
}

const reviewColumns = `partner_id, user_id, number, id, status, officer, reason, created_at, decided_at`

var (
	insertReview = db.NewInsert("poa_review", `partner_id bigint, user_id uuid, number bigint, id uuid, status text,
		officer text, reason bytes, created_at bigint, decided_at bigint`)
	selectReviews = db.NewQuery(`
		SELECT ` + reviewColumns + ` FROM poa_review WHERE partner_id = $1 AND user_id = $2 ORDER BY number DESC`)
	selectReview = db.NewQuery(`SELECT ` + reviewColumns + ` FROM poa_review WHERE partner_id = $1 AND id = $2`)
	selectQueue  = db.NewQuery(`
		SELECT q.partner_id, q.user_id, q.number, q.id, q.status, q.officer, q.reason, q.created_at, q.decided_at, u.external_id
		FROM poa_review q JOIN users u ON u.partner_id = q.partner_id AND u.id = q.user_id
		WHERE q.status = 'WAITING' ORDER BY q.created_at, q.id LIMIT $1`)
	updateReview = db.NewCommand(`
		UPDATE poa_review SET status = $4, officer = $5, reason = $6, decided_at = $7
		WHERE partner_id = $1 AND user_id = $2 AND number = $3`)
	eraseReasons = db.NewCommand(`UPDATE poa_review SET reason = $3 WHERE partner_id = $1 AND user_id = $2`)
)

func reviewPlace(id clock.ID) vault.Place {
	return vault.Place{Table: "poa_review", Column: "reason", Row: id.String()}
}

func (f *Uploads) scanReview(row db.Scanner, more ...any) (ProofReview, error) {
	var v ProofReview
	var reason []byte
	err := row.Scan(append([]any{
		&v.Partner, &v.User, &v.Number, &v.ID, &v.Status, &v.Officer, &reason, &v.CreatedAt, &v.DecidedAt,
	}, more...)...)
	if err != nil {
		return ProofReview{}, err
	}
	plain, err := f.Vault.Open(reviewPlace(v.ID), reason)
	v.Reason = string(plain)
	return v, err
}

// ProofReviews answers the reviews of a user, the newest first.
func (f *Uploads) ProofReviews(r db.Reader, partner int64, u clock.ID) ([]ProofReview, error) {
	rows := r.Rows(selectReviews, partner, u)
	defer rows.Close()
	var all []ProofReview
	for rows.Next() {
		v, err := f.scanReview(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// FindProofReview reads a review by its id; P464 when the partner has none of this id.
func (f *Uploads) FindProofReview(r db.Reader, partner int64, id clock.ID) (ProofReview, error) {
	v, err := f.scanReview(r.Row(selectReview, partner, id))
	if errors.Is(err, db.ErrNoRows) {
		return ProofReview{}, fault.New(fault.NotUnderReview)
	}
	return v, err
}

// newest reads the review that counts; the zero ProofReview before the first upload.
func (f *Uploads) newest(r db.Reader, u user.User) (ProofReview, error) {
	all, err := f.ProofReviews(r, u.Partner, u.ID)
	if err != nil || len(all) == 0 {
		return ProofReview{}, err
	}
	return all[0], nil
}

// ProofStatus tells where a user's proof of address stands; empty before the first upload.
func (f *Uploads) ProofStatus(r db.Reader, u user.User) (string, error) {
	v, err := f.newest(r, u)
	return v.Status, err
}

// Queued is a review that waits for an officer.
type Queued struct {
	ProofReview
	ExternalID string // the user's
}

// ProofQueue answers the reviews of all partners that wait for an officer, the oldest first, at most limit.
func (f *Uploads) ProofQueue(r db.Reader, limit int) ([]Queued, error) {
	rows := r.Rows(selectQueue, limit)
	defer rows.Close()
	var all []Queued
	for rows.Next() {
		var q Queued
		var err error
		if q.ProofReview, err = f.scanReview(rows, &q.ExternalID); err != nil {
			return nil, err
		}
		all = append(all, q)
	}
	return all, rows.Err()
}

// ProofRequired tells whether a rule wants a proof of address from a resident of a country.
func (f *Uploads) ProofRequired(rule, country string, highRisk bool) bool {
	switch rule {
	case ProofAlways:
		return true
	case ProofNever:
		return false
	}
	c, _ := f.checks.Catalog.Country(country)
	return highRisk || c.POA
}

// Proof implements Proofs. An approved proof stays approved, whatever the rule becomes.
func (f *Uploads) Proof(r db.Reader, u user.User, p user.Person, highRisk bool) (Proof, error) {
	rule, err := f.Rules.ProofRule(r, u.Partner)
	if err != nil {
		return ProofMissing, err
	}
	v, err := f.newest(r, u)
	switch {
	case err != nil:
		return ProofMissing, err
	case v.Status == ProofAccepted:
		return ProofApproved, nil
	case !f.ProofRequired(rule, p.Country, highRisk):
		return ProofNotRequired, nil
	case v.Status == ProofReviewed:
		return ProofWaiting, nil
	}
	return ProofMissing, nil
}

// MayProve refuses a user from whom no proof of address is taken now: P455, P466, P460 before any identity attempt,
// P447 after it was approved, P211 while one waits for its review.
func (f *Uploads) MayProve(r db.Reader, u user.User) error {
	if err := u.MayVerify(); err != nil {
		return err
	}
	a, err := f.checks.latest(r, u)
	if err != nil {
		return err
	}
	if !a.exists() {
		return fault.New(fault.PoaVerificationNotFound)
	}
	v, err := f.newest(r, u)
	switch {
	case err != nil:
		return err
	case v.Status == ProofAccepted:
		return fault.New(fault.PoaAlreadyVerified)
	case v.Status == ProofReviewed:
		return fault.New(fault.PoaPending)
	}
	return nil
}

// AddProof has uploads reviewed as a user's proof of address. broken is what was wrong with the files themselves; it
// counts behind what is wrong with the user. P412 and those of MayProve.
func (f *Uploads) AddProof(tx *db.Tx, partner int64, externalID string, uploads []Upload, broken error) error {
	u, err := user.Lock(tx, partner, externalID)
	if err != nil {
		return err
	}
	if err := f.MayProve(tx, u); err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	v, err := f.beginReview(tx, &u, ProofReviewed)
	if err != nil {
		return err
	}
	for _, up := range uploads {
		if err := f.insert(tx, u, v.ID, ProvesAddress, "", FileAdded, up); err != nil {
			return err
		}
	}
	if f.Staging {
		job.Enqueue(tx, partner, stageProofJob, v.ID, v.CreatedAt.Add(f.Delay))
		tx.AfterCommit(f.Jobs.Wake)
	}
	user.SaveState(tx, u)
	return nil
}

// beginReview makes the next review of a locked user, and tells of it.
func (f *Uploads) beginReview(tx *db.Tx, u *user.User, status string) (ProofReview, error) {
	last, err := f.newest(tx, *u)
	if err != nil {
		return ProofReview{}, err
	}
	v := ProofReview{Partner: u.Partner, User: u.ID, Number: last.Number + 1, ID: clock.NewID(), Status: status, CreatedAt: f.Clock.Now()}
	if status != ProofReviewed {
		v.Officer, v.DecidedAt = audit.System, v.CreatedAt
	}
	tx.Write(insertReview, v.Partner, v.User, v.Number, v.ID, v.Status, v.Officer, []byte{}, v.CreatedAt, v.DecidedAt)
	return v, f.Users.Tell(tx, u, event.POAVerification, FileNotice{u.ExternalID, v.Status})
}

// CheckProof judges stored files of a proof of address by what can be told at once, since nothing else would tell the
// partner: P426 when a picture is too small or too large to be shown, or a PDF has no pages or too many.
// It notes the pages of a PDF.
func (f *Uploads) CheckProof(ctx context.Context, partner int64, up *Upload) (err error) {
	if up.Facts.Media != document.PDF {
		return asFault(document.CheckSize(up.Facts))
	}
	up.Pages, err = f.examine(ctx, refOf(partner, up.ID), up.Facts.Media)
	return asFault(err)
}

// Verdict is an officer's decision on a proof of address.
type Verdict struct {
	Actor  string // who decides, as the audit log names people
	Status string // ProofAccepted, ProofRefused or ProofQuestioned
	Reason string // for colleagues; sealed at rest
}

// errVerdict says that a decision is none of those that there are.
var errVerdict = errors.New("identity: a decision on a proof of address is APPROVED, REJECTED or QUESTIONED")

// DecideProof records a decision on a review that waits, or was questioned and not answered, and tells of it. When it
// is approved, the activation goes on. P464 when the review is over or another upload took its place. Call it last:
// it writes to the audit log.
func (f *Uploads) DecideProof(tx *db.Tx, partner int64, review clock.ID, d Verdict) error {
	if d.Status != ProofAccepted && d.Status != ProofRefused && d.Status != ProofQuestioned {
		return errVerdict
	}
	tx.Locked()
	v, err := f.FindProofReview(tx, partner, review)
	if err != nil {
		return err
	}
	u, _, err := f.checks.lock(tx, partner, v.User)
	if err != nil {
		return err
	}
	if err := f.decideProof(tx, &u, v.ID, d); err != nil {
		return err
	}
	return audit.Write(tx, audit.Entry{
		Actor: d.Actor, Action: "poa.decide", Partner: partner, Object: v.ID.String(),
		Details: map[string]string{"user": u.ID.String(), "status": d.Status},
	})
}

// decideProof decides on the review of a locked user that counts, if it is the one that is meant.
func (f *Uploads) decideProof(tx *db.Tx, u *user.User, review clock.ID, d Verdict) error {
	v, err := f.newest(tx, *u)
	if err != nil {
		return err
	}
	waits := v.Status == ProofReviewed || v.Status == ProofQuestioned && d.Status != ProofQuestioned
	if v.ID != review || !waits {
		return fault.New(fault.NotUnderReview)
	}
	reason, err := f.Vault.Seal(reviewPlace(v.ID), []byte(strings.TrimSpace(d.Reason)))
	if err != nil {
		return err
	}
	tx.Write(updateReview, v.Partner, v.User, v.Number, d.Status, d.Actor, reason, f.Clock.Now())
	if err := f.Users.Tell(tx, u, event.POAVerification, FileNotice{u.ExternalID, d.Status}); err != nil {
		return err
	}
	if d.Status == ProofAccepted {
		if err := f.checks.Advance(tx, u); err != nil {
			return err
		}
	}
	user.SaveState(tx, *u)
	return nil
}
