// Package namecheck compares the name that a bank reports with the name of who should have sent the money: a person's as
// an identity check established it, or a company's legal name. Scores are in thousandths. docs/sepa.md says how they are
// meant, and how good they are.
package namecheck

import (
	"slices"
	"strings"

	"kontor/internal/compliance/match"
)

// How names are weighed, in thousandths. The tests say what comes of it.
const (
	exact     = 1000
	sameSound = 980 // the same sound, in another script
	sameBones = 950 // the same consonants, and one side writes no vowels
	cutOff    = 940 // the bank has cut the name
	near      = 850 // a letter or two are different, or the same sound is spelt otherwise
	far       = 770
	initial   = 800 // a letter that stands for the name

	lacksGiven    = 10 // a given name that the bank does not have
	lacksSurname  = 60 // the same of one of several surnames
	extraWord     = 25 // a word that only the bank has
	extraLetter   = 5
	contradiction = 60  // each side has a name that the other has not
	company       = 800 // at most, when a company has the person's name
	oneOfTwo      = 3   // tenths of what is left when only given name or surname is the same
)

// fewLetters is how many letters may be different for two names to be near. Of a word, at least as many must be the same.
const fewLetters = 2

// nearSound and farSound are the closeness from which on sounds are near, or far but alike.
const (
	nearSound = 900
	farSound  = 840
)

// Person scores whether a sender's name is that of a person. A joint account is that of each of its holders.
func Person(first, last, sender string) int64 {
	p := person{given: words(first), surname: words(last)}
	if len(p.given)+len(p.surname) == 0 {
		return 0
	}
	var best int64
	for _, holder := range holders(sender) {
		best = max(best, p.score(holder, cut(sender)))
	}
	if p.spelt(match.Words(sender)) { // also when a letter made a title of a word
		best = max(best, near)
	}
	return best
}

// person is a name that was established.
type person struct {
	given, surname []match.Word
}

// words are the words of a name that say who somebody is.
func words(name string) []match.Word {
	var all []match.Word
	for _, w := range match.Words(name) {
		if !w.Title && !marker[w.Plain] {
			all = append(all, w)
		}
	}
	return all
}

// marker are words that stand before a name at birth, or for a name that is missing.
var marker = set("geb geborene geboren nee born rozena zd zam xxx unknown fnu lnu")

func set(list string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(list) {
		all[w] = true
	}
	return all
}

// cut tells whether a bank has cut a name at the length of its field.
func cut(sender string) bool {
	n := len([]rune(strings.TrimSpace(sender)))
	return n == 27 || n == 35 || n == 70
}

// score compares the person with one holder. A surname can be any part of what the bank has, and so can a given name:
// each is looked for first once.
func (p person) score(holder []match.Word, cut bool) int64 {
	if len(holder) == 0 {
		return 0
	}
	for _, all := range p.orders() {
		if s := whole(all, match.Joined(holder...)); s > 0 {
			return s
		}
	}
	best := max(p.place(holder, cut, true), p.place(holder, cut, false))
	if p.spelt(holder) {
		best = max(best, near)
	}
	if isCompany(holder, p) {
		best = min(best, company)
	}
	return best
}

// orders are the whole name in its two orders.
func (p person) orders() []match.Word {
	return []match.Word{match.Joined(append(clone(p.given), p.surname...)...), match.Joined(append(clone(p.surname), p.given...)...)}
}

// spelt tells whether words are all of the name but for a letter or two, however it is divided.
func (p person) spelt(words []match.Word) bool {
	theirs := match.Joined(words...)
	return slices.ContainsFunc(p.orders(), func(all match.Word) bool { return fewDiffer(all, theirs) })
}

func clone(all []match.Word) []match.Word { return append([]match.Word(nil), all...) }

// place assigns the bank's words to surname and given names.
func (p person) place(holder []match.Word, cut, surnameFirst bool) int64 {
	used := make([]bool, len(holder))
	var surname, given found
	if surnameFirst {
		surname = find(p.surname, holder, used, cut)
		given = find(p.given, holder, used, cut)
	} else {
		given = find(p.given, holder, used, cut)
		surname = find(p.surname, holder, used, cut)
	}
	var score int64
	switch {
	case len(p.surname) == 0:
		score = given.score
	case len(p.given) == 0:
		score = surname.score
	case given.score == 0 || surname.score == 0:
		return max(given.score, surname.score) * oneOfTwo / 10
	default:
		score = min(surname.score, given.score)
	}
	score -= lacksGiven*given.missing + lacksSurname*surname.missing
	extra, full := extras(holder, used)
	score -= extra
	if full && given.missing+surname.missing > 0 {
		score -= contradiction
	}
	return max(score, 0)
}

