package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/idempotency"
	"kontor/internal/identity"
	"kontor/internal/partner"
	"kontor/internal/user"
)

// Limits of uploads.
const (
	maxUpload      = 20 << 20        // bytes of a request
	uploadTimeout  = 2 * time.Minute // for all of it: files take longer than JSON
	filesField     = "files"
	uploadsAtOnce  = 64 // of a node; each takes less than 200 KB of memory
	partnersShare  = 32 // of them, for one partner
	waitForUploads = 20 * time.Second
)

// uploader is what an upload does with its files.
type uploader struct {
	operation string
	message   string                                                                                           // of the answer
	may       func(rd db.Reader, u user.User) error                                                            // whether files are taken from the user now
	check     func(ctx context.Context, partner int64, up *identity.Upload) error                              // what can be told of a file at once; nil: nothing
	add       func(tx *db.Tx, partner int64, externalID string, uploads []identity.Upload, broken error) error // stores
}

// UploadKycFiles takes pictures of an identity document, Method A.
func (a *api) UploadKycFiles(w http.ResponseWriter, r *http.Request, externalUserID oas.ExternalUserId, _ oas.UploadKycFilesParams) {
	a.upload(w, r, externalUserID, uploader{
		operation: "uploadKycFiles", message: "The files were received.",
		may: a.Uploads.MayIdentify, add: a.Uploads.AddFiles,
	})
}

// UploadPoaFiles takes a proof of address.
func (a *api) UploadPoaFiles(w http.ResponseWriter, r *http.Request, externalUserID oas.ExternalUserId, _ oas.UploadPoaFilesParams) {
	a.upload(w, r, externalUserID, uploader{
		operation: "uploadPoaFiles", message: "The files are under review.",
		may: a.Uploads.MayProve, check: a.Uploads.CheckProof, add: a.Uploads.AddProof,
	})
}

// SandboxDecidePoa decides on a proof of address in place of an officer.
func (a *api) SandboxDecidePoa(w http.ResponseWriter, r *http.Request, externalUserID oas.ExternalUserId, _ oas.SandboxDecidePoaParams) {
	change(a, w, r, "sandboxDecidePoa", func(tx *db.Tx, p partner.Partner, body oas.SandboxPoaDecision) (result, error) {
		u, err := a.Uploads.StageProof(tx, p.ID, externalUserID, string(body.Status))
		return result{status: http.StatusOK, body: oas.PoaVerificationStatusEvent{
			ExternalUserId: u.ExternalID, Status: oas.PoaStatus(body.Status),
		}}, err
	})
}

// upload reads the files of a form as they arrive, stores them, and gives them to the user in one transaction. The
// form is read to its end whatever is wrong with the files: a client that is still sending would not hear the answer.
func (a *api) upload(w http.ResponseWriter, r *http.Request, externalUserID string, up uploader) {
	boundary, err := a.formBoundary(r, up.operation)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	p := caller(r)
	leave, err := a.uploads.enter(r.Context(), p.ID)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), uploadTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	line := http.NewResponseController(w)
	if err := errors.Join(line.SetReadDeadline(time.Now().Add(uploadTimeout)), line.SetWriteDeadline(time.Now().Add(uploadTimeout+writeTimeout))); err != nil {
		a.fail(w, r, err)
		return
	}
	form := &form{uploader: up, files: a.Uploads, partner: p.ID}
	form.refused = a.DB.View(ctx, func(rd db.Reader) error {
		u, err := user.Find(rd, p.ID, externalUserID)
		if err != nil {
			return err
		}
		return up.may(rd, u)
	})
	err = form.read(ctx, multipart.NewReader(http.MaxBytesReader(w, r.Body, maxUpload), boundary))
	if err != nil {
		a.Uploads.Discard(ctx, p.ID, form.stored...)
		a.fail(w, r, err)
		return
	}
	a.finishUpload(w, r, p, externalUserID, form)
}

