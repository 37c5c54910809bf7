package watchlist

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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
	root    string                                   // the outermost element
	entries []string                                 // elements that are entries
	date    func(root xml.StartElement) string       // of the list
	other   func(d *xml.Decoder, e xml.StartElement) // an element before the entries
	entry   func(d *xml.Decoder, e xml.StartElement) error
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
		case has(f.entries, start.Name.Local):
			if err := f.entry(d, start); err != nil {
				return err
			}
		case f.other != nil:
			f.other(d, start)
		}
	}
}

func has(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
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

// readEU reads the consolidated list of the European Union, in its XML 1.1 form.
func readEU(m *meter, t *taker) error {
	t.summary.Format = "EU consolidated list, XML 1.1"
	type entry struct {
		ID          string `xml:"logicalId,attr"`
		Reference   string `xml:"euReferenceNumber,attr"`
		SubjectType struct {
			Code string `xml:"code,attr"`
		} `xml:"subjectType"`
		Regulations []struct {
			Programme string `xml:"programme,attr"`
		} `xml:"regulation"`
		Names []struct {
			Whole  string `xml:"wholeName,attr"`
			First  string `xml:"firstName,attr"`
			Middle string `xml:"middleName,attr"`
			Last   string `xml:"lastName,attr"`
		} `xml:"nameAlias"`
		Births []struct {
			Date    string `xml:"birthdate,attr"`
			Year    string `xml:"year,attr"`
			Country string `xml:"countryIso2Code,attr"`
		} `xml:"birthdate"`
		Citizenships []struct {
			Country string `xml:"countryIso2Code,attr"`
		} `xml:"citizenship"`
	}
	return readXML(m, t, form{
		root: "export", entries: []string{"sanctionEntity"},
		date: func(root xml.StartElement) string { return dateOf(attribute(root, "generationDate")) },
		entry: func(d *xml.Decoder, start xml.StartElement) error {
			var x entry
			if err := d.DecodeElement(&x, &start); err != nil {
				return err
			}
			if !strings.EqualFold(x.SubjectType.Code, "person") && !strings.EqualFold(x.SubjectType.Code, "P") {
				t.skip()
				return nil
			}
			e := Entity{ID: firstOf(x.Reference, x.ID), Kind: Sanction}
			for _, n := range x.Names {
				e.Names = append(e.Names, firstOf(n.Whole, joinNames(n.First, n.Middle, n.Last)))
			}
			for _, b := range x.Births {
				e.Births = append(e.Births, firstOf(day(b.Date, "2006-01-02"), day(b.Year, "2006")))
				e.Countries = append(e.Countries, country(b.Country))
			}
			for _, c := range x.Citizenships {
				e.Countries = append(e.Countries, country(c.Country))
			}
			for _, r := range x.Regulations {
				e.Programmes = append(e.Programmes, r.Programme)
			}
			return t.entity(e)
		},
	})
}

// readUN reads the consolidated list of the Security Council of the United Nations.
func readUN(m *meter, t *taker) error {
	t.summary.Format = "UN consolidated list, XML"
	type entry struct {
		ID        string   `xml:"DATAID"`
		First     string   `xml:"FIRST_NAME"`
		Second    string   `xml:"SECOND_NAME"`
		Third     string   `xml:"THIRD_NAME"`
		Fourth    string   `xml:"FOURTH_NAME"`
		Original  string   `xml:"NAME_ORIGINAL_SCRIPT"`
		Reference string   `xml:"REFERENCE_NUMBER"`
		List      string   `xml:"UN_LIST_TYPE"`
		Nations   []string `xml:"NATIONALITY>VALUE"`
		Aliases   []struct {
			Name     string `xml:"ALIAS_NAME"`
			Original string `xml:"ALIAS_NAME_ORIGINAL_SCRIPT"`
		} `xml:"INDIVIDUAL_ALIAS"`
		Births []struct {
			Date string `xml:"DATE"`
			Year string `xml:"YEAR"`
			From string `xml:"FROM_YEAR"`
			To   string `xml:"TO_YEAR"`
		} `xml:"INDIVIDUAL_DATE_OF_BIRTH"`
	}
	return readXML(m, t, form{
		root: "CONSOLIDATED_LIST", entries: []string{"INDIVIDUAL", "ENTITY"},
		date: func(root xml.StartElement) string { return dateOf(attribute(root, "dateGenerated")) },
		entry: func(d *xml.Decoder, start xml.StartElement) error {
			if start.Name.Local == "ENTITY" {
				t.skip()
				return d.Skip()
			}
			var x entry
			if err := d.DecodeElement(&x, &start); err != nil {
				return err
			}
			e := Entity{ID: firstOf(x.Reference, x.ID), Kind: Sanction, Programmes: []string{x.List}}
			e.Names = []string{joinNames(x.First, x.Second, x.Third, x.Fourth), x.Original}
			for _, a := range x.Aliases {
				e.Names = append(e.Names, a.Name, a.Original)
			}
			for _, b := range x.Births {
				e.Births = append(e.Births, day(b.Date, "2006-01-02", "2006-01-02T15:04:05", "2006-01-02Z07:00", "2006-01", "2006"), day(b.Year, "2006"))
				e.Births = append(e.Births, years(b.From, b.To)...)
			}
			for _, n := range x.Nations {
				e.Countries = append(e.Countries, country(n))
			}
			return t.entity(e)
		},
	})
}

// readOFAC reads the list of Specially Designated Nationals of the US Treasury, SDN.XML, and the consolidated
// list of the same form.
func readOFAC(m *meter, t *taker) error {
	t.summary.Format = "OFAC SDN list, XML"
	type entry struct {
		ID       string   `xml:"uid"`
		First    string   `xml:"firstName"`
		Last     string   `xml:"lastName"`
		Type     string   `xml:"sdnType"`
		Programs []string `xml:"programList>program"`
		Aliases  []struct {
			First string `xml:"firstName"`
			Last  string `xml:"lastName"`
		} `xml:"akaList>aka"`
		Births       []string `xml:"dateOfBirthList>dateOfBirthItem>dateOfBirth"`
		Nations      []string `xml:"nationalityList>nationality>country"`
		Citizenships []string `xml:"citizenshipList>citizenship>country"`
	}
	return readXML(m, t, form{
		root: "sdnList", entries: []string{"sdnEntry"},
		other: func(d *xml.Decoder, start xml.StartElement) {
			var date string
			if start.Name.Local == "Publish_Date" && d.DecodeElement(&date, &start) == nil {
				t.summary.Date = day(date, "01/02/2006", "1/2/2006", "2006-01-02")
			}
		},
		entry: func(d *xml.Decoder, start xml.StartElement) error {
			var x entry
			if err := d.DecodeElement(&x, &start); err != nil {
				return err
			}
			if x.Type != "Individual" {
				t.skip()
				return nil
			}
			e := Entity{ID: x.ID, Kind: Sanction, Names: []string{joinNames(x.First, x.Last)}, Programmes: x.Programs}
			for _, a := range x.Aliases {
				e.Names = append(e.Names, joinNames(a.First, a.Last))
			}
			for _, b := range x.Births {
				e.Births = append(e.Births, ofacBirth(b)...)
			}
			for _, n := range append(x.Nations, x.Citizenships...) {
				e.Countries = append(e.Countries, country(n))
			}
			return t.entity(e)
		},
	})
}

// ofacBirth reads "18 Jul 1964", "Jul 1964", "1964", "circa 1964", "1960 to 1962".
func ofacBirth(text string) []string {
	text = strings.TrimSpace(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "circa"))
	if from, to, ok := strings.Cut(text, " to "); ok {
		from, to = day(from, "2 Jan 2006", "Jan 2006", "2006"), day(to, "2 Jan 2006", "Jan 2006", "2006")
		const year = 4
		if len(from) < year || len(to) < year {
			return nil
		}
		return years(from[:year], to[:year])
	}
	return []string{day(text, "2 Jan 2006", "Jan 2006", "2006")}
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