// found is what of a name the bank has.
type found struct {
	score   int64
	missing int64 // words that it has not
}

// find looks for a name of one or more words among the bank's words that are not used, and uses them. All of it written
// as one counts first, with its particles or without them.
func find(name, holder []match.Word, used []bool, cut bool) found {
	core := without(name)
	for _, form := range [][]match.Word{name, core} {
		if len(form) == 0 {
			continue
		}
		if s := window(match.Joined(form...), holder, used); s > 0 {
			return found{score: s}
		}
	}
	if len(core) == 0 {
		core = name
	}
	if len(core) == 0 {
		return found{}
	}
	return findWords(core, holder, used, cut)
}

// findWords looks for each word of a name: at first for those that the bank has as they are, so that none of these is
// taken for one that is like it. The name is as sure as its surest word, unless letters of another differ.
func findWords(name, holder []match.Word, used []bool, cut bool) found {
	scores := make([]int64, len(name))
	for i, w := range name {
		scores[i] = take(w, holder, used, whole)
	}
	for i, w := range name {
		if scores[i] == 0 {
			scores[i] = take(w, holder, used, func(w, h match.Word) int64 { return similar(w, h, cut && h.Plain == holder[len(holder)-1].Plain) })
		}
	}
	f := found{score: slices.Max(scores)}
	for _, s := range scores {
		switch s {
		case 0:
			f.missing++
		case near, far:
			f.score = min(f.score, near)
		}
	}
	return f
}

// without leaves particles out.
func without(name []match.Word) []match.Word {
	var all []match.Word
	for _, w := range name {
		if !w.Particle {
			all = append(all, w)
		}
	}
	return all
}

// maxWindow is how many of the bank's words can be one name.
const maxWindow = 5

// window looks for a name in neighbouring words written as one.
func window(name match.Word, holder []match.Word, used []bool) int64 {
	for from := range holder {
		for to := from + 1; to <= min(len(holder), from+maxWindow); to++ {
			if used[to-1] {
				break
			}
			s := whole(name, match.Joined(holder[from:to]...))
			if s == 0 {
				continue
			}
			for i := from; i < to; i++ {
				used[i] = true
			}
			return s
		}
	}
	return 0
}

// whole compares two texts of which nothing may be missing. Accents and the two ways of writing umlauts do not matter,
// and between two scripts the sound decides.
func whole(a, b match.Word) int64 {
	switch {
	case match.Distance(a, b) == 0:
		return exact
	case a.Foreign != b.Foreign && a.Sound == b.Sound && len(a.Sound) > 1:
		return sameSound
	case a.Bare != b.Bare && a.Bones == b.Bones && len(a.Bones) > 1:
		return sameBones
	}
	return 0
}

// fewDiffer tells whether a letter or two of a word are different.
func fewDiffer(a, b match.Word) bool {
	different := match.Distance(a, b)
	return different <= fewLetters && 2*different <= min(len(a.Plain), len(b.Plain))
}

// take finds the word that is most like a name's, and uses it.
func take(w match.Word, holder []match.Word, used []bool, compare func(w, h match.Word) int64) int64 {
	var best int64
	at := -1
	for i, h := range holder {
		if used[i] || h.Particle && h.Plain != w.Plain {
			continue
		}
		if s := compare(w, h); s > best {
			best, at = s, i
		}
	}
	if at >= 0 {
		used[at] = true
	}
	return best
}

// similar compares two words that are not the same. cut tells that the bank may have cut the second one.
func similar(a, b match.Word, cut bool) int64 {
	if a.Initial() || b.Initial() {
		if a.Plain[0] == b.Plain[0] {
			return initial
		}
		return 0
	}
	c := match.Closeness(a, b)
	switch {
	case cut && strings.HasPrefix(a.Plain, b.Plain):
		return cutOff
	case fewDiffer(a, b), c >= nearSound:
		return near
	case c >= farSound:
		return far
	}
	return 0
}

// extras are what words cost that only the bank has. full tells whether one of them is a name.
func extras(holder []match.Word, used []bool) (cost int64, full bool) {
	for i, w := range holder {
		switch {
		case used[i], w.Particle, w.Patronymic():
		case w.Initial():
			cost += extraLetter
		default:
			cost += extraWord
			full = true
		}
	}
	return cost, full
}