// finishUpload gives what was stored to the user, and answers.
func (a *api) finishUpload(w http.ResponseWriter, r *http.Request, p partner.Partner, externalUserID string, f *form) {
	text, err := json.Marshal(oas.Message{Message: f.message})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	ans, replayed, err := a.once(r, p, f.content.Bytes(), func(tx *db.Tx) (idempotency.Answer, error) {
		broken := f.broken
		if broken == nil {
			broken = f.refused // the user may have changed meanwhile, but the files were not kept
		}
		err := f.add(tx, p.ID, externalUserID, f.stored, broken)
		return idempotency.Answer{Status: http.StatusCreated, Body: text}, err
	})
	if code := codeOf(err); err != nil && code != fault.ServiceUnavailable && code != fault.UnknownException {
		// Refused for certain. Otherwise the files may have become the user's; what has not is swept.
		a.Uploads.Discard(r.Context(), p.ID, f.stored...)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if replayed {
		a.Metrics.Replayed()
		w.Header().Set("Idempotent-Replayed", "true")
	}
	write(w, ans.Status, "application/json", ans.Body)
}

func codeOf(err error) fault.Code {
	if f := fault.From(err); f != nil {
		return f.Code
	}
	return ""
}

// formBoundary checks the parameters and the declared type of the body. P403, P407.
func (a *api) formBoundary(r *http.Request, operation string) (string, error) {
	if err := a.validateParams(r, operation); err != nil {
		return "", err
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return "", fault.Newf(fault.UnsupportedMediaType, "The files must be sent as multipart/form-data.")
	}
	return params["boundary"], nil
}

// form is what was read of an upload's form.
type form struct {
	uploader
	files    *identity.Uploads
	partner  int64
	refused  error // the user's files are not taken: they are read, and not stored
	stored   []identity.Upload
	broken   error // the first of P440, else the first of P426
	count    int
	problems []string
	content  bytes.Buffer // what must be equal in a repeated request: the files' names and digests
}

// read reads the form to its end. P403 for a form that is not as it should be, P406, P501 when a file cannot be stored.
func (f *form) read(ctx context.Context, parts *multipart.Reader) error {
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // a form that is cut off wraps it
			break
		}
		if err == nil {
			err = f.part(ctx, part)
		}
		if err != nil {
			return formError(err)
		}
	}
	if f.count == 0 || f.count > identity.MaxFiles {
		f.problems = append(f.problems, fmt.Sprintf("%s must be sent 1 to %d times, each with a file", filesField, identity.MaxFiles))
	}
	if len(f.problems) > 0 {
		return fault.Invalid(f.problems...)
	}
	return nil
}

// formError is the error of a form that could not be read to its end.
func formError(err error) error {
	var tooLarge *http.MaxBytesError
	var known *fault.Error
	switch {
	case errors.As(err, &tooLarge):
		return fault.New(fault.BodyTooLarge)
	case errors.As(err, &known):
		return err
	}
	return fault.Invalid("the body must be multipart/form-data to its end").Wrap(err)
}

// part reads one part of the form.
func (f *form) part(ctx context.Context, part *multipart.Part) error {
	name := part.FileName()
	if part.FormName() != filesField || name == "" {
		f.problems = append(f.problems, fmt.Sprintf("the form must have files in the field %s and nothing else", filesField))
		return nil
	}
	if f.count++; f.count > identity.MaxFiles {
		return nil
	}
	line := &listening{r: part}
	up, err := f.store(ctx, name, line)
	if line.err != nil {
		return line.err
	}
	fmt.Fprintf(&f.content, "%d %s %x\n", len(up.Name), up.Name, up.Digest)
	switch codeOf(err) {
	case "":
	case fault.FileTooLarge, fault.InvalidFileType:
		if f.broken == nil || codeOf(err) == fault.FileTooLarge && codeOf(f.broken) == fault.InvalidFileType {
			f.broken = err
		}
	default:
		return fault.New(fault.ServiceUnavailable).Wrap(err)
	}
	return nil
}

// store stores a file, or only takes its digest when it will not be taken. What is known to be wrong with the files
// by then does not stop those that follow from being judged: P440 counts before P426.
func (f *form) store(ctx context.Context, name string, content io.Reader) (identity.Upload, error) {
	if f.refused != nil {
		return f.files.Skim(name, content)
	}
	up, err := f.files.Store(ctx, f.partner, name, content)
	if err != nil {
		return up, err
	}
	f.stored = append(f.stored, up)
	if f.check != nil {
		err = f.check(ctx, f.partner, &f.stored[len(f.stored)-1])
	}
	return up, err
}

// listening keeps an error of the line apart from those of the file.
type listening struct {
	r   io.Reader
	err error
}

func (l *listening) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // the interface's own sentinel
		l.err = err
	}
	return n, err
}
