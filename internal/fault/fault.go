// Package fault is the one table of the errors that a partner can see: their codes, names, HTTP statuses
// and messages.
//
// Whatever a partner is told comes from here. Any other error becomes P500, and its text stays in the log:
// an error is shown to nobody unless it was written to be shown. The table also makes docs/errors.md.
package fault

//go:generate go run ./errorsdoc

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// retryAfter is how long a partner is asked to wait after P501 when nothing better is known.
const retryAfter = time.Second

// Code is an error's code on the wire, such as "P433". The constants are the only codes there are.
type Code string

// Error is an error that a partner may see. Code, Message, ObjectID and RetryAfter are shown; Cause is for
// the log only.
type Error struct {
	Code       Code
	Message    string        // one or more sentences
	ObjectID   string        // P409: the object that the key's first request made; empty when there is none
	RetryAfter time.Duration // when to try again; zero says nothing about it
	Cause      error         // never shown to partners; can be nil
}

// Error returns the error with its cause, for logs. It is not what a partner is shown.
func (e *Error) Error() string {
	text := string(e.Code)
	if name := e.Code.Row().Name; name != "" {
		text += " " + name
	}
	text += ": " + e.Message
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Wrap returns a copy with a cause, which goes to the log and never to a partner.
func (e *Error) Wrap(cause error) *Error {
	wrapped := *e
	wrapped.Cause = cause
	return &wrapped
}

// New returns an error with the message of the table. P501 asks to try again in a second. It panics for a
// code that is not in the table, as everything here does.
func New(c Code) *Error {
	e := &Error{Code: c, Message: c.Row().Message}
	if c == ServiceUnavailable {
		e.RetryAfter = retryAfter
	}
	return e
}

// Newf returns an error with a message of its own. The message is shown to partners: it may contain only
// what they may know, and no text of another error.
func Newf(c Code, format string, args ...any) *Error {
	e := New(c)
	e.Message = fmt.Sprintf(format, args...)
	return e
}

// Invalid returns a validation error (P403) that lists everything wrong with a request: each sentence
// without its full stop, in the order in which they are to be read.
func Invalid(sentences ...string) *Error {
	if len(sentences) == 0 {
		return New(Validation)
	}
	return Newf(Validation, "%s.", strings.Join(sentences, ". "))
}

// The reasons for which access is denied (P401), in the order in which they are checked.
const (
	NoKey          = "xo1" // no API key was sent
	WrongKey       = "xo2" // the key is unknown or revoked
	AddressRefused = "xo3" // the request came from an address that is not on the partner's allowlist
)

// Denied returns the P401 error for one of the reasons NoKey, WrongKey and AddressRefused. It panics for
// any other text: what is said here is said to strangers.
func Denied(reason string) *Error {
	switch reason {
	case NoKey, WrongKey, AddressRefused:
		return Newf(AccessDenied, "Access Denied. %s", reason)
	}
	panic(fmt.Sprintf("fault: no reason to deny access: %q", reason))
}

// From returns the error that a partner is shown for err: the Error in its chain, or P500 with err as its
// cause. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return New(UnknownException).Wrap(err)
}
