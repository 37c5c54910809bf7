// Package iban reads and makes International Bank Account Numbers (ISO 13616-1:2020) and reads the codes of banks
// (ISO 9362).
//
// A number is checked as far as it can be without asking a bank: its country is in the SWIFT IBAN registry,
// its length and characters are those of that country, and its check digits are right (ISO/IEC 7064,
// MOD 97-10). National check digits inside the account number are computed for the numbers that Compose makes;
// National tells about those of others.
package iban

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What can be wrong with an IBAN, in the order in which it is found. The errors do not carry the number, so
// that no account gets into a log by way of them.
var (
	// ErrCharacter: there is something other than letters A to Z, digits and spaces.
	ErrCharacter = errors.New("iban: unexpected character")
	// ErrCountry: it does not begin with the code of a country that has IBANs.
	ErrCountry = errors.New("iban: not a country with IBANs")
	// ErrLength: the country's IBANs are longer or shorter.
	ErrLength = errors.New("iban: wrong length for the country")
	// ErrStructure: there are letters where the country has digits, or the reverse.
	ErrStructure = errors.New("iban: letters and digits are not where the country has them")
	// ErrCheckDigits: the check digits do not belong to the rest, as after a typing mistake.
	ErrCheckDigits = errors.New("iban: wrong check digits")
	// ErrNational: the country's own check digits do not belong to the rest, or there are none for it.
	ErrNational = errors.New("iban: wrong national check digits")
)

// IBAN is a valid number in electronic format: capital letters and digits without spaces. It comes from
// Parse or New.
type IBAN string

// Parse reads an IBAN in electronic or print format: letters in any case, spaces anywhere.
//
// Errors: ErrCharacter, ErrCountry, ErrLength, ErrStructure, ErrCheckDigits.
func Parse(s string) (IBAN, error) {
	text, err := electronic(s)
	if err != nil {
		return "", err
	}
	if len(text) < countryLength {
		return "", ErrCountry
	}
	country := text[:countryLength]
	structure, ok := structures[country]
	if !ok {
		return "", ErrCountry
	}
	if len(text) != bbanStart+len(structure) {
		return "", ErrLength
	}
	bban := text[bbanStart:]
	if !fits(bban, structure) {
		return "", ErrStructure
	}
	// Making the digits anew is stricter than the remainder alone: 00, 01 and 99 leave the same remainders
	// as 97, 98 and 02, but are never given.
	if text[countryLength:bbanStart] != checkDigits(country, bban) {
		return "", ErrCheckDigits
	}
	return IBAN(text), nil
}

// New makes an IBAN from the code of a country (ISO 3166-1 alpha-2) and a basic bank account number as that
// country has it, computing the check digits. Case and spaces do not matter.
//
// Errors: ErrCharacter, ErrCountry, ErrLength, ErrStructure.
func New(country, bban string) (IBAN, error) {
	code, err := electronic(country)
	if err != nil {
		return "", err
	}
	account, err := electronic(bban)
	if err != nil {
		return "", err
	}
	structure, ok := structures[code]
	if !ok {
		return "", ErrCountry
	}
	if len(account) != len(structure) {
		return "", ErrLength
	}
	if !fits(account, structure) {
		return "", ErrStructure
	}
	return IBAN(code + checkDigits(code, account) + account), nil
}

// Country returns the code that the number begins with: ISO 3166-1 alpha-2, or XK for Kosovo.
func (i IBAN) Country() string { return string(i[:countryLength]) }

// SEPA tells whether the SEPA schemes reach the country of the number.
func (i IBAN) SEPA() bool { return slices.Contains(sepa, i.Country()) }

// Print returns the print format: groups of four, separated by spaces, the last one as long as what is left.
func (i IBAN) Print() string {
	var b strings.Builder
	for at := 0; at < len(i); at += 4 {
		if at > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(i[at:min(at+4, len(i))]))
	}
	return b.String()
}

// An IBAN is two letters of country, two check digits, and the basic bank account number (BBAN).
const (
	countryLength = 2
	bbanStart     = 4
)

// electronic returns s without spaces and in capitals.
func electronic(s string) (string, error) {
	text := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
		case isDigit(c) || isLetter(c):
			text = append(text, c)
		case 'a' <= c && c <= 'z':
			text = append(text, c-'a'+'A')
		default:
			return "", ErrCharacter
		}
	}
	return string(text), nil
}

// fits reports whether a BBAN of the right length has letters and digits where its country has them.
func fits(bban, structure string) bool {
	for i := range len(bban) {
		switch structure[i] {
		case 'n':
			if !isDigit(bban[i]) {
				return false
			}
		case 'a':
			if !isLetter(bban[i]) {
				return false
			}
		}
	}
	return true
}

// checkDigits computes the two digits that make the whole number leave the remainder 1 when it is divided
// by 97: from 02 to 98.
func checkDigits(country, bban string) string {
	remainder := mod97(mod97(mod97(0, bban), country), "00")
	return fmt.Sprintf("%02d", 98-remainder)
}

// mod97 continues a division by 97 with more characters, a letter being a number of two digits: A is 10.
func mod97(remainder int, text string) int {
	for i := range len(text) {
		if c := text[i]; isDigit(c) {
			remainder = (remainder*10 + int(c-'0')) % 97
		} else {
			remainder = (remainder*100 + int(c-'A') + 10) % 97
		}
	}
	return remainder
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' }
