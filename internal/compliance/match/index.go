package match

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"

	"kontor/internal/compliance/watchlist"
)

// Threshold is the score from which on a person must look at a hit. docs/screening.md argues it.
const Threshold = 85

// mostHits bounds what one search answers: the surest.
const mostHits = 20

// Index is lists in the form in which they are searched.
type Index struct {
	entities []Listed
	words    []token            // all different parts of names
	shapes   []shape            // of the words
	byPlain  map[string]int32   // their places
	byKey    map[string][]int32 // words by what they may be looked up by
	postings [][]int32          // names by word
	names    []name
	scratch  sync.Pool
}

// Listed is an entity with the list it is of.
type Listed struct {
	List string
	watchlist.Entity
}

// name is one spelling of an entity.
type name struct {
	entity   int32
	spelling int32
	full     int // parts that are no initials
	words    []int32
}

// Build makes an index. The entities are not copied; they must not change afterwards.
func Build(entities []Listed) *Index {
	x := &Index{entities: entities, byPlain: map[string]int32{}, byKey: map[string][]int32{}}
	for e, entity := range entities {
		for s, spelling := range slices.Concat(entity.Names, entity.Weak) {
			parts := tokens(spelling)
			if len(parts) == 0 {
				continue
			}
			n := name{entity: int32(e), spelling: int32(s), words: make([]int32, len(parts))}
			n.full = full(parts)
			for i, t := range parts {
				n.words[i] = x.word(t)
			}
			place := int32(len(x.names))
			x.names = append(x.names, n)
			for i, w := range n.words {
				if !slices.Contains(n.words[:i], w) {
					x.postings[w] = append(x.postings[w], place)
				}
			}
		}
	}
	x.scratch.New = func() any {
		return &scratch{matched: make([]uint8, len(x.names)), last: make([]int16, len(x.names)), seen: make([]int16, len(x.words))}
	}
	return x
}

// Size tells how many entities there are.
func (x *Index) Size() int { return len(x.entities) }

func (x *Index) word(t token) int32 {
	key := t.plain
	if t.abjad {
		key += "'" // the same letters with and without the vowels between them are not the same word
	}
	if w, ok := x.byPlain[key]; ok {
		return w
	}
	w := int32(len(x.words))
	x.byPlain[key] = w
	x.words = append(x.words, t)
	x.shapes = append(x.shapes, shapeOf(t))
	x.postings = append(x.postings, nil)
	for _, k := range keys(t) {
		x.byKey[k] = append(x.byKey[k], w)
	}
	return w
}

// keys are what a word is looked up by: its consonants, also without each one of them when there are enough,
// so that one may be wrong. Short words are looked up by their sound.
func keys(t token) []string {
	if t.initial() {
		return nil
	}
	all := boneKeys(nil, t.fold, t.skel)
	if t.coarse != "" {
		all = boneKeys(all, t.coarse, skeleton(t.coarse))
	}
	if t.group != 0 {
		all = append(all, "@"+strconv.Itoa(int(t.group)))
	}
	return all
}

func boneKeys(all []string, fold, bones string) []string {
	const enough, few = 4, 2
	add := func(k string) {
		if !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	if len(bones) < few {
		add("=" + fold)
		return all
	}
	add(bones)
	for i := 0; i < len(bones) && len(bones) >= enough; i++ {
		add(bones[:i] + bones[i+1:])
	}
	return all
}

// Person is who is looked for.
type Person struct {
	Names     []string // all spellings, each whole
	BirthDate string   // YYYY-MM-DD, or empty
	Countries []string // ISO 3166-1 alpha-2
}

// Hit is an entity that the person may be.
type Hit struct {
	Listed
	Score    int64    // Threshold to 100
	Matched  string   // the entity's spelling that fits best
	Spelling string   // the person's spelling that it fits
	Evidence []string // what speaks for it and against it, beside the letters
}

// Search finds the entities that the person may be, the surest first, and at most 20.
func (x *Index) Search(p Person) []Hit { return x.search(p, Threshold) }

func (x *Index) search(p Person, least int64) []Hit {
	best := map[int32]Hit{}
	for _, spelling := range p.Names {
		parts := tokens(spelling)
		if len(parts) == 0 {
			continue
		}
		for _, n := range x.promising(parts) {
			h := Hit{Listed: x.entities[n.entity], Score: compare(parts, x.tokens(n)), Spelling: spelling}
			if named := int(n.spelling) - len(h.Names); named < 0 {
				h.Matched = h.Names[n.spelling]
			} else {
				h.Matched, h.Score, h.Evidence = h.Weak[named], h.Score-weakName, []string{"the list itself calls this spelling weak"}
			}
			if h.Score > best[n.entity].Score {
				best[n.entity] = h
			}
		}
	}
	var hits []Hit
	for _, h := range best {
		h.weigh(p)
		if h.Score >= least {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.List, b.List), strings.Compare(a.ID, b.ID))
	})
	return hits[:min(len(hits), mostHits)]
}

