package iban

import (
	"errors"
	"regexp"
	"strings"
)

// ErrBIC says that a text is no Business Identifier Code.
var ErrBIC = errors.New("iban: not a BIC")

// BIC is a Business Identifier Code (ISO 9362:2022) in capitals: eight characters, or eleven with a branch. It
// comes from ParseBIC.
type BIC string

// The last two groups are those of ISO 9362: what was the location is part of the prefix since 2014.
var bicForm = regexp.MustCompile(`^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$`)

// ParseBIC reads a BIC in any case. Whether it is registered, nobody can tell from its characters.
//
// Errors: ErrBIC.
func ParseBIC(s string) (BIC, error) {
	text := strings.ToUpper(strings.TrimSpace(s))
	if !bicForm.MatchString(text) {
		return "", ErrBIC
	}
	return BIC(text), nil
}

// Country returns the code of the country (ISO 3166-1 alpha-2, or XK).
func (b BIC) Country() string { return string(b[4:6]) }

// Full returns the eleven characters: eight stand for the head office.
func (b BIC) Full() string {
	if len(b) == 8 {
		return string(b) + strings.Repeat("X", 3)
	}
	return string(b)
}

// Test tells whether it is that of a test participant, which no real payment reaches.
func (b BIC) Test() bool { return b[7] == '0' }
