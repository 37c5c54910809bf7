package pages

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"kontor/internal/fault"
	"kontor/internal/web"
)

// handler answers the requests of one router.
type handler struct {
	*Pages
	refuse func(w http.ResponseWriter, r *http.Request, err error)
}

// link reads the link from the path. What cannot be decoded names nothing.
func link(r *http.Request) Link {
	externalUserID, err := url.PathUnescape(chi.URLParam(r, "externalUserId"))
	if err != nil {
		return Link{}
	}
	verificationID, err := url.PathUnescape(chi.URLParam(r, "verificationId"))
	if err != nil {
		return Link{}
	}
	return Link{ExternalUserID: externalUserID, VerificationID: verificationID}
}

// path is where the page of a link is.
func (l Link) path() string {
	return prefix + url.PathEscape(l.ExternalUserID) + "/" + url.PathEscape(l.VerificationID)
}

// isBrowser tells whether a person looks at the answer.
func isBrowser(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// visit is one look at a verification.
type visit struct {
	*catalogue
	link         Link
	verification Verification
	pages        *Pages
	form         *form
}

// open finds the verification that a request is about; false when it was answered already.
func (h *handler) open(w http.ResponseWriter, r *http.Request) (*visit, bool) {
	v := &visit{catalogue: h.texts.choose(r.Header.Get("Accept-Language")), link: link(r), pages: h.Pages, form: newForm(nil)}
	var err error
	if v.verification, err = h.Verifications.Find(r.Context(), v.link); err != nil {
		h.fail(w, r, v, err)
		return nil, false
	}
	return v, true
}

// show answers the page of a link: the first step that is not done, an earlier one that was asked for, or the result.
func (h *handler) show(w http.ResponseWriter, r *http.Request) {
	v, ok := h.open(w, r)
	if !ok {
		return
	}
	if v.verification.State != Open {
		h.render(w, r, http.StatusOK, resultPage(v))
		return
	}
	v.form = described(v.verification.Document)
	h.render(w, r, http.StatusOK, stepPage(v, v.verification.at(r.URL.Query().Get("step"))))
}

// consent takes the user's agreement.
func (h *handler) consent(w http.ResponseWriter, r *http.Request) {
	v, ok := h.change(w, r)
	if !ok {
		return
	}
	if v.form.get("agree") == "" {
		v.form.wrong("agree", v.say("error.consent"))
		h.again(w, r, v, consentStep)
		return
	}
	h.done(w, r, v, consentStep, h.Verifications.Consent(r.Context(), v.link))
}

// describe takes the data of the document.
func (h *handler) describe(w http.ResponseWriter, r *http.Request) {
	v, ok := h.change(w, r)
	if !ok || !h.may(w, r, v, documentStep) {
		return
	}
	d := v.form.describe(v.catalogue, h.countries, h.Clock.Now())
	if !v.form.ok() {
		h.again(w, r, v, documentStep)
		return
	}
	err := h.Verifications.Describe(r.Context(), v.link, d)
	switch {
	case errors.Is(err, ErrMRZ):
		v.form.wrong("mrz", v.say("error.mrz"))
	case errors.Is(err, ErrOutcome):
		v.form.wrong("number", v.say("error.outcome"))
	}
	if !v.form.ok() {
		h.again(w, r, v, documentStep)
		return
	}
	if d.Type != v.verification.Document.Type { // the pictures of another kind of document do not count
		v.verification.Stored = nil
	}
	v.verification.Document = d
	h.done(w, r, v, documentStep, err)
}

// submit ends the user's part.
func (h *handler) submit(w http.ResponseWriter, r *http.Request) {
	v, ok := h.change(w, r)
	if !ok {
		return
	}
	outcome := v.form.get("outcome")
	if !h.Staging || !slices.Contains(outcomes(), outcome) {
		outcome = ""
	}
	err := h.Verifications.Submit(r.Context(), v.link, outcome)
	if err != nil && fault.From(err).Code == fault.KycNotCompleted {
		next := v.verification.next()
		v.form = described(v.verification.Document)
		v.form.wrong(next.field(), v.say("error.P446"))
		h.again(w, r, v, next)
		return
	}
	h.done(w, r, v, reviewStep, err)
}

// store takes a picture. It is passed on as it arrives, and never whole in memory.
func (h *handler) store(w http.ResponseWriter, r *http.Request) {
	side := Side(chi.URLParam(r, "side"))
	v, ok := h.open(w, r)
	if !ok {
		return
	}
	if !slices.Contains(sides(v.verification.Document.Type), side) {
		h.back(w, r, v, "")
		return
	}
	if v.verification.State == Open && !h.may(w, r, v, step(side)) {
		return
	}
	ctx, cancel := patient(w, r)
	defer cancel()
	if h.Staging && r.URL.Query().Get("sample") != "" {
		h.done(w, r, v, step(side), h.Verifications.Store(ctx, v.link, side, "sample.png", sample(side)))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	part, err := picture(r)
	switch {
	case err != nil:
		h.refused(w, r, v, step(side), uploadError(err))
	case part == nil && v.verification.done(step(side)): // keep what is there
		h.done(w, r, v, step(side), nil)
	case part == nil:
		v.form.wrong("file", v.say("error.photo"))
		h.again(w, r, v, step(side))
	default:
		err := h.Verifications.Store(ctx, v.link, side, part.FileName(), part)
		h.done(w, r, v, step(side), uploadError(err))
	}
}

// patient gives a picture the time that it takes over a slow network, on the connection and in the context.
func patient(w http.ResponseWriter, r *http.Request) (context.Context, context.CancelFunc) {
	until := time.Now().Add(uploadTimeout)
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(until)                    // a server that cannot has deadlines of its own
	_ = c.SetWriteDeadline(until.Add(answerWithin)) // the same
	return context.WithDeadline(context.WithoutCancel(r.Context()), until)
}

// picture finds the file in a form: the first of its file fields that has one. nil when none was chosen.
func picture(r *http.Request) (*multipart.Part, error) {
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	const fields = 8 // our form has fewer
	for range fields {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if part.FormName() == "file" && part.FileName() != "" {
			return part, nil
		}
	}
	return nil, nil
}

// errBroken is an upload that ended in the middle.
var errBroken = errors.New("pages: the upload was interrupted")

// uploadError tells what kept a picture from being read: P406 when it was too large, errBroken when its form was cut
// off or is none.
func uploadError(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return fault.New(fault.BodyTooLarge).Wrap(err)
	}
	known := (*fault.Error)(nil)
	if err == nil || errors.As(err, &known) || errors.Is(err, ErrEnded) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, http.ErrNotMultipart) || errors.Is(err, http.ErrMissingBoundary) ||
		strings.HasPrefix(err.Error(), "multipart: ") {
		return errBroken
	}
	return err
}

