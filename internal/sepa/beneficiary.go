package sepa

import (
	"slices"
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

// selectPayees looks up key by key, as selectKnown does.
var selectPayees = db.NewQuery(db.ListUnion(2, `SELECT key, partner_id, object_id FROM directory WHERE kind = $1 AND key = VALUE`))

// beneficiaries finds for whom payments are: the owner of the virtual IBAN that each was sent to, or else the one whose
// reference is in the remittance information. One that is for nobody, or could be for two, is missing in the answer.
func beneficiaries(r db.Reader, payments []Entry) (map[int]ref, error) {
	var numbers, titles []string
	for _, e := range payments {
		if e.Creditor.IBAN != "" {
			numbers = append(numbers, string(e.Creditor.IBAN))
		}
	}
	byNumber, err := ownersAt(r, byIBAN, numbers)
	if err != nil {
		return nil, err
	}
	all := make(map[int]ref, len(payments))
	for i, e := range payments {
		if to, ok := byNumber[string(e.Creditor.IBAN)]; ok {
			all[i] = to
			continue
		}
		titles = append(titles, titlesIn(e.Title)...)
	}
	byName, err := ownersAt(r, byTitle, titles)
	if err != nil {
		return nil, err
	}
	for i, e := range payments {
		if _, found := all[i]; found {
			continue
		}
		if to, ok := theOne(byName, titlesIn(e.Title)); ok {
			all[i] = to
		}
	}
	return all, nil
}

// theOne is the only owner among those of some references.
func theOne(owners map[string]ref, titles []string) (to ref, ok bool) {
	for _, title := range titles {
		found, known := owners[title]
		if known && ok && found != to {
			return ref{}, false
		}
		if known {
			to, ok = found, true
		}
	}
	return to, ok
}

// beneficiary finds for whom a payment is; ok is false when it is for nobody, or could be for two.
func beneficiary(r db.Reader, e Entry) (to ref, ok bool, err error) {
	found, err := beneficiaries(r, []Entry{e})
	to, ok = found[0]
	return to, ok, err
}

// ownersAt finds owners in the directory.
func ownersAt(r db.Reader, kind string, keys []string) (map[string]ref, error) {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	all := make(map[string]ref, len(keys))
	for _, args := range db.Lists(keys, kind) {
		rows := r.Rows(selectPayees, args...)
		for rows.Next() {
			var key string
			var to ref
			if err := rows.Scan(&key, &to.partner, &to.id); err != nil {
				return nil, err
			}
			all[key] = to
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
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
