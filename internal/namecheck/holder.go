package namecheck

import (
	"strings"
	"unicode"

	"kontor/internal/compliance/match"
)

// between are the words and signs between the holders of a joint account.
var between = set("& / + ; und u. oder od. and or et ou e y i en of och og ja tai ir eller")

// joins tells whether a sign divides holders even inside of a word.
func joins(r rune) bool { return r == '&' || r == '/' || r == '+' || r == ';' }

// holders divides the name of an account into its holders. One of whom only the given name is there has the surname of
// the last one: Alpha and Beta Test.
func holders(name string) [][]match.Word {
	var parts []string
	var now []string
	var spaced strings.Builder
	for _, r := range name {
		if joins(r) {
			spaced.WriteString(" " + string(r) + " ")
			continue
		}
		spaced.WriteRune(r)
	}
	all := strings.FieldsFunc(spaced.String(), unicode.IsSpace)
	for _, word := range all {
		if between[strings.ToLower(word)] {
			parts = append(parts, strings.Join(now, " "))
			now = nil
			continue
		}
		now = append(now, word)
	}
	parts = append(parts, strings.Join(now, " "))
	whole := words(name)
	if len(parts) == 1 {
		return [][]match.Word{whole}
	}
	var found [][]match.Word
	last := words(parts[len(parts)-1])
	for _, part := range parts {
		holder := words(part)
		if len(holder) == 1 && len(last) > 1 {
			holder = append(holder, last[1:]...)
		}
		if len(holder) > 1 {
			found = append(found, holder)
		}
	}
	if !strings.ContainsFunc(name, joins) { // such a word can be a part of one person's name
		found = append(found, whole)
	}
	return found
}
