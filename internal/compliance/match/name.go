// Package match finds the entries of lists that a person may be. It compares names across scripts, spellings
// and orders, and takes birth date and country as evidence. Everything is in memory; an Index does not change
// and is safe for concurrent use.
package match

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mozillazg/go-unidecode"
	"golang.org/x/text/unicode/norm"
)

// maxTokens bounds the parts of a name that are compared, and maxName the characters that are read.
const (
	maxTokens = 12
	maxName   = 300
)

// token is one part of a name, in the forms in which it is compared.
type token struct {
	plain  string // a–z
	bare   string // folded and without an article that was written as one with it; usually empty
	fold   string // without what transliterations differ in
	coarse string // folded further, by what whole languages differ in; empty when that changes nothing
	skel   string // its consonants, by sound: what parts are looked up by
	group  int16  // of given names that are one name in several languages; 0 for none
	abjad  bool   // from a script that does not write vowels
}

// initial tells whether the token is a single letter that stands for a name.
func (t token) initial() bool { return len(t.plain) == 1 }

// optional tells whether the token may be missing: an initial, or a patronymic, which many documents leave out.
func (t token) optional() bool { return t.initial() || patronymic(t.plain) }

func patronymic(plain string) bool {
	for _, end := range []string{"ovich", "evich", "ovych", "yovych", "ovna", "evna", "ivna", "ichna"} {
		if len(plain) > len(end)+2 && strings.HasSuffix(plain, end) {
			return true
		}
	}
	return false
}

// titles and particles say nothing about who a person is.
var titles = words(`mr mrs ms miss dr prof sir lord lady sheikh shaykh shaikh sheik haji hajji hadji mullah mawlawi
	maulvi maulana eng gen general col colonel capt captain maj major lt jr sr ii iii pan pani herr frau monsieur
	madame president`)

var particles = words(`al el ul as ad ar an ed ud de del della di da do dos das du van von der den ter la le bin ben
	ibn bn abn bint y und zu af av`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// tokens divides a name, in any script, into its parts.
func tokens(name string) []token {
	var all []token
	for _, w := range latin(name) {
		plain := strings.ReplaceAll(w.text, "'", "")
		if titles[plain] || particles[plain] || plain == "" {
			continue
		}
		for _, part := range compounds(plain) {
			all = append(all, newToken(part, w.abjad))
		}
	}
	if len(all) == 0 { // a name of nothing but such words is a name all the same
		for _, w := range latin(name) {
			if plain := strings.ReplaceAll(w.text, "'", ""); plain != "" {
				all = append(all, newToken(plain, w.abjad))
			}
		}
	}
	return all[:min(len(all), maxTokens)]
}

func newToken(plain string, abjad bool) token {
	fold := folded(plain)
	t := token{plain: plain, fold: fold, coarse: coarse(plain), skel: skeleton(fold), group: groups()[plain], abjad: abjad}
	if t.coarse == fold {
		t.coarse = ""
	}
	const shortest = 7 // Almithali, Benmithal; not Alice
	if len(plain) >= shortest {
		for _, article := range []string{"al", "el", "ben", "bin"} {
			if rest, ok := strings.CutPrefix(plain, article); ok {
				t.bare = folded(rest)
			}
		}
	}
	return t
}

// compounds divides the many spellings of names that mean "servant of" and "of the faith": Abdul Rahman, Abdulrahman,
// Abd al-Rahman; Nureddin, Nour-Eddine, Nur al-Din.
func compounds(plain string) []string {
	const shortest = 3
	for _, faith := range []string{"aldin", "eldin", "uldin", "addin", "eddin", "uddin", "iddin", "eddine", "addine", "eddeen", "uddeen"} {
		head, ok := strings.CutSuffix(plain, faith)
		switch {
		case ok && head == "":
			return []string{"din"}
		case ok && len(head) >= shortest:
			return []string{head, "din"}
		}
	}
	for _, start := range []string{"abdul", "abdel", "abdal", "abdol", "abdur", "abder", "abdir"} {
		rest, ok := strings.CutPrefix(plain, start)
		if ok && start[4] == 'r' && rest != "" && rest[0] != 'r' { // Abdurahman
			rest = "r" + rest
		}
		switch {
		case ok && rest == "":
			return []string{"abd"}
		case ok && len(rest) >= shortest:
			return []string{"abd", rest}
		}
	}
	return []string{plain}
}

type word struct {
	text    string
	abjad   bool
	foreign bool // from another script than the Latin one
}

// latin transliterates a name and divides it into words of a–z; apostrophes are left in the words.
func latin(name string) []word {
	var all []word
	var now strings.Builder
	abjad, foreign := false, false
	end := func() {
		if now.Len() > 0 {
			all = append(all, word{now.String(), abjad, foreign})
		}
		now.Reset()
		abjad, foreign = false, false
	}
	read := 0
	for _, w := range strings.FieldsFunc(norm.NFKC.String(seen(name)), separates) {
		w = articles(w)
		for i, r := range w {
			if read++; read > maxName {
				break
			}
			if unicode.Is(unicode.Mn, r) || r == 'ـ' { // marks, and the stroke that only lengthens
				continue
			}
			abjad = abjad || unicode.In(r, unicode.Arabic, unicode.Hebrew)
			for _, c := range strings.ToLower(romanised(r, i == 0)) {
				switch {
				case c >= 'a' && c <= 'z', c == '\'':
					now.WriteRune(c)
					foreign = foreign || r > unicode.MaxASCII && !unicode.In(r, unicode.Latin, unicode.Common)
				case c == ' ': // between the syllables of Chinese
					end()
				}
			}
		}
		end()
	}
	return all
}

// seen is a name without the characters that nobody sees: they would divide its words. The one that keeps letters apart
// does that in Arabic script.
func seen(name string) string {
	const apart = '\u200c'
	var last rune
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) && (r != apart || !unicode.Is(unicode.Arabic, last)) {
			return -1
		}
		last = r
		return r
	}, name)
}