// change reads a form without a picture; false when the request was answered already.
func (h *handler) change(w http.ResponseWriter, r *http.Request) (*visit, bool) {
	v, ok := h.open(w, r)
	if !ok {
		return nil, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		v.form = newForm(nil) // as if nothing had been filled in
		return v, true
	}
	v.form = newForm(r.PostForm)
	return v, true
}

// may sends back to where one left off who comes to a step before its time.
func (h *handler) may(w http.ResponseWriter, r *http.Request, v *visit, s step) bool {
	if v.verification.State == Open && v.verification.at(string(s)) != s {
		h.back(w, r, v, "")
		return false
	}
	return true
}

// done goes on after a step that was taken, or says why it was refused.
func (h *handler) done(w http.ResponseWriter, r *http.Request, v *visit, s step, err error) {
	if err != nil {
		h.refused(w, r, v, s, err)
		return
	}
	h.back(w, r, v, v.following(s))
}

// following is the step to show after one, when it is not where one left off anyway.
func (v *visit) following(s step) step {
	state := v.verification
	switch s {
	case consentStep:
		state.Consented = true
	case documentStep:
		state.Described = true
	case reviewStep:
		return ""
	default:
		if !state.done(s) {
			state.Stored = append(slices.Clone(state.Stored), Side(s))
		}
	}
	if after := state.after(s); after != state.next() {
		return after
	}
	return ""
}

// back leads to the page of the link, which shows where one is now.
func (h *handler) back(w http.ResponseWriter, r *http.Request, v *visit, s step) {
	target := v.link.path()
	if s != "" {
		target += "?step=" + url.QueryEscape(string(s))
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// refused shows the step again with what was wrong. Who comes too late sees what became of the verification.
func (h *handler) refused(w http.ResponseWriter, r *http.Request, v *visit, s step, err error) {
	f := fault.From(err)
	switch {
	case errors.Is(err, ErrEnded):
		h.back(w, r, v, "")
		return
	case f.Code == fault.InvalidUser:
		h.fail(w, r, v, err)
		return
	}
	key := "error." + string(f.Code)
	if errors.Is(err, errBroken) {
		key = "error.broken"
	}
	if !v.has(key) {
		key = "error.P500"
	}
	if key == "error.P500" || key == "error.P501" {
		h.Log.ErrorContext(r.Context(), "a page could not do what was asked", "code", string(f.Code), "error", err)
	}
	v.form.wrong(s.field(), v.say(key, "partner", v.verification.Partner))
	h.again(w, r, v, s)
}

// field is where an error that belongs to no field in particular is shown.
func (s step) field() string {
	switch s {
	case consentStep:
		return "agree"
	case documentStep:
		return "form"
	case reviewStep:
		return "send"
	default:
		return "file"
	}
}

// again shows a step with what was typed and what is wrong with it.
func (h *handler) again(w http.ResponseWriter, r *http.Request, v *visit, s step) {
	if v.verification.State != Open {
		h.back(w, r, v, "")
		return
	}
	h.render(w, r, http.StatusUnprocessableEntity, stepPage(v, s))
}

// fail answers a request that has no verification to show.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	f := fault.From(err)
	if !isBrowser(r) {
		h.refuse(w, r, err)
		return
	}
	kind := "failed"
	switch f.Code {
	case fault.InvalidUser:
		kind = "gone"
	case fault.UserSuspended:
		kind = "blocked"
	default:
		h.Log.ErrorContext(r.Context(), "a page could not be shown", "code", string(f.Code), "error", err)
	}
	h.render(w, r, f.Code.Row().Status, plainPage(v, kind))
}

// elsewhere answers a form that another site sent.
func (h *handler) elsewhere(w http.ResponseWriter, r *http.Request) {
	v := &visit{catalogue: h.texts.choose(r.Header.Get("Accept-Language")), link: link(r), pages: h.Pages, form: newForm(nil)}
	h.render(w, r, http.StatusForbidden, plainPage(v, "elsewhere"))
}

func (h *handler) render(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	w.Header().Add("Vary", "Accept, Accept-Language")
	if err := web.Render(w, r, status, page); err != nil {
		h.refuse(w, r, err)
	}
}
