package idcheck

import (
	"slices"
	"time"

	"kontor/internal/identity"
)

// adult is the age from which an account can be opened.
const adult = 18

// rules answer why a case is refused, or nothing. The first reason counts.
var rules = []func(identity.Case) string{supported, complete, valid, grownUp}

// supported wants a type of document that is known; the sandbox's own attempts need none.
func supported(c identity.Case) string {
	known := []string{identity.Passport, identity.IDCard, identity.ResidencePermit, identity.DriverLicense}
	if c.Staged || slices.Contains(known, c.Claims.DocumentType) {
		return ""
	}
	return DocumentNotSupported
}

// complete wants all sides of the document and the face of its holder.
func complete(c identity.Case) string {
	switch missing := identity.MissingSides(c.Claims.DocumentType, c.Documents); {
	case c.Staged || c.Claims.Outcome != "" || len(missing) == 0:
		return ""
	case slices.Equal(missing, []string{identity.Selfie}):
		return NoFaceFound
	}
	return DocumentUnreadable
}

// valid refuses a document whose last day is over, and one that says it will be issued.
func valid(c identity.Case) string {
	today := c.Today.Format(time.DateOnly)
	switch {
	case c.Claims.ExpiryDate != "" && c.Claims.ExpiryDate < today:
		return DocumentExpired
	case c.Claims.IssueDate > today:
		return DataMismatch
	}
	return ""
}

// grownUp refuses who is not of age.
func grownUp(c identity.Case) string {
	if tooYoung(c.Person.BirthDate, c.Today) {
		return Underage
	}
	return ""
}

// tooYoung tells whether somebody born on a day is not of age; nobody is whose day is not known.
func tooYoung(birthDate string, today time.Time) bool {
	born, err := time.Parse(time.DateOnly, birthDate)
	return err == nil && born.AddDate(adult, 0, 0).After(today)
}
