package compliance

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kontor/internal/clock"
	"kontor/internal/compliance/match"
	"kontor/internal/compliance/watchlist"
	"kontor/internal/db"
)

// sandboxSource names the embedded list of invented persons.
const sandboxSource = "sandbox"

// pollEvery is how often a node looks for lists that another one has imported, by the machine's time.
const pollEvery = 2 * time.Second

// Watchlist is an imported list.
type Watchlist struct {
	ID         clock.ID
	Source     string
	Format     string
	Date       string // when the source made it, YYYY-MM-DD
	Hash       string // SHA-256 of the file, in hexadecimal
	Entities   int64  // persons
	Skipped    int64  // entries that are no persons
	ImportedAt time.Time
	Unnamed    int64    // persons without a name; known at the import only, afterwards they are in the audit log
	Places     []string // where the first of them stand in the file

	parts, number int64
}

// Version names the list in results: source, date, and the beginning of the hash.
func (l Watchlist) Version() string {
	const digits = 12
	return fmt.Sprintf("%s %s %s", l.Source, l.Date, l.Hash[:min(len(l.Hash), digits)])
}

// lists is what is screened against. It does not change.
type lists struct {
	version string
	sources []Watchlist
	content map[clock.ID][]match.Listed // by list
	index   *match.Index
}

// newLists indexes lists.
func newLists(sources []Watchlist, content map[clock.ID][]match.Listed) *lists {
	l := &lists{sources: sources, content: content}
	var versions []string
	var all []match.Listed
	for _, s := range sources {
		versions = append(versions, s.Version())
		all = append(all, content[s.ID]...)
	}
	l.version, l.index = strings.Join(versions, "; "), match.Build(all)
	return l
}

// embedded is the list of invented persons, in the sandbox.
func embedded() (Watchlist, []match.Listed) {
	invented := watchlist.Sandbox()
	l := Watchlist{
		Source: sandboxSource, Format: "embedded", Date: watchlist.SandboxDate, Hash: "embedded", Entities: int64(len(invented)),
	}
	return l, listedOf(sandboxSource, invented)
}

func listedOf(source string, entities []watchlist.Entity) []match.Listed {
	all := make([]match.Listed, len(entities))
	for i, e := range entities {
		all[i] = match.Listed{List: source, Entity: e}
	}
	return all
}

var (
	selectLists = db.NewQuery(`
		SELECT id, source, format, list_date, hash, entities, skipped, parts, number, imported_at FROM screening_list l
		WHERE number = (SELECT MAX(m.number) FROM screening_list m WHERE m.source = l.source) ORDER BY source`)
	selectParts = db.NewQuery(`SELECT content FROM screening_part WHERE list_id = $1 ORDER BY number`)
)

// Lists are the lists in use, by the database; the sandbox's own and the countries of high risk are not among them.
func Lists(r db.Reader) ([]Watchlist, error) {
	all, err := newest(r)
	return slices.DeleteFunc(all, func(l Watchlist) bool { return l.Source == riskSource }), err
}

// newest reads the newest list of each source.
func newest(r db.Reader) ([]Watchlist, error) {
	rows := r.Rows(selectLists)
	defer rows.Close()
	var all []Watchlist
	for rows.Next() {
		var l Watchlist
		err := rows.Scan(&l.ID, &l.Source, &l.Format, &l.Date, &l.Hash, &l.Entities, &l.Skipped, &l.parts, &l.number, &l.ImportedAt)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// Loaded are the lists that this node screens against.
func (s *Service) Loaded() []Watchlist { return slices.Clone(s.lists.Load().sources) }

// Load takes the lists in use into memory, when they are not there already. Screenings go on with the old ones
// until the new ones are whole.
func (s *Service) Load(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	now := s.lists.Load()
	var sources []Watchlist
	packed := map[clock.ID][]byte{}
	err := s.DB.Snapshot(ctx, func(r db.Reader) (err error) {
		if sources, err = Lists(r); err != nil {
			return err
		}
		for _, l := range sources {
			if _, ok := now.content[l.ID]; ok {
				continue
			}
			if packed[l.ID], err = readParts(r, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("compliance: load the lists: %w", err)
	}
	content := map[clock.ID][]match.Listed{}
	for _, l := range sources {
		text, fresh := packed[l.ID]
		if !fresh {
			content[l.ID] = now.content[l.ID]
			continue
		}
		if content[l.ID], err = unpack(l, text); err != nil {
			return fmt.Errorf("compliance: load the list %s: %w", l.Version(), err)
		}
	}
	if s.Sandbox {
		own, invented := embedded()
		sources, content[own.ID] = append(sources, own), invented
	}
	same := func(a, b Watchlist) bool { return a.ID == b.ID }
	if !slices.EqualFunc(sources, now.sources, same) {
		s.lists.Store(newLists(sources, content))
	}
	return nil
}

func readParts(r db.Reader, l Watchlist) ([]byte, error) {
	rows := r.Rows(selectParts, l.ID)
	defer rows.Close()
	var text []byte
	count := int64(0)
	for rows.Next() {
		var part []byte
		if err := rows.Scan(&part); err != nil {
			return nil, err
		}
		text = append(text, part...)
		count++
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if count != l.parts {
		return nil, fmt.Errorf("the list %s has %d of %d parts", l.Version(), count, l.parts)
	}
	return text, nil
}

func unpack(l Watchlist, packed []byte) ([]match.Listed, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	all := make([]match.Listed, 0, l.Entities)
	d := jsontext.NewDecoder(z)
	for {
		var e watchlist.Entity
		err := json.UnmarshalDecode(d, &e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, match.Listed{List: l.Source, Entity: e})
	}
	if int64(len(all)) != l.Entities {
		return nil, fmt.Errorf("it has %d of %d persons", len(all), l.Entities)
	}
	return all, nil
}

// Run keeps the lists in memory those of the database until the context ends.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	failing, told := false, ""
	for {
		if l := s.lists.Load(); cmp.Or(l.version, "none") != told {
			told = cmp.Or(l.version, "none")
			s.Log.Info("lists for screening are in use", "lists", told, "persons", l.index.Size())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.Load(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			s.Log.Warn("the lists for screening could not be looked up; the old ones stay in use", "error", err)
		}
		failing = err != nil
	}
}
