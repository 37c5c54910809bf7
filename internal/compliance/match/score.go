package match

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/xrash/smetrics"
)

// How names are weighed, in parts of 1 and, from penalties on, in points of 100. docs/screening.md argues them.
const (
	sameSound     = 0.80 // below it two tokens are different ones
	abjadSound    = 0.93 // the consonants are the same, and one side writes no vowels
	voiceSound    = 0.93 // nothing differs but whether consonants are voiced: Pak, Bak
	coarseSound   = 0.95 // at most, when they are the same by what whole languages differ in
	leastCoarse   = 0.88 // below it that says nothing
	oneName       = 0.95 // given names that are one name in several languages
	initialSound  = 0.85 // an initial and a name that begins with it
	initialWeight = 0.3
	optionalShare = 0.4

	extraMiddle = 5  // a part in the middle that only the longer name has
	extraEnd    = 16 // the same at an end of the name, where the surname or the given name stands
	extraMost   = 24
	oneToken    = 60 // at most, when only one part of several is the same
	oneInitial  = 80 // at most, when it is one part and an initial
	weakName    = 8  // a spelling that the list calls weak must fit better
	sameBirth   = 6
	sameYear    = 3
	otherBirth  = 20
	sameCountry = 2
	nearYears   = 2 // lists are often wrong by so much
	aboutYears  = 5 // the same, when the list says "about"
)

// similar compares two tokens: 1 is the same, 0 is different. The sounds and the letters decide, less for what one is
// longer than the other, since Petrov is not Petrovsky.
func similar(a, b token) float64 {
	if a.plain == b.plain {
		return 1
	}
	if a.initial() || b.initial() {
		if a.plain[0] == b.plain[0] {
			return initialSound
		}
		return 0
	}
	if a.abjad != b.abjad && len(a.skel) > 1 && a.skel == b.skel {
		return abjadSound
	}
	s := likeness(a.fold, b.fold)
	const hopeless = 0.6 // what sounds so different is not spelt the same
	if s < 1 && s > hopeless {
		s = max(s, likeness(a.plain, b.plain))
	}
	if a.bare != "" || b.bare != "" {
		s = max(s, likeness(cmp.Or(a.bare, a.fold), b.fold), likeness(a.fold, cmp.Or(b.bare, b.fold)))
	}
	if s < coarseSound {
		s = max(s, kinship(a, b))
	}
	if s < sameSound {
		return 0
	}
	return min(s, 0.99) // the same sound, in another spelling
}

// kinship is how sure two tokens are one name in two languages, and 0 when nothing speaks for it.
func kinship(a, b token) float64 {
	switch {
	case a.group != 0 && a.group == b.group:
		return oneName
	case unvoiced(a.fold, b.fold):
		return voiceSound
	case a.coarse != "" || b.coarse != "":
		if s := likeness(cmp.Or(a.coarse, a.fold), cmp.Or(b.coarse, b.fold)); s >= leastCoarse {
			return min(s, coarseSound)
		}
	}
	return 0
}

// unvoiced tells whether two folded texts are the same when consonants have no voice.
func unvoiced(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	voiceless := func(c byte) byte {
		if i := strings.IndexByte("bdgv", c); i >= 0 {
			return "ptkf"[i]
		}
		return c
	}
	for i := range len(a) {
		if voiceless(a[i]) != voiceless(b[i]) {
			return false
		}
	}
	return true
}

// likeness is the mean of Jaro–Winkler, which is strong on beginnings, and of the share of letters that no edit
// touches, less for what one text is longer than the other.
func likeness(a, b string) float64 {
	if a == b {
		return 1
	}
	jw, long := jaroWinkler(a, b), float64(max(len(a), len(b)))
	most := longer(a, b, (jw+float64(min(len(a), len(b)))/long)/2)
	if most < sameSound { // whatever the distance is
		return most
	}
	return longer(a, b, (jw+1-float64(edits(a, b))/long)/2)
}

// edits is how many letters have to be put in, taken out or replaced to make one text of the other. Two neighbours that
// changed places are one edit when there is nothing else.
func edits(a, b string) int {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0] {
		return 1
	}
	return smetrics.WagnerFischer(a, b, 1, 1, 1)
}

// closeness is Jaro–Winkler, less for what one text is longer than the other.
func closeness(a, b string) float64 { return longer(a, b, jaroWinkler(a, b)) }

func jaroWinkler(a, b string) float64 {
	const boostFrom, prefix = 0.7, 4
	return smetrics.JaroWinkler(a, b, boostFrom, prefix)
}

// longer makes a likeness less for what one text is longer than the other by more than a letter.
func longer(a, b string, s float64) float64 {
	const price = 0.75
	short, long := min(len(a), len(b))+1, max(len(a), len(b))
	if short < long {
		s *= 1 - price*(1-float64(short)/float64(long))
	}
	return s
}

// pair is a possible assignment of parts: one of each side, or one to two neighbours.
type pair struct {
	a, b       int
	aLen, bLen int
	sim        float64
	letters    int
}

