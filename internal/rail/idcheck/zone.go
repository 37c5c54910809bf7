package idcheck

import (
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"kontor/internal/identity"
	"kontor/internal/rail/idcheck/mrz"
)

// zone compares the machine-readable zone, when somebody typed or scanned it, with what was declared. It answers
// what the document says of itself, and why the case is refused, or nothing.
func zone(c identity.Case) (identity.Read, string) {
	if c.Claims.MRZ == "" {
		return identity.Read{}, ""
	}
	z, err := mrz.Parse(c.Claims.MRZ)
	if err != nil {
		return identity.Read{}, DocumentUnreadable
	}
	read := identity.Read{DocumentNumber: z.Number, IssueCountry: alpha2(z.Issuer), ExpiryDate: z.Expiry.Format(time.DateOnly)}
	read.BirthDate, _ = z.Birth(c.Today)
	isPassport := strings.HasPrefix(z.Code, "P")
	switch {
	case z.Expiry.Before(c.Today):
		return read, DocumentExpired
	case !c.Staged && isPassport != (c.Claims.DocumentType == identity.Passport),
		differ(c.Claims.DocumentNumber, z.Number, plain),
		differ(c.Claims.ExpiryDate, read.ExpiryDate, plain),
		differ(c.Person.BirthDate, read.BirthDate, plain),
		!sameName(c.Person.FirstName, c.Person.LastName, z):
		return read, DataMismatch
	case tooYoung(read.BirthDate, c.Today):
		return read, Underage
	}
	return read, ""
}

// differ compares what is known of both sides.
func differ(a, b string, form func(string) string) bool {
	return a != "" && b != "" && form(a) != form(b)
}

// plain is a number or a date without what people put between.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, text)
}

// alpha2 turns the code of a state into that of ISO 3166; empty for codes that only zones have.
func alpha2(code string) string {
	if code == "D" { // Germany, by part 3 of Doc 9303
		return "DE"
	}
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() {
		return ""
	}
	return region.String()
}

// sameName compares a profile's name with that of a zone: the surname, and the first of the given names, because a
// zone cuts what does not fit. A name in a script whose letters a zone spells in ways of its own is not compared.
func sameName(firstName, lastName string, z mrz.Zone) bool {
	for _, spell := range []map[rune]string{spelt, nil} {
		first, last := letters(firstName, spell), letters(lastName, spell)
		if first == "" || last == "" {
			return true
		}
		surname, given, _ := strings.Cut(letters(z.Surname, nil)+"|"+letters(z.Given, nil), "|")
		if (last == surname || (z.Cut && surname != "" && strings.HasPrefix(last, surname))) &&
			(given == "" || strings.HasPrefix(given, first) || strings.HasPrefix(first, given)) {
			return true
		}
	}
	return false
}

// spelt are the letters that part 3, section 6 of Doc 9303 spells with two.
var spelt = map[rune]string{
	'Ä': "AE", 'Å': "AA", 'Æ': "AE", 'Ö': "OE", 'Ø': "OE", 'Œ': "OE", 'Ü': "UE", 'ẞ': "SS", 'ß': "SS", 'Þ': "TH", 'Ĳ': "IJ",
}

// others are letters that are no letter with a mark.
var others = map[rune]string{
	'Æ': "AE", 'Œ': "OE", 'Ø': "O", 'ß': "SS", 'ẞ': "SS", 'Þ': "TH", 'Ð': "D", 'Đ': "D", 'Ł': "L", 'Ħ': "H", 'Ŧ': "T", 'Ŋ': "N", 'Ĳ': "IJ",
}

// letters are a name's letters A–Z without marks; empty when it has letters that cannot be spelt so.
func letters(name string, spell map[rune]string) string {
	var out strings.Builder
	for _, r := range norm.NFC.String(strings.ToUpper(name)) {
		if text, ok := spell[r]; ok {
			out.WriteString(text)
			continue
		}
		if text, ok := others[r]; ok {
			out.WriteString(text)
			continue
		}
		for _, part := range norm.NFD.String(string(r)) {
			switch {
			case part >= 'A' && part <= 'Z':
				out.WriteRune(part)
			case unicode.IsLetter(part):
				return ""
			}
		}
	}
	return out.String()
}
