package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"kontor/internal/blob"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/document"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// Limits of uploads.
const (
	MaxFileSize  = 5_242_880 // bytes of a file, as it is sent
	MaxFiles     = 3         // of a call
	maxPerTry    = 20        // of an attempt
	maxName      = 200       // characters of a file's name that are kept
	orphanAge    = 24 * time.Hour
	sweepUploads = time.Hour
)

// What a file proves.
const (
	ProvesIdentity = "KYC"
	ProvesAddress  = "POA"
)

// States of a file.
const (
	FileStored = "STORED" // it waits to be judged
	FileAdded  = "ADDED"
	FileError  = "ERROR" // it is of no use, and its content was removed
)

// Upload is a file whose content is stored, and which belongs to nobody until a transaction gives it to a user.
type Upload struct {
	ID     clock.ID
	Name   string // as it was sent: a label, and nothing else
	Facts  document.Facts
	Size   int64             // bytes, as stored
	Pages  int               // of a PDF; 0 before it was judged
	Digest [sha256.Size]byte // SHA-256 of what was sent
}

// File is a document of a user as it is kept.
type File struct {
	Partner       int64
	ID            clock.ID
	User          clock.ID
	Check         clock.ID // the attempt, or the review of a proof of address
	Proves        string
	Side          string // empty: told by the order
	State         string
	Media         document.Media
	Size          int64 // bytes
	Width, Height int   // pixels; 0 for a PDF
	Pages         int   // of a PDF; 0 for a picture, and before it was judged
	Name          string
	CreatedAt     time.Time
}

// UploadConfig is what uploads work with.
type UploadConfig struct {
	DB      *db.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Users   *user.Service
	Jobs    *job.Runner
	Blobs   blob.Store
	Pages   PageDrawer
	Rules   ProofRules
	Log     *slog.Logger
	Staging bool          // outcomes can be chosen by the names of files, and nobody reviews
	Delay   time.Duration // before the sandbox decides on a proof of address
}

// Uploads keeps the files of users, and has proofs of address reviewed. It implements Documents and Proofs.
type Uploads struct {
	UploadConfig
	checks *Service
}

// NewUploads makes the service and registers its jobs. Join makes it complete.
func NewUploads(cfg UploadConfig) *Uploads {
	f := &Uploads{UploadConfig: cfg}
	cfg.Jobs.Register(judgeFileJob, f.judge)
	cfg.Jobs.Register(deleteFileJob, f.deleteContent)
	cfg.Jobs.Register(stageProofJob, f.stageProof)
	return f
}

// Join names the service that keeps the attempts which files belong to.
func (f *Uploads) Join(checks *Service) { f.checks = checks }

// Store judges a file by its content while it arrives, and stores what is kept of it. It answers what it knows of the
// file also with an error: P440 when the file is too large, which counts before P426, that it is none of the types
// which are accepted. Content is read to its end, or to the byte that is one too many.
func (f *Uploads) Store(ctx context.Context, partner int64, name string, content io.Reader) (Upload, error) {
	up := Upload{ID: clock.NewID(), Name: label(name)}
	sum := sha256.New()
	sent := &limited{r: io.TeeReader(content, sum), left: MaxFileSize}
	judged := document.NewReader(sent)
	const rewritten = 1 << 10 // an orientation may be longer than what it replaces
	size, err := f.Blobs.Put(ctx, refOf(partner, up.ID), judged, MaxFileSize+rewritten)
	if errors.Is(err, document.ErrUnsupported) {
		if _, rest := io.Copy(io.Discard, sent); rest != nil {
			err = rest
		}
	}
	sum.Sum(up.Digest[:0])
	up.Size, up.Facts = size, judged.Facts()
	switch {
	case errors.Is(err, errFileTooLarge):
		return up, fault.New(fault.FileTooLarge)
	case errors.Is(err, document.ErrUnsupported):
		return up, fault.New(fault.InvalidFileType).Wrap(err)
	}
	return up, err
}