// compare weighs two names, from 0 to 100.
func compare(a, b []token) int64 {
	pairs := candidates(a, b)
	slices.SortStableFunc(pairs, func(x, y pair) int {
		switch {
		case x.sim*float64(x.letters) > y.sim*float64(y.letters):
			return -1
		case x.sim*float64(x.letters) < y.sim*float64(y.letters):
			return 1
		}
		return 0
	})
	var usedA, usedB [maxTokens + 1]bool
	full, initials := 0, 0
	lost := 0.0 // of the weight of what is the same
	for _, p := range pairs {
		if anyUsed(usedA[p.a:p.a+p.aLen]) || anyUsed(usedB[p.b:p.b+p.bLen]) {
			continue
		}
		mark(usedA[p.a : p.a+p.aLen])
		mark(usedB[p.b : p.b+p.bLen])
		if a[p.a].initial() || b[p.b].initial() {
			initials++
			continue
		}
		full += max(p.aLen, p.bLen)
		lost += stretch(p.sim) * float64(max(p.aLen, p.bLen))
	}
	if full == 0 {
		return 0
	}
	less, extra := missing(a, usedA[:]), missing(b, usedB[:])
	costs := extraCost(b, usedB[:])
	if less > extra {
		less, extra = extra, less
		costs = extraCost(a, usedA[:])
	}
	// What is the same, less its differences, against all of the name that has fewer other parts.
	base := 100 * (float64(full) + initialWeight*float64(initials) - lost) / (float64(full) + initialWeight*float64(initials) + less)
	if extra > 0 {
		base -= min(costs*(extra-less)/extra, extraMost)
	}
	if full < 2 && (len(a) > 1 || len(b) > 1) {
		if initials > 0 {
			base = min(base, oneInitial)
		} else {
			base = min(base, oneToken)
		}
	}
	return int64(math.Round(max(base, 0)))
}

// stretch is what a difference costs: spellings of one sound little, others much.
func stretch(sim float64) float64 {
	const slope = 2
	return slope * (1 - sim)
}

func candidates(a, b []token) []pair {
	var pairs []pair
	for i := range a {
		for j := range b {
			if s := similar(a[i], b[j]); s > 0 {
				pairs = append(pairs, pair{i, j, 1, 1, s, min(len(a[i].plain), len(b[j].plain))})
			}
		}
	}
	for i := 0; i+1 < len(a); i++ {
		for j := range b {
			if long(b[j]) && fits(a[i], a[i+1], b[j]) {
				if s := similar(joined(a[i], a[i+1]), b[j]); s > 0 {
					pairs = append(pairs, pair{i, j, 2, 1, s, len(b[j].plain)})
				}
			}
		}
	}
	for j := 0; j+1 < len(b); j++ {
		for i := range a {
			if long(a[i]) && fits(b[j], b[j+1], a[i]) {
				if s := similar(a[i], joined(b[j], b[j+1])); s > 0 {
					pairs = append(pairs, pair{i, j, 1, 2, s, len(a[i].plain)})
				}
			}
		}
	}
	return pairs
}

func long(t token) bool { return len(t.plain) > 3 }

// fits tells whether two parts, none of them an initial, have about the length of one together.
func fits(x, y, whole token) bool {
	if x.initial() || y.initial() {
		return false
	}
	sum := len(x.plain) + len(y.plain)
	return sum <= len(whole.plain)+2 && sum >= len(whole.plain)-2
}

func joined(x, y token) token { return newToken(x.plain+y.plain, x.abjad) }

func anyUsed(used []bool) bool { return slices.Contains(used, true) }

func mark(used []bool) {
	for i := range used {
		used[i] = true
	}
}

// missing weighs what has no counterpart.
func missing(all []token, used []bool) float64 {
	var sum float64
	for i, t := range all {
		switch {
		case used[i]:
		case t.initial():
			sum += initialWeight
		case t.optional():
			sum += optionalShare
		default:
			sum++
		}
	}
	return sum
}

// extraCost is what parts without a counterpart cost when the other name has none of its own.
func extraCost(all []token, used []bool) (points float64) {
	for i, t := range all {
		switch {
		case used[i]:
		case t.optional():
			points += extraMiddle * optionalShare
		case i == 0 || i == len(all)-1:
			points += extraEnd
		default:
			points += extraMiddle
		}
	}
	return points
}

// birthEvidence weighs birth dates: those of a list (watchlist.Entity) against the one of a person.
func birthEvidence(listed []string, born string) (points int64, text string) {
	const year, day = len("2006"), len("2006-01-02")
	bornIn, ok := yearOf(born)
	if len(born) != day || !ok {
		return 0, ""
	}
	closest, near := math.MaxInt, false
	for _, l := range listed {
		from, ok := yearOf(l)
		if l == born {
			return sameBirth, "the birth date is the same"
		}
		if !ok {
			continue
		}
		to, allowed := from, nearYears
		switch {
		case len(l) == year+1: // about
			allowed = aboutYears
		case len(l) == 2*year+1: // between
			to, _ = yearOf(l[year+1:])
		}
		apart := max(from-bornIn, bornIn-to, 0)
		closest, near = min(closest, apart), near || apart <= allowed
		if apart == 0 && (len(l) == year || len(l) == year+1) {
			points, text = sameYear, "the year of birth is the same"
		}
	}
	switch {
	case points > 0:
		return points, text
	case closest == math.MaxInt:
		return 0, ""
	case !near:
		return -otherBirth, fmt.Sprintf("the birth date is another one, by %d years", closest)
	}
	return 0, "the birth date is another one, but near"
}

// yearOf reads the year that a date begins with.
func yearOf(date string) (int, bool) {
	const year = 4
	if len(date) < year {
		return 0, false
	}
	n, err := strconv.Atoi(date[:year])
	return n, err == nil
}