// weigh adds the evidence to a name's score.
func (h *Hit) weigh(p Person) {
	points, text := birthEvidence(h.Births, p.BirthDate)
	if text != "" {
		h.Evidence = append(h.Evidence, text)
	}
	for _, c := range p.Countries {
		if c != "" && slices.Contains(h.Countries, c) {
			points += sameCountry
			h.Evidence = append(h.Evidence, "both have to do with "+c)
			break
		}
	}
	h.Score = min(max(h.Score+points, 0), 100)
}

func (x *Index) tokens(n name) []token {
	parts := make([]token, len(n.words))
	for i, w := range n.words {
		parts[i] = x.words[w]
	}
	return parts
}

// scratch counts how many parts of a name were found, for one search at a time.
type scratch struct {
	matched []uint8
	last    []int16 // the part that was counted last, from 1
	touched []int32
	seen    []int16 // the look-up in which a word was last judged
	judged  []int32 // words that were
	lookups int16
}

// full counts the parts that are no initials.
func full(parts []token) (n int) {
	for _, t := range parts {
		if !t.initial() {
			n++
		}
	}
	return n
}

// promising finds the names that share enough with the parts to be compared with them in full: two parts, or
// all there are.
func (x *Index) promising(parts []token) []name {
	s, _ := x.scratch.Get().(*scratch)
	defer x.scratch.Put(s)
	own := make([]shape, len(parts))
	for i, t := range parts {
		own[i] = shapeOf(t)
		x.alike(s, t, func(names []int32) { s.count(names, int16(i+1), weight(names)) })
		if i+1 < len(parts) && len(t.plain)+len(parts[i+1].plain) <= longestJoined { // Jin Ping may be Jinping there
			x.alike(s, joined(t, parts[i+1]), func(names []int32) { s.count(names, int16(len(parts)+i+1), 2) })
		}
		if w, ok := x.half(t); ok { // and Jinping may be Jin Ping
			s.count(x.postings[w], int16(2*len(parts)+i+1), 1)
		}
	}
	var found []name
	for _, n := range s.touched {
		enough := min(2, full(parts), x.names[n].full)
		if int(s.matched[n]&^isRare) >= enough || s.matched[n]&isRare != 0 && x.hints(own, x.names[n]) >= enough {
			found = append(found, x.names[n])
		}
		s.matched[n], s.last[n] = 0, 0
	}
	for _, w := range s.judged {
		s.seen[w] = 0
	}
	s.touched, s.judged, s.lookups = s.touched[:0], s.judged[:0], 0
	return found
}

// rare is how many names a word may have that is enough by itself to look closer at them: what is misspelt may be the
// other word. isRare marks names that were found by such a word.
const (
	rare   = 40
	isRare = 0x80
)

func weight(names []int32) uint8 {
	if len(names) <= rare {
		return isRare | 1
	}
	return 1
}

// hints counts the words of a name that one of the shapes may be, but for about a letter.
func (x *Index) hints(own []shape, n name) (count int) {
	for _, w := range n.words {
		if slices.ContainsFunc(own, func(s shape) bool { return s.close(x.shapes[w]) }) {
			count++
		}
	}
	return count
}

