package app

import (
	"context"
	"errors"

	"kontor/internal/clock"
	"kontor/internal/console"
	"kontor/internal/db"
	"kontor/internal/document"
	"kontor/internal/document/pdfpage"
	"kontor/internal/fault"
	"kontor/internal/identity"
)

// shownFiles shows users' files to officers.
type shownFiles struct{ uploads *identity.Uploads }

func (s shownFiles) Files(r db.Reader, partner int64, user clock.ID) ([]console.Document, error) {
	files, err := s.uploads.Files(r, partner, user)
	var all []console.Document
	for _, f := range files {
		all = append(all, console.Document{
			Partner: f.Partner, ID: f.ID, Proves: f.Proves, Check: f.Check, Side: f.Side, Gone: f.State == identity.FileError,
			Media: string(f.Media), Size: f.Size, Pages: f.Pages, CreatedAt: f.CreatedAt,
		})
	}
	return all, err
}

func (s shownFiles) Show(ctx context.Context, actor string, partner int64, id clock.ID, page int) ([]byte, error) {
	look, err := s.uploads.Show(ctx, actor, partner, id, page)
	var problem document.Problem
	switch {
	case errors.Is(err, identity.ErrNoFile):
		return nil, console.ErrNoDocument
	case errors.As(err, &problem):
		return nil, console.ErrUnreadable
	case errors.Is(err, pdfpage.ErrNotReady):
		return nil, console.ErrNotReady
	}
	return look, err
}

func (s shownFiles) Prepare() { s.uploads.Pages.Prepare() }

// decidedProofs lets officers decide on proofs of address.
type decidedProofs struct {
	db      *db.DB
	uploads *identity.Uploads
}

func (p decidedProofs) Waiting(r db.Reader, limit int) ([]console.Proof, error) {
	queue, err := p.uploads.ProofQueue(r, limit)
	var all []console.Proof
	for _, q := range queue {
		proof := shownProof(q.ProofReview)
		proof.ExternalID = q.ExternalID
		all = append(all, proof)
	}
	return all, err
}

func (p decidedProofs) Find(r db.Reader, partner int64, id clock.ID) (console.Proof, error) {
	v, err := p.uploads.FindProofReview(r, partner, id)
	if isCode(err, fault.NotUnderReview) {
		err = console.ErrNoProof
	}
	return shownProof(v), err
}

func (p decidedProofs) Decide(ctx context.Context, partner int64, id clock.ID, actor, status, reason string) error {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		return p.uploads.DecideProof(tx, partner, id, identity.Verdict{Actor: actor, Status: status, Reason: reason})
	})
	switch {
	case isCode(err, fault.NotUnderReview):
		return console.ErrProofDecided
	case isCode(err, fault.InvalidUser): // who was deleted meanwhile
		return console.ErrNoProof
	}
	return err
}

func shownProof(v identity.ProofReview) console.Proof {
	return console.Proof{
		Partner: v.Partner, ID: v.ID, User: v.User, Status: v.Status, Officer: v.Officer, Reason: v.Reason,
		CreatedAt: v.CreatedAt, DecidedAt: v.DecidedAt,
	}
}

func isCode(err error, code fault.Code) bool {
	var known *fault.Error
	return errors.As(err, &known) && known.Code == code
}
