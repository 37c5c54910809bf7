package namecheck

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mozillazg/go-unidecode"
	"golang.org/x/text/unicode/norm"

	"kontor/internal/compliance/match"
)

// How companies' names are weighed, in thousandths.
const (
	otherForm   = 800 // of another legal form: another company
	missingForm = 970 // one side has none
	otherWord   = 120 // a word that only one side has
	noCompany   = 300 // at most, when words differ on both sides
)

// forms are legal forms by the ways of writing them, without dots and spaces, the longest first within a row.
var forms = map[string]string{
	"gesellschaftmitbeschrankterhaftung": "gmbh", "gmbh": "gmbh", "mbh": "gmbh", "gesmbh": "gmbh",
	"aktiengesellschaft": "ag", "ag": "ag", "unternehmergesellschafthaftungsbeschrankt": "ug", "ughaftungsbeschrankt": "ug", "ug": "ug",
	"gmbhcokg": "gmbhcokg", "gmbhundcokg": "gmbhcokg", "gmbhcokommanditgesellschaft": "gmbhcokg",
	"kommanditgesellschaft": "kg", "kg": "kg", "offenehandelsgesellschaft": "ohg", "ohg": "ohg", "gbr": "gbr", "ek": "ek",
	"limited": "ltd", "ltd": "ltd", "privatelimitedcompany": "ltd", "publiclimitedcompany": "plc", "plc": "plc",
	"limitedliabilitypartnership": "llp", "llp": "llp", "limitedliabilitycompany": "llc", "llc": "llc",
	"incorporated": "inc", "inc": "inc", "corporation": "corp", "corp": "corp", "dac": "dac",
	"designatedactivitycompany": "dac",
	"societeanonyme":            "sa", "sa": "sa", "societeparactionssimplifiee": "sas", "sas": "sas", "sasu": "sas",
	"societearesponsabilitelimitee": "sarl", "sarl": "sarl", "eurl": "eurl", "sociedadanonima": "sa", "sociedadlimitada": "sl", "sl": "sl",
	"slu": "sl", "sociedadederesponsabilidadelimitada": "lda", "limitada": "lda", "lda": "lda",
	"societaperazioni": "spa", "spa": "spa", "societaaresponsabilitalimitata": "srl", "srl": "srl", "srls": "srl",
	"beslotenvennootschap": "bv", "bv": "bv", "naamlozevennootschap": "nv", "nv": "nv",
	"uzdarojiakcinebendrove": "uab", "uab": "uab", "akcinebendrove": "ab", "ab": "ab", "aktiebolag": "ab", "aktiebolaget": "ab",
	"mazojibendrija": "mb", "mb": "mb",
	"sabiedribaarierobezotuatbildibu": "sia", "sia": "sia", "osauhing": "ou", "ou": "ou", "aktsiaselts": "as", "as": "as",
	"osakeyhtio": "oy", "oy": "oy", "oyj": "oyj", "aksjeselskap": "as", "aktieselskab": "as", "anpartsselskab": "aps", "aps": "aps",
	"spolkazograniczonaodpowiedzialnoscia": "spzoo", "spzoo": "spzoo", "zoo": "spzoo", "spolkaakcyjna": "sa",
	"spolecnostsrucenimomezenym": "sro", "spolsro": "sro", "sro": "sro", "drustvosogranicenomodgovornoscu": "doo", "doo": "doo",
	"korlatoltfelelossegutarsasag": "kft", "kft": "kft", "zrt": "zrt", "ood": "ood", "eood": "eood", "ead": "ead",
	"se": "se", "societaseuropaea": "se", "eg": "eg", "ev": "ev",
}

// common are legal forms that are no names of people.
var common = set("gmbh gmbhcokg ug ohg gbr ltd plc llp llc inc corp sarl eurl srl bv nv uab sia spzoo sro doo kft zrt eood lda sl")

// empty are words that say nothing of which company it is.
var empty = set("the and und et y e i & co company")

// longestForm is how many words a legal form has at most.
const longestForm = 6