// longestJoined is how long two parts may be that are looked up as one.
const longestJoined = 14

func (s *scratch) count(names []int32, part int16, weight uint8) {
	for _, n := range names {
		switch {
		case s.last[n] == part:
			continue
		case s.matched[n] == 0:
			s.touched = append(s.touched, n)
		}
		s.last[n] = part
		s.matched[n] = s.matched[n]&^isRare + weight&^isRare | (s.matched[n]|weight)&isRare
	}
}

// alike finds the words that may be the token, and hands on the names that have them.
func (x *Index) alike(s *scratch, t token, take func(names []int32)) {
	s.lookups++
	own := shapeOf(t)
	for _, k := range keys(t) {
		for _, w := range x.byKey[k] {
			if s.seen[w] == s.lookups || own.apart(x.shapes[w]) {
				continue
			}
			s.seen[w] = s.lookups
			s.judged = append(s.judged, w)
			if similar(t, x.words[w]) > 0 {
				take(x.postings[w])
			}
		}
	}
}

// shape tells cheaply that two tokens cannot be alike.
type shape struct {
	fold, coarse, bare outline // bare and coarse are those of fold when the token has none
	group              int16
	abjad              bool
}

// outline is how often a folded text has each letter, at most three times: three bits for each of sounds, of which as
// many are set. So the bits that only one of two outlines has count the letters that only it has.
type outline struct {
	letters uint64
	length  int8
}

// sounds are the letters that folded leaves.
const sounds = "abdfghiklmnprstuv"

func outlineOf(text string) outline {
	l := outline{length: int8(min(len(text), 100))}
	for i := range len(text) {
		place := 3 * strings.IndexByte(sounds, text[i])
		if place < 0 {
			continue
		}
		l.letters |= (l.letters<<1 | 1<<place) & (7 << place)
	}
	return l
}

func shapeOf(t token) shape {
	return shape{outlineOf(t.fold), outlineOf(cmp.Or(t.coarse, t.fold)), outlineOf(cmp.Or(t.bare, t.fold)), t.group, t.abjad}
}

// apart tells that too many letters of one are not in the other.
func (s shape) apart(o shape) bool {
	return !s.free(o) && s.fold.apart(o.fold) && s.coarse.apart(o.coarse) && s.bare.apart(o.fold) && s.fold.apart(o.bare)
}

// free tells that the two may be alike by what their letters do not tell: one writes no vowels, or they are one name in
// two languages.
func (s shape) free(o shape) bool { return s.abjad != o.abjad || s.group != 0 && s.group == o.group }

// apart is differ by as much as sameSound lets edits be.
func (l outline) apart(o outline) bool { return l.differ(o, 3, strange(l, o)) }

// strange is how many letters of a text that sounds like another may not be in the other: two edits in seven letters make
// a likeness of sameSound at best.
func strange(a, b outline) int {
	const edits, of = 2, 7
	return max(1, edits*int(max(a.length, b.length))/of)
}

// differ tells whether two texts differ by more in length, or by more letters on one side.
func (l outline) differ(o outline, length int8, strange int) bool {
	d := l.length - o.length
	return d > length || d < -length || bits.OnesCount64(l.letters&^o.letters) > strange || bits.OnesCount64(o.letters&^l.letters) > strange
}

// close tells that about all letters of one are in the other.
func (s shape) close(o shape) bool {
	return s.free(o) || !s.fold.differ(o.fold, 2, 1) || !s.coarse.differ(o.coarse, 2, 1) || !s.bare.differ(o.fold, 2, 1) || !s.fold.differ(o.bare, 2, 1)
}

// half finds the longer half of a token that is two words elsewhere.
func (x *Index) half(t token) (int32, bool) {
	const shortest = 2
	for i := shortest; i <= len(t.plain)-shortest; i++ {
		left, okLeft := x.byPlain[t.plain[:i]]
		right, okRight := x.byPlain[t.plain[i:]]
		if okLeft && okRight {
			if len(x.postings[left]) < len(x.postings[right]) {
				return left, true
			}
			return right, true
		}
	}
	return 0, false
}
