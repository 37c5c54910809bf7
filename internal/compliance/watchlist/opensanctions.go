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
		for _, b := range divided(row[birth]) {
			e.Births = append(e.Births, day(b, "2006-01-02", "2006-01", "2006"))
		}
		for _, c := range divided(row[countries]) {
			e.Countries = append(e.Countries, country(c))
		}
		if err := t.entity(e); err != nil {
			return err
		}
	}
}

func divided(cell string) []string { return strings.Split(strings.Clone(cell), ";") }

type ftmEntity struct {
	ID         string              `json:"id"`
	Caption    string              `json:"caption"`
	Schema     string              `json:"schema"`
	Target     *bool               `json:"target"`
	LastSeen   string              `json:"last_seen"`
	Properties map[string][]string `json:"properties"`
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
		topics := x.Properties["topics"]
		target := x.Target == nil || *x.Target
		if !person(x.Schema) || !target && len(topics) == 0 {
			t.skip()
			continue
		}
		if err := t.entity(x.entity()); err != nil {
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
	e := Entity{ID: x.ID, Kind: kindOf(p["topics"]), Programmes: slices.Concat(p["topics"], p["programId"], p["program"])}
	e.Names = slices.Concat([]string{x.Caption}, p["name"], p["alias"], p["weakAlias"], p["previousName"])
	for _, b := range p["birthDate"] {
		e.Births = append(e.Births, day(b, "2006-01-02", "2006-01", "2006"))
	}
	for _, c := range slices.Concat(p["country"], p["citizenship"], p["nationality"]) {
		e.Countries = append(e.Countries, country(c))
	}
	return e
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