// Skim reads a file as Store does and stores nothing: it tells the digest, by which a repeated request is known. P440.
func (f *Uploads) Skim(name string, content io.Reader) (Upload, error) {
	up := Upload{Name: label(name)}
	sum := sha256.New()
	_, err := io.Copy(io.Discard, &limited{r: io.TeeReader(content, sum), left: MaxFileSize})
	sum.Sum(up.Digest[:0])
	if errors.Is(err, errFileTooLarge) {
		err = fault.New(fault.FileTooLarge)
	}
	return up, err
}

// errFileTooLarge says that a file goes on after the limit.
var errFileTooLarge = errors.New("identity: the file is too large")

// limited reads up to a number of bytes, and fails for good when there are more.
type limited struct {
	r    io.Reader
	left int64
	over bool
}

func (l *limited) Read(p []byte) (int, error) {
	if l.over {
		return 0, errFileTooLarge
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left+1)])
	if int64(n) > l.left {
		l.over = true
		return int(l.left), errFileTooLarge
	}
	l.left -= int64(n)
	return n, err
}

// label is a file's name as it is kept: on one line, as it reads, and not too long.
func label(name string) string {
	clean := strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.Cc, unicode.Cf) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(name, ""))
	if runes := []rune(clean); len(runes) > maxName {
		clean = string(runes[:maxName])
	}
	return clean
}

// Discard removes the content of uploads that were given to nobody. What it fails to remove is swept by its age.
func (f *Uploads) Discard(ctx context.Context, partner int64, uploads ...Upload) {
	for _, up := range uploads {
		if err := f.Blobs.Delete(context.WithoutCancel(ctx), refOf(partner, up.ID)); err != nil {
			f.Log.WarnContext(ctx, "an unused upload was not removed", "error", err)
		}
	}
}

// MayIdentify refuses a user from whom no identity documents are taken now: P455, P466.
func (f *Uploads) MayIdentify(_ db.Reader, u user.User) error { return u.MayVerify() }

// AddFiles gives uploads to the user's attempt, Method A, and begins one where none is open. A job judges each of
// them, and tells by webhook. broken is what was wrong with the files themselves; it counts behind what is wrong with
// the user. P412, P455, P466, P403.
func (f *Uploads) AddFiles(tx *db.Tx, partner int64, externalID string, uploads []Upload, broken error) error {
	u, err := user.Lock(tx, partner, externalID)
	if err != nil {
		return err
	}
	if err := u.MayVerify(); err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	a, err := f.checks.Receive(tx, &u)
	if err != nil {
		return err
	}
	known, err := f.List(tx, partner, u.ID, a.ID)
	if err != nil {
		return err
	}
	if len(known)+len(uploads) > maxPerTry {
		return fault.Invalid("files are too many: an identity check takes at most 20, with those that were sent before")
	}
	for _, up := range uploads {
		if err := f.insert(tx, u, a.ID, ProvesIdentity, "", FileStored, up); err != nil {
			return err
		}
		job.Enqueue(tx, partner, judgeFileJob, up.ID, f.Clock.Now())
	}
	user.SaveState(tx, u)
	tx.AfterCommit(f.Jobs.Wake)
	return nil
}

// StoreSide stores a picture of an attempt's document that the user gives on the hosted page, in the place of an
// earlier one, and judges it at once. When the link is not open any more, nothing changes. P412, P426, P440, P455.
func (f *Uploads) StoreSide(ctx context.Context, externalID, verificationID, side, name string, content io.Reader) (Link, error) {
	l, err := f.checks.View(ctx, externalID, verificationID)
	if err != nil || !l.Open {
		return l, err
	}
	partner := l.User.Partner
	up, err := f.Store(ctx, partner, name, content)
	if err != nil {
		return l, err
	}
	kept := false
	defer func() {
		if !kept {
			f.Discard(ctx, partner, up)
		}
	}()
	if up.Pages, err = f.examine(ctx, refOf(partner, up.ID), up.Facts.Media); err != nil {
		return l, asFault(err)
	}
	err = f.DB.Update(ctx, func(tx *db.Tx) error {
		kept = false
		if l, err = f.checks.LockLink(tx, externalID, verificationID); err != nil || !l.Open {
			return err
		}
		if err := l.User.MayVerify(); err != nil {
			return err
		}
		if err := f.removeSides(tx, l, side); err != nil {
			return err
		}
		kept = true
		return f.insert(tx, l.User, l.Attempt.ID, ProvesIdentity, side, FileAdded, up)
	})
	kept = kept && err == nil
	return l, err
}

