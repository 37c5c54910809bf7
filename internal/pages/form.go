package pages

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// form is what a user sent, as it was sent, and what is wrong with it.
type form struct {
	values url.Values
	errors map[string]string // by field, in the user's language
	order  []string          // fields with errors, as the form has them
}

func newForm(values url.Values) *form {
	return &form{values: values, errors: map[string]string{}}
}

func (f *form) get(field string) string { return strings.TrimSpace(f.values.Get(field)) }

// wrong notes what is wrong with a field. The first error of a field counts.
func (f *form) wrong(field, text string) {
	if _, ok := f.errors[field]; !ok {
		f.errors[field] = text
		f.order = append(f.order, field)
	}
}

func (f *form) ok() bool { return len(f.errors) == 0 }

// Limits of what a user types.
const (
	minNumber = 3
	maxNumber = 40
	maxMRZ    = 120 // three lines of 30, or two of 44, and some space
)

var (
	documentNumber = regexp.MustCompile(`^[\p{L}\p{Nd}-]+$`)
	blanks         = regexp.MustCompile(`[ \t]+`)
)

// describe reads the form of the document. today is the date for which the document must be valid.
func (f *form) describe(c *catalogue, countries []string, today time.Time) Document {
	d := Document{
		Type: f.get("type"), Country: strings.ToUpper(f.get("country")), MRZ: machineReadable(f.get("mrz")),
		Number: strings.ToUpper(blanks.ReplaceAllString(f.get("number"), "")),
	}
	if !slices.Contains(documentTypes, d.Type) {
		f.wrong("type", c.say("error.type"))
	}
	if !slices.Contains(countries, d.Country) {
		f.wrong("country", c.say("error.country"))
	}
	switch length := len([]rune(d.Number)); {
	case d.Number == "":
		f.wrong("number", c.say("error.number"))
	case length < minNumber, length > maxNumber, !documentNumber.MatchString(d.Number):
		f.wrong("number", c.say("error.number.form"))
	}
	d.Expires = f.date(c, today)
	if len(d.MRZ) > maxMRZ {
		f.wrong("mrz", c.say("error.mrz"))
	}
	return d
}

// date reads the date until which the document is valid, as YYYY-MM-DD.
func (f *form) date(c *catalogue, today time.Time) string {
	parts := []string{f.get("year"), f.get("month"), f.get("day")}
	if slices.Contains(parts, "") {
		f.wrong("expires", c.say("error.expires"))
		return ""
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			f.wrong("expires", c.say("error.expires.form"))
			return ""
		}
		numbers[i] = n
	}
	const firstYear, lastYear = 1900, 2999 // as people write years: with four digits
	date := time.Date(numbers[0], time.Month(numbers[1]), numbers[2], 0, 0, 0, 0, time.UTC)
	switch {
	case numbers[0] < firstYear, numbers[0] > lastYear, int(date.Month()) != numbers[1], date.Day() != numbers[2]:
		f.wrong("expires", c.say("error.expires.form"))
		return ""
	case date.Before(today.UTC().Truncate(24 * time.Hour)):
		f.wrong("expires", c.say("error.expires.past"))
	}
	return date.Format(time.DateOnly)
}

// machineReadable brings the lines into the form of ICAO 9303: capitals, without spaces, one line feed between lines.
func machineReadable(text string) string {
	return strings.Join(strings.Fields(strings.ToUpper(strings.NewReplacer(" ", "", "\t", "").Replace(text))), "\n")
}

// described fills the form with what is known of a document.
func described(d Document) *form {
	v := url.Values{"type": {d.Type}, "country": {d.Country}, "number": {d.Number}, "mrz": {d.MRZ}}
	if date, err := time.Parse(time.DateOnly, d.Expires); err == nil {
		v.Set("day", strconv.Itoa(date.Day()))
		v.Set("month", strconv.Itoa(int(date.Month())))
		v.Set("year", strconv.Itoa(date.Year()))
	}
	return newForm(v)
}
