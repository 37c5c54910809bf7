package iso20022

import (
	"strings"

	"github.com/mozillazg/go-unidecode"
)

// inSet is the Latin character set that every bank in SEPA takes (EPC217-08, 1.4).
const inSet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ "

// InSet tells whether a text consists of the SEPA Latin characters.
func InSet(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return !strings.ContainsRune(inSet, c) }) < 0
}

// instead of characters that have a meaning of their own.
var instead = strings.NewReplacer("&", "+", "_", "-", "@", "(at)", "[", "(", "]", ")", "{", "(", "}", ")", "\"", "'",
	"`", "'", ";", ",", "\n", " ", "\t", " ", "\r", " ")

// Text writes a text in the SEPA Latin character set and cuts it at a length: letters of other alphabets as they
// are usually transcribed (Müller is Muller, Łódź is Lodz), what has no counterpart as a dot.
func Text(s string, longest int) string {
	var b strings.Builder
	for _, c := range instead.Replace(unidecode.Unidecode(s)) {
		if !strings.ContainsRune(inSet, c) {
			c = '.'
		}
		b.WriteRune(c)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	if len(text) > longest {
		text = strings.TrimSpace(text[:longest])
	}
	return text
}

// The longest texts of the schemes.
const (
	maxName       = 70
	MaxRemittance = 140 // characters of unstructured remittance information
	maxID         = 35
)
