// Package idcheck is the rail of identity checks: the built-in checker, which judges what can be judged without
// looking at pictures, the outcomes that the caller of a sandbox chooses, and the connection to a provider outside.
package idcheck

import (
	"slices"
	"strings"

	"kontor/internal/fault"
	"kontor/internal/identity"
)

// Why an attempt can be refused.
const (
	NoFaceFound          = "NO_FACE_FOUND"
	FaceMismatch         = "FACE_MISMATCH"
	DocumentExpired      = "DOCUMENT_EXPIRED"
	DocumentUnreadable   = "DOCUMENT_UNREADABLE"
	DocumentNotSupported = "DOCUMENT_NOT_SUPPORTED"
	DataMismatch         = "DATA_MISMATCH"
	Underage             = "UNDERAGE"
	SuspectedFraud       = "SUSPECTED_FRAUD"
	DuplicateUser        = "DUPLICATE_USER"
	HighRisk             = "HIGH_RISK"
)

// Reasons are why an attempt can be refused, in the order of the contract. None is the beginning of another.
var Reasons = []string{
	NoFaceFound, FaceMismatch, DocumentExpired, DocumentUnreadable, DocumentNotSupported,
	DataMismatch, Underage, SuspectedFraud, DuplicateUser, HighRisk,
}

// Builtin is the checker that is part of the program.
type Builtin struct {
	Staging bool // the caller chooses outcomes; nothing of it works in production
}

// Check judges a case. In staging an outcome can be chosen: on the hosted page, by the document's number, or by
// the name of a file. P403 for an outcome that there is not.
func (b Builtin) Check(c identity.Case) (identity.Outcome, error) {
	var chosen identity.Outcome
	if b.Staging {
		var err error
		if chosen, err = choose(c); err != nil || chosen.Status == identity.Rejected {
			return chosen, err
		}
	}
	out := judge(c)
	if out.Status == identity.Successful {
		out.Review, out.Expired = chosen.Review, chosen.Expired
	}
	return out, nil
}

// choose reads the outcome that the caller of a sandbox wants.
func choose(c identity.Case) (identity.Outcome, error) {
	texts := []string{c.Claims.Outcome}
	if c.Claims.DocumentNumber != "" {
		texts = append(texts, c.Claims.DocumentNumber)
	} else {
		texts = append(texts, c.Person.DocumentNumber)
	}
	for _, d := range c.Documents {
		texts = append(texts, d.Name)
	}
	var all identity.Outcome
	for i, text := range texts {
		isFile := i > 1
		out, err := outcome(text, isFile)
		if err != nil || out.Status == identity.Rejected {
			return out, err
		}
		all.Review = all.Review || out.Review
		all.Expired = all.Expired || out.Expired
	}
	return all, nil
}

// CheckNumber refuses with P403 a document's number that chooses an outcome of the sandbox that there is not.
func CheckNumber(number string) error {
	_, err := outcome(number, false)
	return err
}

// outcome reads one text: REJECT-<REASON>, MANUAL, EXPIRED. A file's name can only refuse: it may say anything.
func outcome(text string, isFile bool) (identity.Outcome, error) {
	text = strings.ToUpper(text)
	if _, reason, ok := strings.Cut(text, "REJECT-"); ok {
		i := slices.IndexFunc(Reasons, func(r string) bool { return strings.HasPrefix(reason, r) })
		switch {
		case i >= 0:
			return identity.Outcome{Status: identity.Rejected, Reason: Reasons[i]}, nil
		case !isFile:
			return identity.Outcome{}, fault.Invalid(
				"documentNumber contains REJECT- without one of the following reasons: " + strings.Join(Reasons, ", "))
		}
	}
	if isFile {
		return identity.Outcome{}, nil
	}
	return identity.Outcome{Review: strings.Contains(text, "MANUAL"), Expired: strings.Contains(text, "EXPIRED")}, nil
}

// judge looks at what is known of a document and its holder.
func judge(c identity.Case) identity.Outcome {
	for _, rule := range rules {
		if reason := rule(c); reason != "" {
			return identity.Outcome{Status: identity.Rejected, Reason: reason}
		}
	}
	read, reason := zone(c)
	if reason != "" {
		return identity.Outcome{Status: identity.Rejected, Reason: reason}
	}
	return identity.Outcome{Status: identity.Successful, Read: read}
}
