// Package mrz reads the machine-readable zone of travel documents as ICAO Doc 9303 lays it out: TD1 (part 5, identity
// cards, three lines of 30), TD2 (part 6, two lines of 36) and TD3 (part 4, passports, two lines of 44). It proves the
// check digits, and reads nothing whose digits are wrong.
package mrz

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Format is the layout of a zone.
type Format string

// The formats.
const (
	TD1 Format = "TD1"
	TD2 Format = "TD2"
	TD3 Format = "TD3"
)

// maxText is how much text is looked at: three lines and what people put around them.
const maxText = 400

// Zone is what a machine-readable zone says.
type Zone struct {
	Format    Format
	Code      string // P, I, AC …: the type of the document
	Issuer    string // of the document, a code of three letters of part 3 (D for Germany)
	Surname   string // primary identifier, in the zone's own letters A–Z
	Given     string // secondary identifier; cut when it did not fit
	Cut       bool   // the name fills its field: it may go on
	Number    string
	Holder    string    // nationality, a code of three letters
	BirthDate string    // YYMMDD; < where unknown
	Sex       string    // M, F or < for not said
	Expiry    time.Time // the last day on which the document is valid
	Optional  string    // what the issuer put there
}

var (
	errForm  = errors.New("mrz: a zone has three lines of 30, two of 36 or two of 44 characters A–Z, 0–9 and <")
	errDigit = errors.New("mrz: a check digit is wrong")
)

// Parse reads a zone as it was typed or scanned: lines may be separated in any way, small letters and spaces do not
// matter. The error says which check digit is wrong.
func Parse(text string) (Zone, error) {
	lines, format, err := split(text)
	if err != nil {
		return Zone{}, err
	}
	if format == TD1 {
		return readTD1(lines)
	}
	return readTwo(lines, format)
}

// split finds the lines of a zone.
func split(text string) ([]string, Format, error) {
	if len(text) > maxText {
		return nil, "", errForm
	}
	var all strings.Builder
	for _, r := range strings.ToUpper(text) {
		switch {
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '<':
			all.WriteRune(r)
		case strings.ContainsRune(" \t\r\n", r):
		default:
			return nil, "", errForm
		}
	}
	zone := all.String()
	length, format := 0, TD1
	switch len(zone) {
	case 90:
		length = 30
	case 72:
		length, format = 36, TD2
	case 88:
		length, format = 44, TD3
	default:
		return nil, "", errForm
	}
	var lines []string
	for ; zone != ""; zone = zone[length:] {
		lines = append(lines, zone[:length])
	}
	return lines, format, nil
}

// readTD1 reads three lines of 30.
func readTD1(lines []string) (Zone, error) {
	one, two := lines[0], lines[1]
	z := Zone{
		Format: TD1, Code: clean(one[0:2]), Issuer: clean(one[2:5]), Number: clean(one[5:14]), Optional: clean(one[15:30]),
		BirthDate: two[0:6], Sex: two[7:8], Holder: clean(two[15:18]),
	}
	number, digit := one[5:14], one[14:15]
	if digit == "<" { // a longer number goes on in the optional data, and ends with its digit
		rest, _, _ := strings.Cut(one[15:30], "<")
		if rest == "" {
			return Zone{}, fmt.Errorf("%w: of the document's number", errDigit)
		}
		number, digit = number+rest[:len(rest)-1], rest[len(rest)-1:]
		z.Number, z.Optional = clean(number), clean(one[15+len(rest):30])
	}
	z.name(lines[2])
	return z, z.prove(two[8:14], []field{
		{"the document's number", number, digit},
		{"the date of birth", two[0:6], two[6:7]},
		{"the date of expiry", two[8:14], two[14:15]},
		{"the whole", one[5:30] + two[0:7] + two[8:15] + two[18:29], two[29:30]},
	})
}

// readTwo reads two lines of 36 or 44, which begin alike.
func readTwo(lines []string, format Format) (Zone, error) {
	one, two := lines[0], lines[1]
	z := Zone{
		Format: format, Code: clean(one[0:2]), Issuer: clean(one[2:5]), Number: clean(two[0:9]), Holder: clean(two[10:13]),
		BirthDate: two[13:19], Sex: two[20:21],
	}
	z.name(one[5:])
	fields := []field{
		{"the document's number", two[0:9], two[9:10]},
		{"the date of birth", two[13:19], two[19:20]},
		{"the date of expiry", two[21:27], two[27:28]},
	}
	if format == TD3 {
		z.Optional = clean(two[28:42])
		return z, z.prove(two[21:27], append(fields,
			field{"the personal number", two[28:42], two[42:43]},
			field{"the whole", two[0:10] + two[13:20] + two[21:43], two[43:44]}))
	}
	z.Optional = clean(two[28:35])
	if two[9:10] == "<" { // as in TD1
		rest, _, _ := strings.Cut(two[28:35], "<")
		if rest == "" {
			return Zone{}, fmt.Errorf("%w: of the document's number", errDigit)
		}
		fields[0] = field{"the document's number", two[0:9] + rest[:len(rest)-1], rest[len(rest)-1:]}
		z.Number, z.Optional = clean(fields[0].text), clean(two[28+len(rest):35])
	}
	return z, z.prove(two[21:27], append(fields, field{"the whole", two[0:10] + two[13:20] + two[21:35], two[35:36]}))
}

// field is a part of a zone with its check digit.
type field struct{ name, text, digit string }

// prove proves all check digits and reads the date of expiry.
func (z *Zone) prove(expiry string, fields []field) error {
	for _, f := range fields {
		empty := strings.Trim(f.text, "<") == "" && f.digit == "<" // of an optional field that is not used
		if !empty && f.digit != string(checkDigit(f.text)) {
			return fmt.Errorf("%w: of %s", errDigit, f.name)
		}
	}
	last, err := time.Parse("060102", expiry)
	if err != nil {
		return errForm
	}
	if last.Year() < 2000 { // no document is valid for so long: the pivot of the library is for dates of birth
		last = last.AddDate(100, 0, 0)
	}
	z.Expiry = last
	if z.Surname == "" || z.Number == "" {
		return errForm
	}
	return nil
}

// name reads the field of the name: the primary identifier, two fillers, the secondary one.
func (z *Zone) name(text string) {
	surname, given, _ := strings.Cut(text, "<<")
	z.Surname, z.Given, z.Cut = clean(surname), clean(given), !strings.HasSuffix(text, "<")
}

// clean makes spaces of fillers.
func clean(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '<' }), " ")
}

// checkDigit is the digit of part 3, section 4.9: weights 7, 3, 1; A is 10, < is 0; modulo 10.
func checkDigit(text string) byte {
	sum := 0
	for i := range len(text) {
		value := 0
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			value = int(c - '0')
		case c >= 'A' && c <= 'Z':
			value = int(c-'A') + 10
		}
		sum += value * [...]int{7, 3, 1}[i%3]
	}
	return byte('0' + sum%10)
}

// Birth is the date of birth, YYYY-MM-DD, as it was before a day: a year that would lie in the future is of the
// century before. False when the zone leaves a part of it open.
func (z Zone) Birth(today time.Time) (string, bool) {
	born, err := time.Parse("060102", z.BirthDate)
	if err != nil {
		return "", false
	}
	if born.After(today) {
		born = born.AddDate(-100, 0, 0)
	}
	return born.Format(time.DateOnly), true
}