// Drawn is a name as it is shown where it overrides the direction of writing: what stands in an override is read from its
// end. Without one it is the name itself.
func Drawn(name string) string {
	const leftToRight, rightToLeft, pop = '\u202d', '\u202e', '\u202c'
	if !strings.ContainsAny(name, string(leftToRight)+string(rightToLeft)) {
		return name
	}
	var all, override []rune
	depth := 0
	end := func() {
		slices.Reverse(override)
		all, override = append(all, override...), nil
	}
	for _, r := range name {
		switch {
		case r == leftToRight, r == rightToLeft:
			depth++
		case depth == 0:
			all = append(all, r)
		case r == pop:
			if depth--; depth == 0 {
				end()
			}
		default:
			override = append(override, r)
		}
	}
	end()
	return string(all)
}

// separates tells whether a character stands between the parts of a name. Apostrophes of all kinds do not.
func separates(r rune) bool {
	switch r {
	case '\'', '’', '‘', 'ʼ', 'ʿ', 'ʾ', '`', '´', 'ـ':
		return false
	}
	return !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Mc, r)
}

// articles takes the article from a word in Arabic script, where the two are written as one, and writes the ending of
// women's names in one of its two ways.
func articles(w string) string {
	const shortest = 3
	if rest, ok := strings.CutSuffix(w, "ه"); ok && len([]rune(w)) > shortest {
		w = rest + "ة"
	}
	for _, article := range []string{"وال", "ال"} {
		if rest, ok := strings.CutPrefix(w, article); ok && len([]rune(rest)) >= shortest {
			return rest
		}
	}
	return w
}

