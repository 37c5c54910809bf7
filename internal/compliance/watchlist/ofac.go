package watchlist

import (
	"encoding/xml"
	"strings"
)

// ofacEntry is an entry of the list of Specially Designated Nationals of the US Treasury, SDN.XML, or of the consolidated
// list of the same form. The first name has the middle names in it.
type ofacEntry struct {
	ID       string   `xml:"uid"`
	First    string   `xml:"firstName"`
	Last     string   `xml:"lastName"`
	Type     string   `xml:"sdnType"`
	Programs []string `xml:"programList>program"`
	Aliases  []struct {
		First    string `xml:"firstName"`
		Last     string `xml:"lastName"`
		Category string `xml:"category"` // strong, weak
	} `xml:"akaList>aka"`
	Births       []string `xml:"dateOfBirthList>dateOfBirthItem>dateOfBirth"`
	Places       []string `xml:"placeOfBirthList>placeOfBirthItem>placeOfBirth"`
	Nations      []string `xml:"nationalityList>nationality>country"`
	Citizenships []string `xml:"citizenshipList>citizenship>country"`
}

// readOFAC reads SDN.XML and the consolidated list.
func readOFAC(m *meter, t *taker) error {
	t.summary.Format = "OFAC SDN list, XML"
	return readXML(m, t, form{
		root: "sdnList", entries: []string{"sdnEntry"},
		other: func(d *xml.Decoder, start xml.StartElement) {
			var date string
			if start.Name.Local == "Publish_Date" && d.DecodeElement(&date, &start) == nil {
				t.summary.Date = day(date, "01/02/2006", "1/2/2006", "2006-01-02")
			}
		},
		entry: func(d *xml.Decoder, start xml.StartElement, at string) error {
			var x ofacEntry
			if err := d.DecodeElement(&x, &start); err != nil {
				return err
			}
			if x.Type != "Individual" {
				t.skip()
				return nil
			}
			return t.entity(x.entity(), at)
		},
	})
}

func (x ofacEntry) entity() Entity {
	e := Entity{ID: x.ID, Kind: Sanction, Names: []string{joinNames(x.First, x.Last)}, Programmes: x.Programs}
	for _, a := range x.Aliases {
		if a.Category == "weak" {
			e.Weak = append(e.Weak, joinNames(a.First, a.Last))
		} else {
			e.Names = append(e.Names, joinNames(a.First, a.Last))
		}
	}
	for _, b := range x.Births {
		e.Births = append(e.Births, ofacBirth(b))
	}
	for _, n := range append(x.Nations, x.Citizenships...) {
		e.Countries = append(e.Countries, countryNamed(n))
	}
	for _, p := range x.Places {
		e.Countries = append(e.Countries, countryOfPlace(p))
	}
	return e
}

// ofacBirth reads "18 Jul 1964", "Jul 1964", "1964", "circa 1964", "1960 to 1962", "circa 1979-1982".
func ofacBirth(text string) string {
	text, circa := strings.CutPrefix(strings.ToLower(strings.TrimSpace(text)), "circa ")
	date := func(text string) string { return day(text, "2 Jan 2006", "Jan 2006", "2006") }
	for _, to := range []string{" to ", "-"} {
		if first, last, ok := strings.Cut(text, to); ok {
			const year = 4
			first, last = date(first), date(last)
			return between(first[:min(len(first), year)], last[:min(len(last), year)])
		}
	}
	if circa {
		return about(date(text))
	}
	return date(text)
}
