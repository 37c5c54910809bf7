package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"kontor/internal/fault"
	"kontor/internal/trace"
)

// answer writes a JSON answer. A json.RawMessage goes out as it is.
func (a *api) answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	text, written := body.(json.RawMessage)
	if !written {
		var err error
		if text, err = json.Marshal(body); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	write(w, status, "application/json", text)
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// problem is an error on the wire: three strings, and in the form of RFC 9457 its members as well.
type problem struct {
	Type         string `json:"type,omitempty"`
	Title        string `json:"title,omitempty"`
	Status       int    `json:"status,omitempty"`
	Detail       string `json:"detail,omitempty"`
	ErrorCode    string `json:"errorCode"`
	ErrorName    string `json:"errorName,omitempty"`
	ErrorMessage string `json:"errorMessage"`
	ObjectID     string `json:"objectId,omitempty"`
}

// fail answers an error from the one table. What is not in the table is P500, and its text stays in the log.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.From(err)
	row := f.Code.Row()
	if errors.Is(r.Context().Err(), context.Canceled) {
		a.Log.InfoContext(r.Context(), "the client hung up", "code", string(f.Code))
	} else {
		a.Metrics.Error(string(f.Code))
		if row.Status >= 500 || f.Code == fault.UnknownException || f.Code == fault.ServiceUnavailable {
			a.Log.ErrorContext(r.Context(), "request failed", "code", string(f.Code), "error", err)
			trace.Fail(r.Context(), f.Code)
		}
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	p := problem{ErrorCode: string(f.Code), ErrorName: row.Name, ErrorMessage: f.Message, ObjectID: f.ObjectID}
	if f.Code == fault.Validation {
		p.ErrorName = "" // the contract gives validation errors no name
	}
	contentType := "application/json"
	if strings.Contains(r.Header.Get("Accept"), "application/problem+json") {
		contentType = "application/problem+json"
		p.Type, p.Title, p.Status, p.Detail = "about:blank", http.StatusText(row.Status), row.Status, f.Message
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings always marshal
	}
	write(w, row.Status, contentType, text)
}
