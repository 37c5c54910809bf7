package watchlist

import (
	"encoding/xml"
	"regexp"
	"strings"
)

// unEntry is a person of the consolidated list of the Security Council of the United Nations.
type unEntry struct {
	ID        string   `xml:"DATAID"`
	First     string   `xml:"FIRST_NAME"`
	Second    string   `xml:"SECOND_NAME"`
	Third     string   `xml:"THIRD_NAME"`
	Fourth    string   `xml:"FOURTH_NAME"`
	Original  string   `xml:"NAME_ORIGINAL_SCRIPT"`
	Reference string   `xml:"REFERENCE_NUMBER"`
	List      string   `xml:"UN_LIST_TYPE"`
	Nations   []string `xml:"NATIONALITY>VALUE"`
	Places    []string `xml:"INDIVIDUAL_PLACE_OF_BIRTH>COUNTRY"`
	Aliases   []struct {
		Quality string `xml:"QUALITY"`
		Name    string `xml:"ALIAS_NAME"`
	} `xml:"INDIVIDUAL_ALIAS"`
	Births []unBirth `xml:"INDIVIDUAL_DATE_OF_BIRTH"`
}

// unBirth is a birth date. Type is EXACT, APPROXIMATELY or BETWEEN; what is neither a day nor a year stands in the note:
// "Nov. 1973".
type unBirth struct {
	Type string `xml:"TYPE_OF_DATE"`
	Date string `xml:"DATE"`
	Year string `xml:"YEAR"`
	From string `xml:"FROM_YEAR"`
	To   string `xml:"TO_YEAR"`
	Note string `xml:"NOTE"`
}

var (
	yearInNote = regexp.MustCompile(`\b(19|20)\d\d\b`)
	// listedAs is a remark that the list makes inside of names.
	listedAs = regexp.MustCompile(`(?i)\(?\b(formerly|previously) listed as\b\)?`)
)

func (b unBirth) date() string {
	date := firstOf(day(b.Date, "2006-01-02", "2006-01-02T15:04:05", "2006-01-02Z07:00", "2006-01", "2006"), day(b.Year, "2006"))
	if strings.EqualFold(b.Type, "APPROXIMATELY") {
		date = about(date)
	}
	return firstOf(date, between(b.From, b.To), about(yearInNote.FindString(b.Note)))
}

// readUN reads the consolidated list of the Security Council.
func readUN(m *meter, t *taker) error {
	t.summary.Format = "UN consolidated list, XML"
	return readXML(m, t, form{
		root: "CONSOLIDATED_LIST", entries: []string{"INDIVIDUAL", "ENTITY"},
		date: func(root xml.StartElement) string { return dateOf(attribute(root, "dateGenerated")) },
		entry: func(d *xml.Decoder, start xml.StartElement, at string) error {
			if start.Name.Local == "ENTITY" {
				t.skip()
				return d.Skip()
			}
			var x unEntry
			if err := d.DecodeElement(&x, &start); err != nil {
				return err
			}
			return t.entity(x.entity(), at)
		},
	})
}

func (x unEntry) entity() Entity {
	e := Entity{ID: firstOf(x.Reference, x.ID), Kind: Sanction, Programmes: []string{x.List}}
	e.Names = []string{joinNames(x.First, x.Second, x.Third, x.Fourth), x.Original}
	for _, a := range x.Aliases {
		names := strings.Split(listedAs.ReplaceAllString(a.Name, ""), ";")
		if strings.EqualFold(a.Quality, "Low") {
			e.Weak = append(e.Weak, names...)
		} else {
			e.Names = append(e.Names, names...)
		}
	}
	for _, b := range x.Births {
		e.Births = append(e.Births, b.date())
	}
	for _, n := range append(x.Nations, x.Places...) {
		e.Countries = append(e.Countries, countryNamed(n)) // there are no codes: "na" is no country
	}
	return e
}
