package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/idempotency"
	"kontor/internal/partner"
)

// result is what a successful operation answers.
type result struct {
	status  int
	body    any
	object  clock.ID // what it made, if it made something
	lasting bool     // the object moved money
	secret  bool     // the body is not stored; a repeated request runs the operation's remake
}

// remake makes the body of a secret answer again, from the object that the first request made.
type remake func(rd db.Reader, p partner.Partner, object clock.ID) (any, error)

// change runs an operation that changes something: validates the body, runs fn in one transaction, stores the
// answer under the request's idempotency key with it, and answers after the commit. fn may run again. An
// operation with secret answers names, last, how they are made again.
func change[B any](a *api, w http.ResponseWriter, r *http.Request, operation string, fn func(tx *db.Tx, p partner.Partner, body B) (result, error), again ...remake) {
	changeUnless(a, w, r, operation, func(error) bool { return false }, fn, again...)
}

// changeUnless is change for an operation that has another outcome when its commit is refused: otherwise is asked
// with the error, and says whether fn is to run again, for that other outcome.
func changeUnless[B any](a *api, w http.ResponseWriter, r *http.Request, operation string, otherwise func(error) bool, fn func(tx *db.Tx, p partner.Partner, body B) (result, error), again ...remake) {
	raw, err := readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var body B
	if err := a.validate(r, operation, raw, &body); err != nil {
		a.fail(w, r, err)
		return
	}
	p := caller(r)
	ans, replayed, err := a.onceUnless(r, p, raw, otherwise, func(tx *db.Tx) (idempotency.Answer, error) {
		res, err := fn(tx, p, body)
		if err != nil {
			return idempotency.Answer{}, err
		}
		text, err := json.Marshal(res.body)
		return idempotency.Answer{Status: res.status, Body: text, Object: res.object, Lasting: res.lasting, Secret: res.secret}, err
	})
	if err == nil && replayed && ans.Secret {
		ans.Body, err = a.remade(r, p, ans.Object, again)
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

func (a *api) remade(r *http.Request, p partner.Partner, object clock.ID, again []remake) ([]byte, error) {
	if len(again) == 0 {
		return nil, errors.New("httpapi: an answer was stored without its body, and nothing makes it again")
	}
	var body any
	err := a.DB.View(r.Context(), func(rd db.Reader) (err error) {
		body, err = again[0](rd, p, object)
		return err
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(body)
}

// once runs fn in a transaction, at most once for each idempotency key.
func (a *api) once(r *http.Request, p partner.Partner, body []byte, fn func(tx *db.Tx) (idempotency.Answer, error)) (idempotency.Answer, bool, error) {
	return a.onceUnless(r, p, body, func(error) bool { return false }, fn)
}

// onceUnless runs fn in a transaction, at most once for each idempotency key; see changeUnless.
func (a *api) onceUnless(r *http.Request, p partner.Partner, body []byte, otherwise func(error) bool, fn func(tx *db.Tx) (idempotency.Answer, error)) (ans idempotency.Answer, replayed bool, err error) {
	ctx := r.Context()
	key, ok, err := idempotencyKey(r)
	if err != nil {
		return ans, false, err
	}
	if !ok {
		for {
			err = a.DB.Update(ctx, func(tx *db.Tx) (err error) {
				ans, err = fn(tx)
				return err
			})
			if err == nil || !otherwise(err) {
				return ans, false, err
			}
		}
	}
	req, err := a.Keys.NewRequest(p.ID, key, r.Method, r.URL.RequestURI(), body)
	if err != nil {
		return ans, false, err
	}
	leave, err := a.Keys.Enter(ctx, req)
	if err != nil {
		return ans, false, err
	}
	defer leave()
	for {
		err = a.DB.Update(ctx, func(tx *db.Tx) (err error) {
			if ans, err = fn(tx); err != nil {
				return err
			}
			a.Keys.Store(tx, req, ans)
			return nil
		})
		if err == nil {
			return ans, false, nil
		}
		// Whatever failed may have failed because the first request already did it: its answer counts.
		stored, replayErr := a.Keys.Replay(ctx, a.DB, req)
		switch {
		case replayErr != nil:
			// P409, or it cannot be known at the moment. Then err must not be told: it may be the refusal of
			// something that the first request did, such as to pay twice.
			return ans, false, replayErr
		case stored != nil:
			return *stored, true, nil
		case !idempotency.Used(err) && !otherwise(err):
			return ans, false, err
		}
		// The key was used so long ago that it is free again, or there is another outcome.
	}
}

// idempotencyKey reads the request's key.
func idempotencyKey(r *http.Request) (key string, ok bool, err error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", false, nil
	}
	key = values[0]
	if len(values) > 1 || key == "" || utf8.RuneCountInString(key) > idempotency.MaxKey || !utf8.ValidString(key) {
		return "", false, fault.Invalid("Idempotency-Key must be between 1 and 255 characters")
	}
	return key, true, nil
}

// read runs an operation that changes nothing.
func read[A any](a *api, w http.ResponseWriter, r *http.Request, operation string, fn func(rd db.Reader, p partner.Partner) (A, error)) {
	readFrom(a, w, r, a.DB.View, operation, fn)
}

// readFrom is read with the database's View or Snapshot.
func readFrom[A any](a *api, w http.ResponseWriter, r *http.Request, view func(context.Context, func(db.Reader) error) error, operation string, fn func(rd db.Reader, p partner.Partner) (A, error)) {
	if err := a.validateParams(r, operation); err != nil {
		a.fail(w, r, err)
		return
	}
	var body A
	err := view(r.Context(), func(rd db.Reader) (err error) {
		body, err = fn(rd, caller(r))
		return err
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, body)
}

// readBody reads a JSON body. P406 when it is too large, P407 when it is something else.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fault.New(fault.BodyTooLarge)
	}
	if err != nil {
		return nil, fault.Invalid("the body could not be read to its end")
	}
	if len(raw) == 0 {
		return nil, nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != "application/json" || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return nil, fault.Newf(fault.UnsupportedMediaType, "The body must be sent as application/json in UTF-8.")
	}
	return raw, nil
}

// validate holds a request against the contract and decodes its body. Everything that is wrong comes in one
// P403.
func (a *api) validate(r *http.Request, operation string, raw []byte, into any) error {
	op := a.Contract.Operation(operation)
	problems := append(a.paramProblems(r, op), op.CheckBody(raw)...)
	if len(problems) > 0 {
		return fault.Invalid(problems...)
	}
	if err := contract.Decode(raw, into); err != nil {
		return fault.Invalid("the body does not have the form that the documentation shows").Wrap(err)
	}
	return nil
}

func (a *api) validateParams(r *http.Request, operation string) error {
	if problems := a.paramProblems(r, a.Contract.Operation(operation)); len(problems) > 0 {
		return fault.Invalid(problems...)
	}
	return nil
}

func (a *api) paramProblems(r *http.Request, op *contract.Operation) []string {
	path := map[string]string{}
	if rc := chi.RouteContext(r.Context()); rc != nil {
		for i, key := range rc.URLParams.Keys {
			value, err := url.PathUnescape(rc.URLParams.Values[i])
			if err != nil {
				value = rc.URLParams.Values[i]
			}
			path[key] = value
		}
	}
	// What cannot be read would be left out, and a list without its filter be answered.
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil && op.TakesQuery() {
		return []string{"the query must be name=value pairs, percent-encoded and joined by &"}
	}
	return op.CheckParams(path, query)
}

// badParameter answers what the generated router could not bind. The contract words it better, when it sees
// what is wrong.
func (a *api) badParameter(w http.ResponseWriter, r *http.Request, err error) {
	if op, ok := a.Contract.Find(r.Method, chi.RouteContext(r.Context()).RoutePattern()); ok {
		if problems := a.paramProblems(r, op); len(problems) > 0 {
			a.fail(w, r, fault.Invalid(problems...).Wrap(err))
			return
		}
	}
	a.fail(w, r, fault.Invalid("a parameter of the path, the query or the headers does not have the form that the documentation shows").Wrap(err))
}
