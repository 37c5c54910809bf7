package watchlist

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// readOpenSanctions reads targets.simple.csv, or entities as JSON lines (FollowTheMoney). A byte order mark is
// passed over. The form shows in the first character.
func readOpenSanctions(m *meter, t *taker) error {
	in := bufio.NewReaderSize(m, 64<<10)
	if start, err := in.Peek(3); err == nil && bytes.Equal(start, []byte("\ufeff")) {
		_, _ = in.Discard(len(start))
	}
	first, err := in.Peek(1)
	switch {
	case err != nil:
		return errors.New("the file is empty")
	case first[0] == '{':
		t.summary.Format = "OpenSanctions entities, JSON lines"
		return readEntities(in, t)
	}
	t.summary.Format = "OpenSanctions targets.simple.csv"
	return readTargets(in, t)
}

// person tells whether a schema of FollowTheMoney can be a person.
func person(schema string) bool { return schema == "Person" || schema == "LegalEntity" }

func readTargets(in io.Reader, t *taker) error {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return err
	}
	head = slices.Clone(head)
	column := func(name string) int { return slices.Index(head, name) }
	id, schema, name, aliases, birth := column("id"), column("schema"), column("name"), column("aliases"), column("birth_date")
	countries, sanctions, seen := column("countries"), column("sanctions"), column("last_seen")
	if min(id, schema, name, aliases, birth, countries, sanctions) < 0 {
		return fmt.Errorf("its first line does not name the columns id, schema, name, aliases, birth_date, countries and sanctions: %.200q", strings.Join(head, ","))
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if seen >= 0 {
			t.summary.Date = max(t.summary.Date, dateOf(row[seen]))
		}
		if !person(row[schema]) {
			t.skip()
			continue
		}
		// The simple form does not say why somebody without sanctions is a target; almost all are exposed.
		e := Entity{ID: strings.Clone(row[id]), Kind: Political}
		if row[sanctions] != "" {
			e.Kind, e.Programmes = Sanction, divided(row[sanctions])
		}
		e.Names = append([]string{strings.Clone(row[name])}, divided(row[aliases])...)
		e.Births, e.Countries = dates(divided(row[birth])), codes(divided(row[countries]))
		line, _ := r.FieldPos(0)
		if err := t.entity(e, fmt.Sprintf("at line %d", line)); err != nil {
			return err
		}
	}
}

// divided reads a cell of several values: a row of CSV in its turn, divided by semicolons, so that a value with a
// semicolon or a quotation mark in it stands in quotation marks.
func divided(cell string) []string {
	cell = strings.Clone(cell)
	if !strings.Contains(cell, `"`) {
		return strings.Split(cell, ";")
	}
	r := csv.NewReader(strings.NewReader(cell))
	r.Comma, r.LazyQuotes = ';', true
	values, err := r.Read()
	if err != nil {
		return nil // it is empty
	}
	return values
}

func dates(texts []string) (all []string) {
	for _, t := range texts {
		all = append(all, day(t, "2006-01-02", "2006-01", "2006"))
	}
	return all
}

func codes(texts []string) (all []string) {
	for _, t := range texts {
		all = append(all, country(t))
	}
	return all
}

// ftmEntity is what is read of an entity of FollowTheMoney. What else it has, other entities inside of it in the nested
// form too, is passed over.
type ftmEntity struct {
	ID         string `json:"id"`
	Caption    string `json:"caption"`
	Schema     string `json:"schema"`
	Target     *bool  `json:"target"`
	LastSeen   string `json:"last_seen"`
	Properties struct {
		Name         []string `json:"name"`
		Alias        []string `json:"alias"`
		WeakAlias    []string `json:"weakAlias"`
		PreviousName []string `json:"previousName"`
		BirthDate    []string `json:"birthDate"`
		Country      []string `json:"country"`
		Citizenship  []string `json:"citizenship"`
		Nationality  []string `json:"nationality"`
		Topics       []string `json:"topics"`
		Program      []string `json:"program"`
		ProgramID    []string `json:"programId"`
	} `json:"properties"`
}

func readEntities(in io.Reader, t *taker) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxEntry)
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if deep(line) {
			return fmt.Errorf("line %d is nested more than %d deep", number, maxDepth)
		}
		var x ftmEntity
		if err := json.Unmarshal(line, &x); err != nil {
			return fmt.Errorf("line %d is not an entity: %w", number, err)
		}
		t.summary.Date = max(t.summary.Date, dateOf(x.LastSeen))
		topics := x.Properties.Topics
		target := x.Target == nil || *x.Target
		if !person(x.Schema) || !target && len(topics) == 0 {
			t.skip()
			continue
		}
		if err := t.entity(x.entity(), fmt.Sprintf("at line %d", number)); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("an entry is larger than %d bytes", maxEntry)
	}
	return lines.Err()
}

func (x ftmEntity) entity() Entity {
	p := x.Properties
	return Entity{
		ID: x.ID, Kind: kindOf(p.Topics), Programmes: slices.Concat(p.Topics, p.ProgramID, p.Program),
		Names: slices.Concat([]string{x.Caption}, p.Name, p.Alias, p.PreviousName), Weak: p.WeakAlias,
		Births: dates(p.BirthDate), Countries: codes(slices.Concat(p.Country, p.Citizenship, p.Nationality)),
	}
}

// kindOf tells why somebody is listed, by topics of OpenSanctions.
func kindOf(topics []string) string {
	kind := Listed
	for _, topic := range topics {
		switch {
		case topic == "sanction" || topic == "sanction.counter" || topic == "sanction.linked":
			return Sanction
		case strings.HasPrefix(topic, "role.pep"), topic == "role.rca", strings.HasPrefix(topic, "gov"), topic == "role.pol":
			kind = Political
		}
	}
	return kind
}

// deep tells whether JSON is nested too deeply. Braces in texts count too: it errs on the strict side only for
// texts that no name has.
func deep(line []byte) bool {
	depth := 0
	for _, c := range line {
		switch c {
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}
