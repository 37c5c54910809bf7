package identity

import (
	"context"
	"strings"

	"kontor/internal/audit"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/user"
)

// stageProofJob is the job that decides on a proof of address in the sandbox, where nobody reviews. Its object is the
// review.
const stageProofJob = "poa-sandbox"

// stageProof decides as the name of a file says: questioned, rejected; without either, the proof is approved.
func (f *Uploads) stageProof(ctx context.Context, j job.Job) error {
	err := f.DB.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		v, err := f.FindProofReview(tx, j.Partner, j.Object)
		if err != nil {
			return err
		}
		u, _, err := f.checks.lock(tx, j.Partner, v.User)
		if err != nil {
			return err
		}
		files, err := f.Files(tx, j.Partner, v.User)
		if err != nil {
			return err
		}
		d := Verdict{Actor: audit.System, Status: ProofAccepted}
		for _, file := range files {
			if file.Check == v.ID {
				d.Status = staged(file.Name, d.Status)
			}
		}
		return f.decideProof(tx, &u, v.ID, d)
	})
	if fault.From(err) != nil && (fault.From(err).Code == fault.NotUnderReview || fault.From(err).Code == fault.InvalidUser) {
		return nil // somebody was faster, or the user is gone
	}
	return err
}

// staged reads the outcome that a file's name chooses.
func staged(name, otherwise string) string {
	switch name = strings.ToLower(name); {
	case strings.Contains(name, "questioned"):
		return ProofQuestioned
	case strings.Contains(name, "rejected"):
		return ProofRefused
	}
	return otherwise
}

// StageProof decides on a user's proof of address at once, as the caller of a sandbox wants. P412, P464 when none
// waits.
func (f *Uploads) StageProof(tx *db.Tx, partner int64, externalID, status string) (user.User, error) {
	u, err := user.Lock(tx, partner, externalID)
	if err != nil {
		return u, err
	}
	v, err := f.newest(tx, u)
	if err != nil {
		return u, err
	}
	return u, f.decideProof(tx, &u, v.ID, Verdict{Actor: audit.Partner(partner), Status: status})
}

// SkipProof approves the proof of address of a locked user without files, for the sandbox's shortcut through all
// steps. The caller saves the user's state.
func (f *Uploads) SkipProof(tx *db.Tx, u *user.User) error {
	v, err := f.newest(tx, *u)
	if err != nil || v.Status == ProofAccepted {
		return err
	}
	_, err = f.beginReview(tx, u, ProofAccepted)
	return err
}