// ClearSides removes the pictures that were stored for an open link: they are those of another kind of document.
func (f *Uploads) ClearSides(ctx context.Context, externalID, verificationID string) error {
	return f.DB.Update(ctx, func(tx *db.Tx) error {
		l, err := f.checks.LockLink(tx, externalID, verificationID)
		if err != nil || !l.Open {
			return err
		}
		return f.removeSides(tx, l, "")
	})
}

// removeSides removes the pictures of one side; of all when side is empty.
func (f *Uploads) removeSides(tx *db.Tx, l Link, side string) error {
	files, err := f.Files(tx, l.User.Partner, l.User.ID)
	if err != nil {
		return err
	}
	for _, d := range files {
		if d.Check == l.Attempt.ID && (side == "" || d.Side == side) {
			f.remove(tx, d)
		}
	}
	return nil
}

// asFault words a problem of a document as P426.
func asFault(err error) error {
	var problem document.Problem
	if errors.As(err, &problem) {
		text := string(problem)
		return fault.Newf(fault.InvalidFileType, "%s.", strings.ToUpper(text[:1])+text[1:])
	}
	return err
}

// FileNotice is the body of the KYC File Added webhook, and of POA Verification Status.
type FileNotice struct {
	ExternalUserID string `json:"externalUserId"`
	Status         string `json:"status"`
}

// judgeFileJob is the job that judges a file of Method A. Its object is the file.
const judgeFileJob = "kyc-file-judge"

// judge looks at the picture itself, and tells whether it is of use. A file of no use loses its content.
func (f *Uploads) judge(ctx context.Context, j job.Job) error {
	d, err := f.find(ctx, j.Partner, j.Object)
	if errors.Is(err, db.ErrNoRows) || (err == nil && d.State == FileAdded) {
		return nil // erased, or told before
	}
	if err != nil {
		return err
	}
	ref := refOf(d.Partner, d.ID)
	if d.State == FileStored {
		d.State = FileAdded
		var err error
		d.Pages, err = f.examine(ctx, ref, d.Media)
		var problem document.Problem
		switch {
		case errors.As(err, &problem), errors.Is(err, blob.ErrNotFound):
			d.State = FileError
		case err != nil:
			return err
		}
		if err := f.tellJudged(ctx, d); err != nil {
			return err
		}
	}
	if d.State == FileError {
		return f.Blobs.Delete(ctx, ref)
	}
	return nil
}

func (f *Uploads) tellJudged(ctx context.Context, d File) error {
	return f.DB.Update(ctx, func(tx *db.Tx) error {
		u, _, err := f.checks.lock(tx, d.Partner, d.User)
		if err != nil {
			return passDeleted(err)
		}
		now, err := f.scan(tx.Row(selectFile, d.Partner, d.ID))
		if errors.Is(err, db.ErrNoRows) || (err == nil && now.State != FileStored) {
			return nil
		}
		if err != nil {
			return err
		}
		tx.Write(updateFile, d.Partner, d.ID, d.State, d.Pages)
		if err := f.Users.Tell(tx, &u, event.KYCFile, FileNotice{u.ExternalID, d.State}); err != nil {
			return err
		}
		user.SaveState(tx, u)
		return nil
	})
}

// examine looks at the stored content, and answers the pages of a PDF: a document.Problem when it is of no use.
func (f *Uploads) examine(ctx context.Context, ref blob.Ref, m document.Media) (pages int, err error) {
	content, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return 0, err
	}
	defer content.Close()
	return document.Check(m, content)
}
