package sepa

import (
	"errors"
	"strings"
	"unicode"

	"kontor/internal/db"
)

// The references of owners: the start, and letters and digits of base 32 (RFC 4648).
const (
	titleStart  = "KT"
	titleLength = 12
)

// misread are what people make of letters that base 32 has, when they type a reference: it has no such digits.
var misread = strings.NewReplacer("0", "O", "1", "I", "8", "B")

// beneficiary finds for whom a payment is: the owner of the virtual IBAN that it was sent to, or else the one whose
// reference is in the remittance information. ok is false when it is for nobody, or could be for two.
func beneficiary(r db.Reader, e Entry) (to ref, ok bool, err error) {
	if e.Creditor.IBAN != "" {
		if to, ok, err = ownerAt(r, byIBAN, string(e.Creditor.IBAN)); ok || err != nil {
			return to, ok, err
		}
	}
	for _, title := range titlesIn(e.Title) {
		found, known, err := ownerAt(r, byTitle, title)
		switch {
		case err != nil:
			return ref{}, false, err
		case known && ok && found != to:
			return ref{}, false, nil
		case known:
			to, ok = found, true
		}
	}
	return to, ok, nil
}

// ownerAt finds an owner in the directory.
func ownerAt(r db.Reader, kind, key string) (to ref, ok bool, err error) {
	err = r.Row(selectOwner, kind, key).Scan(&to.partner, &to.id)
	if errors.Is(err, db.ErrNoRows) {
		return ref{}, false, nil
	}
	return to, err == nil, err
}

// titlesIn answers what in a remittance information can be a reference. Payers and banks write it in any case, in groups,
// and with words before and after it.
func titlesIn(text string) []string {
	plain := misread.Replace(strings.ToUpper(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)))
	var all []string
	for i := range plain {
		if len(plain)-i < titleLength {
			break
		}
		if title := plain[i : i+titleLength]; strings.HasPrefix(title, titleStart) && base32(title) {
			all = append(all, title)
		}
	}
	return all
}

func base32(text string) bool {
	for _, c := range text {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