// Company scores whether a sender's name is that of a company. A name that it trades as counts too: One Ltd t/a Two.
func Company(legal, sender string) int64 {
	var best int64
	for _, mine := range []string{legal, match.Widened(legal)} {
		own := newFirm(mine)
		if len(own.words) == 0 {
			return 0
		}
		for _, text := range trading(sender) {
			best = max(best, own.score(newFirm(text)), own.score(newFirm(match.Widened(text))))
		}
	}
	return best
}

// firm is a company's name: what it is called, and its legal form.
type firm struct {
	words   []string
	form    string
	foreign bool // from another script than the Latin one
}

func newFirm(name string) firm {
	f := firm{foreign: match.Joined(match.Words(name)...).Foreign}
	all := plain(name)
	for at := 0; at < len(all); {
		taken := 0
		for n := min(longestForm, len(all)-at); n > 0; n-- {
			form, ok := forms[strings.Join(all[at:at+n], "")]
			if ok && (at > 0 || at+n < len(all)) { // a name of nothing but a form is a name
				f.form, taken = form, n
				break
			}
		}
		if taken == 0 {
			f.words = append(f.words, all[at])
			taken = 1
		}
		at += taken
	}
	if core := slices.DeleteFunc(slices.Clone(f.words), func(w string) bool { return empty[w] }); len(core) > 0 {
		f.words = core
	}
	return f
}

// plain are the words of a company's name in a–z and 0–9. Dots inside a word do not divide it: S.r.l.
func plain(name string) []string {
	text := strings.ToLower(unidecode.Unidecode(norm.NFKC.String(name)))
	text = strings.NewReplacer(".", "", "'", "", "`", "", "/", "", "\"", "", "(", " ", ")", " ").Replace(text)
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '&' })
}

// trading divides a name at the words that introduce another one.
func trading(name string) []string {
	all := []string{name}
	lower := strings.ToLower(name)
	for _, mark := range []string{" t/a ", " trading as ", " dba ", " d/b/a "} {
		if at := strings.Index(lower, mark); at > 0 && len(lower) == len(name) {
			all = append(all, name[:at], name[at+len(mark):])
		}
	}
	return all
}

func (f firm) score(other firm) int64 {
	score := int64(exact)
	switch {
	case f.form == other.form:
	case f.form == "" || other.form == "":
		score = missingForm
	default:
		score = otherForm
	}
	a, b := strings.Join(f.words, ""), strings.Join(other.words, "")
	if a == b {
		return score
	}
	scripts := f.foreign != other.foreign
	if scripts && sound(a) == sound(b) {
		return min(score, sameSound)
	}
	mine, others := only(f.words, other.words, scripts), only(other.words, f.words, scripts)
	switch {
	case len(mine) > 0 && len(others) > 0:
		if digits(a) == digits(b) && (alike(a, b) || fewDiffer(word(strings.Join(mine, "")), word(strings.Join(others, "")))) {
			return min(score, near)
		}
		return min(score, noCompany)
	case len(mine) == len(f.words) || len(others) == len(other.words):
		return 0
	}
	return max(min(score, exact-otherWord*int64(len(mine)+len(others))), 0)
}

// alike tells whether two names of companies are near each other.
func alike(a, b string) bool {
	return fewDiffer(word(a), word(b)) || len(a) > 5 && match.Closeness(word(a), word(b)) >= nearSound
}

// word is a name's letters as names of people are compared.
func word(text string) match.Word { return match.Joined(match.Words(text)...) }

// sound is a name by its sound; figures stay as they are.
func sound(text string) string { return word(text).Sound + " " + digits(text) }

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)
}

// only are the words that the other name has not; one in another script has them by their sound.
func only(words, other []string, scripts bool) (left []string) {
	for _, w := range words {
		if !slices.ContainsFunc(other, func(o string) bool { return o == w || scripts && sound(o) == sound(w) && len(w) > 2 }) {
			left = append(left, w)
		}
	}
	return left
}

// isCompany tells whether a sender has a legal form, which is no part of the person's own name.
func isCompany(holder []match.Word, p person) bool {
	own := append(clone(p.given), p.surname...)
	for _, w := range holder {
		mine := slices.ContainsFunc(own, func(o match.Word) bool { return o.Plain == w.Plain })
		if common[w.Plain] && !mine {
			return true
		}
	}
	return false
}
