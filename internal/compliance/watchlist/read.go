package watchlist

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what is read. The whole of OpenSanctions is some gigabytes as entities.
const (
	MaxFile     = 8 << 30 // bytes
	maxEntry    = 4 << 20 // bytes of one entry
	maxDepth    = 24      // nesting of elements or objects
	maxNames    = 500     // spellings of one entry; more are left out
	maxSpelling = 300     // characters of one; longer ones are left out
	maxEntities = 5_000_000
	mostUnnamed = 1 // per cent of the persons of a list; more, and its form is not the known one
	mostPlaces  = 5 // of persons without a name that are told
)

// The sources of lists, as they are named in commands.
const (
	OpenSanctions = "opensanctions"
	EU            = "eu"
	UN            = "un"
	OFAC          = "ofac"
)

// Sources are all of them.
var Sources = []string{OpenSanctions, EU, UN, OFAC}

// Summary is what was read.
type Summary struct {
	Format   string   // "OpenSanctions targets.simple.csv" …
	Date     string   // when the source made the list, YYYY-MM-DD; empty when the file does not say
	Hash     string   // SHA-256 of the file, in hexadecimal
	Entities int      // persons that were taken
	Skipped  int      // entries that are no persons
	Unnamed  int      // persons without a name that could be compared
	Places   []string // where the first of them stand
}

// Read reads a list of a source from its published file, and hands out each person. It recognises the form by
// the content and refuses another source's file. The file is read as a stream: memory is needed for one entry
// at a time. Errors say where, and what was expected.
func Read(source string, r io.Reader, take func(Entity) error) (Summary, error) {
	m := &meter{in: r, sum: sha256.New(), limit: MaxFile}
	t := &taker{meter: m, take: take}
	var err error
	switch source {
	case OpenSanctions:
		err = readOpenSanctions(m, t)
	case EU:
		err = readEU(m, t)
	case UN:
		err = readUN(m, t)
	case OFAC:
		err = readOFAC(m, t)
	default:
		return Summary{}, fmt.Errorf("%q is not a source of lists: %s", source, strings.Join(Sources, ", "))
	}
	if err == nil { // what follows the document belongs to the file
		m.entry()
		_, err = io.Copy(io.Discard, unlimited{m})
	}
	switch {
	case err != nil:
	case t.summary.Unnamed*100 > mostUnnamed*(t.summary.Entities+t.summary.Unnamed):
		err = fmt.Errorf("%d of its persons have no name, the first %s: its form is not the one that is known", t.summary.Unnamed, t.summary.Places[0])
	case t.summary.Entities == 0:
		err = errors.New("the file has no entry of a person")
	}
	if err != nil {
		return Summary{}, fmt.Errorf("%s list, after %d persons and about %d bytes: %w", source, t.summary.Entities, m.read, err)
	}
	t.summary.Hash = hex.EncodeToString(m.sum.Sum(nil))
	return t.summary, nil
}

// taker judges entities before they are handed out.
type taker struct {
	meter   *meter
	take    func(Entity) error
	summary Summary
}

// skip counts an entry that is left out.
func (t *taker) skip() {
	t.meter.entry()
	t.summary.Skipped++
}

// entity hands out a person, when there is a name. at tells where in the file it stands.
func (t *taker) entity(e Entity, at string) error {
	e.ID = strings.TrimSpace(e.ID)
	e.Names, e.Weak = spellings(e.Names), spellings(e.Weak)
	e.Births, e.Countries, e.Programmes = distinct(e.Births), distinct(e.Countries), distinct(e.Programmes)
	e.Weak = slices.DeleteFunc(e.Weak, func(n string) bool { return slices.Contains(e.Names, n) })
	if len(e.Names) == 0 { // then they are all there is
		e.Names, e.Weak = e.Weak, nil
	}
	t.meter.entry()
	switch {
	case e.ID == "":
		return fmt.Errorf("the person %s has no id", at)
	case len(e.Names) == 0:
		if t.summary.Unnamed++; len(t.summary.Places) < mostPlaces {
			t.summary.Places = append(t.summary.Places, at)
		}
		return nil
	}
	if len(e.Weak) == 0 {
		e.Weak = nil
	}
	if t.summary.Entities++; t.summary.Entities > maxEntities {
		return fmt.Errorf("it has more than %d persons", maxEntities)
	}
	return t.take(e)
}

// spellings are names that can be compared, each once.
func spellings(names []string) []string {
	var all []string
	for _, n := range names {
		n = strings.Join(strings.Fields(strings.ToValidUTF8(n, "")), " ")
		if n != "" && utf8.RuneCountInString(n) <= maxSpelling && !slices.Contains(all, n) && len(all) < maxNames {
			all = append(all, n)
		}
	}
	return all
}

func distinct(values []string) []string {
	var all []string
	for _, v := range values {
		if v = strings.TrimSpace(strings.ToValidUTF8(v, "")); v != "" && !slices.Contains(all, v) && len(all) < maxNames {
			all = append(all, v)
		}
	}
	return all
}

// meter reads a file, hashes it, and keeps the whole of it and each entry below their limits.
type meter struct {
	in    io.Reader
	sum   hash.Hash
	limit int64
	read  int64
	since int64 // the bytes that were read when the entry began
}

// entry says that another entry begins.
func (m *meter) entry() { m.since = m.read }

// Read reads on, until a limit is passed.
func (m *meter) Read(p []byte) (int, error) {
	if m.read-m.since > maxEntry {
		return 0, fmt.Errorf("an entry is larger than %d bytes", maxEntry)
	}
	return m.rest(p)
}

func (m *meter) rest(p []byte) (int, error) {
	n, err := m.in.Read(p)
	m.read += int64(n)
	m.sum.Write(p[:n])
	if m.read > m.limit {
		return n, fmt.Errorf("the file is larger than %d bytes", m.limit)
	}
	return n, err
}

// unlimited reads what follows the last entry.
type unlimited struct{ *meter }

// Read reads on, until the file's limit is passed.
func (u unlimited) Read(p []byte) (int, error) { return u.rest(p) }

// day reads a date in one of the ways in which lists write it, and answers it as YYYY, YYYY-MM or YYYY-MM-DD, as
// exact as it is; otherwise empty.
func day(text string, layouts ...string) string {
	for _, layout := range layouts {
		at, err := time.Parse(layout, strings.TrimSpace(text))
		if err != nil {
			continue
		}
		switch layout {
		case "2006":
			return at.Format("2006")
		case "2006-01", "2006-1", "Jan 2006":
			return at.Format("2006-01")
		}
		return at.Format("2006-01-02")
	}
	return ""
}

// about is a date of which only the year is meant, and not quite: "1965~".
func about(date string) string {
	const year = 4
	if len(date) < year {
		return ""
	}
	return date[:year] + "~"
}

// between is a range of years: "1962/1964", or the year when it is one. Empty when it is none.
func between(from, to string) string {
	from, to = day(from, "2006"), day(to, "2006")
	switch {
	case from == "" || to == "" || to < from:
		return ""
	case from == to:
		return from
	}
	return from + "/" + to
}
