package match

import (
	"math"
	"strings"
)

// Word is one word of a name in the forms in which names are compared.
type Word struct {
	Plain    string // a–z
	Sound    string // the same for the spellings of one sound: Yusuf and Youssef, Müller and Mueller
	Bones    string // the consonants of the sound
	Bare     bool   // from a script that does not write vowels
	Title    bool   // says nothing of who a person is: Dr, Frau
	Particle bool   // often left out, or written as one with the next word: van, de, al
}

// Words divides a name, in any script, into its words. Nothing is left out of them.
func Words(name string) []Word {
	var all []Word
	for _, w := range latin(name) {
		plain := strings.ReplaceAll(w.text, "'", "")
		if plain == "" {
			continue
		}
		fold := folded(plain)
		all = append(all, Word{
			Plain: plain, Sound: fold, Bones: skeleton(fold), Bare: w.abjad, Title: titles[plain], Particle: particles[plain],
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
	var plain strings.Builder
	bare := false
	for _, w := range words {
		plain.WriteString(w.Plain)
		bare = bare || w.Bare
	}
	fold := folded(plain.String())
	return Word{Plain: plain.String(), Sound: fold, Bones: skeleton(fold), Bare: bare}
}

// Closeness compares the sounds of two words by Jaro–Winkler, less for what one is longer than the other, in
// thousandths.
func Closeness(a, b Word) int64 {
	const all = 1000
	return int64(math.Round(all * closeness(a.Sound, b.Sound)))
}
