package match

import (
	"math"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Word is one word of a name in the forms in which names are compared.
type Word struct {
	Plain    string // a–z
	Wide     string // the same with umlauts in two letters: Müller is muller and mueller
	Sound    string // the same for the spellings of one sound: Yusuf and Youssef, Müller and Mueller
	Bones    string // the consonants of the sound
	Bare     bool   // from a script that does not write vowels
	Foreign  bool   // from another script than the Latin one
	Title    bool   // says nothing of who a person is: Dr, Frau
	Particle bool   // often left out, or written as one with the next word: van, de, al
}

// umlauts are letters that are often written as two.
var umlauts = strings.NewReplacer("ä", "ae", "Ä", "Ae", "ö", "oe", "Ö", "Oe", "ü", "ue", "Ü", "Ue", "ø", "oe", "Ø", "Oe", "å", "aa", "Å", "Aa")

// Widened is a text with umlauts in two letters.
func Widened(text string) string { return umlauts.Replace(norm.NFKC.String(text)) }

// Words divides a name, in any script, into its words. Nothing is left out of them.
func Words(name string) []Word {
	var all []Word
	words, widened := latin(name), latin(Widened(name))
	for i, w := range words {
		plain := strings.ReplaceAll(w.text, "'", "")
		if plain == "" {
			continue
		}
		wide := plain
		if len(words) == len(widened) { // not so when one of the two was cut
			wide = strings.ReplaceAll(widened[i].text, "'", "")
		}
		fold := folded(plain)
		all = append(all, Word{
			Plain: plain, Wide: wide, Sound: fold, Bones: skeleton(fold), Bare: w.abjad, Foreign: w.foreign,
			Title: titles[plain], Particle: particles[plain],
		})
	}
	return all[:min(len(all), maxTokens)]
}

// Initial tells whether the word is a letter that stands for a name.
func (w Word) Initial() bool { return len(w.Plain) == 1 }

// Patronymic tells whether the word is a father's name of the kind that many documents leave out.
func (w Word) Patronymic() bool { return patronymic(w.Plain) }

// Joined is two words or more written as one.
func Joined(words ...Word) Word {
	var plain, wide strings.Builder
	bare, foreign := false, false
	for _, w := range words {
		plain.WriteString(w.Plain)
		wide.WriteString(w.Wide)
		bare, foreign = bare || w.Bare, foreign || w.Foreign
	}
	fold := folded(plain.String())
	return Word{Plain: plain.String(), Wide: wide.String(), Sound: fold, Bones: skeleton(fold), Bare: bare, Foreign: foreign}
}

// Distance is how many letters have to be put in, taken out or replaced to make one word of the other, in whichever way
// their umlauts are written. Two neighbours that changed places are one when there is nothing else.
func Distance(a, b Word) int {
	return min(edits(a.Plain, b.Plain), edits(a.Wide, b.Plain), edits(a.Plain, b.Wide), edits(a.Wide, b.Wide))
}

// Closeness compares the sounds of two words by Jaro–Winkler, less for what one is longer than the other, in
// thousandths.
func Closeness(a, b Word) int64 {
	const all = 1000
	return int64(math.Round(all * closeness(a.Sound, b.Sound)))
}
