package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kontor/internal/clock"
	"kontor/internal/identity"
	"kontor/internal/rail/idcheck"
)

// How a check stands.
const (
	pending  = "pending"
	accepted = "accepted"
	refused  = "refused"
)

// answer is what a provider says of a check, in an answer or a callback.
type answer struct {
	ID       string   `json:"id"`
	Status   string   `json:"status"`
	Reason   string   `json:"reason"` // of a refusal, by the contract
	Review   bool     `json:"review"` // accepted, but an officer must look
	Document document `json:"document"`
}

// document is what the provider read from the document itself. All of it may be absent.
type document struct {
	Number       string `json:"number,omitempty"`
	IssueCountry string `json:"issueCountry,omitempty"` // ISO 3166 alpha-2
	ExpiryDate   string `json:"expiryDate,omitempty"`   // YYYY-MM-DD
	BirthDate    string `json:"birthDate,omitempty"`    // of its holder
}

// parse reads an answer. Members that it does not know may stand in it.
func parse(r io.Reader) (a answer, err error) {
	d := json.NewDecoder(r)
	if err := d.Decode(&a); err != nil {
		return answer{}, fmt.Errorf("the identity provider's answer is not the JSON that it should be: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return answer{}, errors.New("the identity provider's answer is more than one JSON value")
	}
	return a, nil
}

var (
	number  = regexp.MustCompile(`^[\p{L}\p{Nd} /.-]{1,40}$`)
	country = regexp.MustCompile(`^[A-Z]{2}$`)
)

// outcome is what an answer means: nothing while the check is pending.
func (a answer) outcome() (identity.Outcome, error) {
	switch {
	case a.Status == pending:
		return identity.Outcome{}, nil
	case a.Status == refused && slices.Contains(idcheck.Reasons, a.Reason):
		return identity.Outcome{Status: identity.Rejected, Reason: a.Reason}, nil
	case a.Status == refused:
		return identity.Outcome{}, errors.New("the identity provider refuses with a reason that is none of " + strings.Join(idcheck.Reasons, ", "))
	case a.Status != accepted:
		return identity.Outcome{}, errors.New("the identity provider's status is none of pending, accepted, refused")
	}
	d := a.Document
	switch {
	case d.Number != "" && !number.MatchString(d.Number),
		d.IssueCountry != "" && !country.MatchString(d.IssueCountry),
		!isDate(d.ExpiryDate), !isDate(d.BirthDate):
		return identity.Outcome{}, errors.New("what the identity provider says of the document has another form than it should have")
	}
	return identity.Outcome{Status: identity.Successful, Review: a.Review, Read: identity.Read{
		DocumentNumber: d.Number, IssueCountry: d.IssueCountry, ExpiryDate: d.ExpiryDate, BirthDate: d.BirthDate,
	}}, nil
}

// isDate tells whether a text is a date, or absent.
func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return text == "" || err == nil
}

// checkID names a check for the provider. The same attempt has the same one for ever.
func checkID(partner int64, attempt clock.ID) string {
	return strconv.FormatInt(partner, 10) + "-" + attempt.String()
}

// parseID reads what checkID made; false for what it cannot have made.
func parseID(text string) (partner int64, attempt clock.ID, ok bool) {
	number, id, _ := strings.Cut(text, "-")
	partner, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, clock.ID{}, false
	}
	attempt, err = clock.ParseID(id)
	return partner, attempt, err == nil && checkID(partner, attempt) == text
}