// letters are those whose general transliteration hides a name: Arabic vowels, Persian ones, Ukrainian.
var letters = map[rune]string{
	'ا': "a", 'أ': "a", 'إ': "i", 'آ': "a", 'ٱ': "a", 'و': "u", 'ي': "i", 'ى': "a", 'ی': "i", 'ئ': "i", 'ؤ': "u",
	'ة': "a", 'ه': "h", 'ح': "h", 'ع': "'", 'ء': "'", 'غ': "gh", 'خ': "kh", 'ق': "q", 'ص': "s", 'ض': "d", 'ط': "t",
	'ظ': "z", 'ذ': "dh", 'ث': "th", 'ش': "sh", 'ج': "j", 'چ': "ch", 'ژ': "zh", 'پ': "p", 'گ': "g", 'ک': "k",
	'ї': "i", 'Ї': "i", 'є': "e", 'Є': "e", 'ґ': "g", 'Ґ': "g", 'ё': "e", 'Ё': "e", 'э': "e", 'Э': "e",
	'ъ': "", 'Ъ': "", 'ь': "", 'Ь': "", 'ł': "l", 'Ł': "l", 'χ': "ch", 'Χ': "ch", 'υ': "u", 'Υ': "u",
	'η': "i", 'Η': "i", 'ή': "i", 'Ή': "i", 'ύ': "u", 'Ύ': "u", 'ω': "o", 'Ω': "o", 'ώ': "o", 'Ώ': "o",
}

// beginnings are Arabic letters that sound otherwise at the beginning of a word.
var beginnings = map[rune]string{'و': "w", 'ي': "y", 'ی': "y", 'ع': "a"}

func romanised(r rune, first bool) string {
	if text, ok := beginnings[r]; ok && first {
		return text
	}
	if text, ok := letters[r]; ok {
		return text
	}
	if unicode.Is(unicode.Han, r) {
		return " " + unidecode.Unidecode(string(r)) + " "
	}
	return unidecode.Unidecode(string(r))
}

// consonantSounds are what transliterations differ in, the longest first, and German vowels of two letters.
var consonantSounds = strings.NewReplacer(
	"shch", "s", "tsch", "k", "tch", "k", "sch", "s", "dzh", "j", "sh", "s", "zh", "s", "sz", "s", "ch", "k", "cz", "k",
	"kh", "k", "ph", "f", "th", "t", "dh", "d", "gh", "g", "ts", "s", "tz", "s", "dj", "j", "ck", "k", "x", "ks", "q", "k",
	"c", "k", "z", "s", "w", "v", "ue", "u", "oe", "o", "ae", "a",
)

// vowelSounds leave three vowels.
var vowelSounds = strings.NewReplacer("j", "i", "y", "i", "e", "i", "o", "u")

// folded brings the spellings of one sound together: Yusuf and Youssef, Mikhail and Michail.
func folded(plain string) string {
	text := vowelSounds.Replace(consonantSounds.Replace(plain))
	var b strings.Builder
	var last rune
	for _, r := range text {
		if r != last {
			b.WriteRune(r)
		}
		last = r
	}
	text = b.String()
	if len(text) > 2 {
		text = strings.TrimSuffix(text, "h")
	}
	return text
}

// tongues are what one letter is in several languages: ch of French, h of Ukrainian and g of Russian, w and j of
// Arabic, b of Hebrew, q of Chinese.
var tongues = strings.NewReplacer(
	"shch", "sh", "tsch", "ch", "sch", "sh", "tch", "sh", "ch'", "sh", "ch", "sh", "zh", "sh", "qi", "shi", "sh", "sh",
	"kh", "g", "ph", "f", "th", "t", "dh", "d", "gh", "g", "ts", "ts", "tz", "ts", "dj", "g", "h", "g", "j", "g", "w", "u", "b", "v",
)

// coarse brings together what whole languages differ in, beyond what folded does: Khasan and Hasan, Gamal and Jamal,
// Chaouche and Shawsh. Other names fall together as well, so it weighs less.
func coarse(plain string) string { return folded(tongues.Replace(plain)) }

// skeleton leaves the consonants of a folded token, without a difference between voiced and voiceless ones; h
// comes and goes between languages.
func skeleton(fold string) string {
	var b strings.Builder
	var last rune
	for _, r := range fold {
		switch r {
		case 'a', 'i', 'u', 'h':
			continue
		case 'v':
			r = 'f'
		case 'b':
			r = 'p'
		case 'd':
			r = 't'
		case 'g':
			r = 'k'
		}
		if r != last {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// Form is a name in the form in which two are the same person's: transliterated, without titles and particles,
// in the order of the alphabet. Empty when nothing of it can be read.
func Form(name string) string {
	var parts []string
	for _, t := range tokens(name) {
		parts = append(parts, t.plain)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}
