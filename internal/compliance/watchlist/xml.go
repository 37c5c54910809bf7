package watchlist

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// shallow is a decoder's tokens, of elements that are not nested too deeply. A document type, in which entities
// could be declared, is refused.
type shallow struct {
	*xml.Decoder
	depth int
}

// Token is the next one.
func (s *shallow) Token() (xml.Token, error) {
	t, err := s.Decoder.RawToken()
	if err != nil {
		return nil, err
	}
	switch t.(type) {
	case xml.StartElement:
		s.depth++
	case xml.EndElement:
		s.depth--
	case xml.Directive:
		return nil, errors.New("it has a document type, which no list has")
	}
	if s.depth > maxDepth {
		return nil, fmt.Errorf("its elements are nested more than %d deep", maxDepth)
	}
	return t, nil
}

// form is what a list in XML looks like.
type form struct {
	root    string                                                    // the outermost element
	entries []string                                                  // elements that are entries
	date    func(root xml.StartElement) string                        // of the list
	other   func(d *xml.Decoder, e xml.StartElement)                  // an element before the entries
	entry   func(d *xml.Decoder, e xml.StartElement, at string) error // at tells where it begins
}

// readXML walks through a document and decodes one entry at a time.
func readXML(m *meter, t *taker, f form) error {
	raw := xml.NewDecoder(m)
	raw.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("its encoding is %q; only UTF-8 is read", charset)
	}
	d := xml.NewTokenDecoder(&shallow{Decoder: raw})
	inside := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if !inside {
				return fmt.Errorf("it has no element %s: is it the list's XML file?", f.root)
			}
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok:
		case !inside && start.Name.Local != f.root:
			return fmt.Errorf("it begins with the element %q, not with %s", start.Name.Local, f.root)
		case !inside:
			inside = true
			if f.date != nil {
				t.summary.Date = f.date(start)
			}
		case slices.Contains(f.entries, start.Name.Local):
			line, column := raw.InputPos()
			at := fmt.Sprintf("at line %d, column %d", line, column)
			if err := f.entry(d, start, at); err != nil {
				return fmt.Errorf("the entry %s: %w", at, err)
			}
		case f.other != nil:
			f.other(d, start)
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func joinNames(parts ...string) string {
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

func dateOf(text string) string {
	const length = len("2006-01-02")
	if len(text) < length {
		return ""
	}
	return day(text[:length], "2006-01-02")
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			return t
		}
	}
	return ""
}
