package watchlist

import (
	"encoding/xml"
	"strings"
)

// euEntry is an entry of the consolidated list of the European Union, in its XML 1.1 form: xmlFullSanctionsList_1_1.
type euEntry struct {
	ID          string `xml:"logicalId,attr"`
	Reference   string `xml:"euReferenceNumber,attr"`
	SubjectType struct {
		Code string `xml:"code,attr"`
	} `xml:"subjectType"`
	Regulations []struct {
		Programme string `xml:"programme,attr"`
	} `xml:"regulation"`
	Names        []euName    `xml:"nameAlias"`
	Births       []euBirth   `xml:"birthdate"`
	Citizenships []euCountry `xml:"citizenship"`
}

type euName struct {
	Whole  string `xml:"wholeName,attr"`
	First  string `xml:"firstName,attr"`
	Middle string `xml:"middleName,attr"`
	Last   string `xml:"lastName,attr"`
	Strong string `xml:"strong,attr"`
	Remark string `xml:"remark"`
}

// weak tells whether the list calls the spelling weak, by its mark or in words.
func (n euName) weak() bool {
	return n.Strong == "false" || strings.Contains(strings.ToLower(n.Remark), "low quality")
}

// euCountry is a country. "00" and UNKNOWN stand for none.
type euCountry struct {
	Code string `xml:"countryIso2Code,attr"`
	Name string `xml:"countryDescription,attr"`
}

func (c euCountry) code() string { return firstOf(country(c.Code), countryNamed(c.Name)) }

// euBirth is a birth date: a day, a year, or two years between which it is.
type euBirth struct {
	euCountry
	Date     string `xml:"birthdate,attr"`
	Year     string `xml:"year,attr"`
	Month    string `xml:"monthOfYear,attr"`
	From     string `xml:"yearRangeFrom,attr"`
	To       string `xml:"yearRangeTo,attr"`
	Circa    string `xml:"circa,attr"`
	Calendar string `xml:"calendarType,attr"`
}

// date leaves out dates of other calendars: their years would contradict every birth date.
func (b euBirth) date() string {
	if b.Calendar != "" && b.Calendar != "GREGORIAN" {
		return ""
	}
	date := firstOf(day(b.Date, "2006-01-02"), day(b.Year+"-"+b.Month, "2006-1"), day(b.Year, "2006"))
	if b.Circa == "true" {
		date = about(date)
	}
	return firstOf(date, between(b.From, b.To))
}

// readEU reads the consolidated list of the European Union.
func readEU(m *meter, t *taker) error {
	t.summary.Format = "EU consolidated list, XML 1.1"
	return readXML(m, t, form{
		root: "export", entries: []string{"sanctionEntity"},
		date: func(root xml.StartElement) string { return dateOf(attribute(root, "generationDate")) },
		entry: func(d *xml.Decoder, start xml.StartElement, at string) error {
			var x euEntry
			if err := d.DecodeElement(&x, &start); err != nil {
				return err
			}
			if !strings.EqualFold(x.SubjectType.Code, "person") && !strings.EqualFold(x.SubjectType.Code, "P") {
				t.skip()
				return nil
			}
			return t.entity(x.entity(), at)
		},
	})
}

func (x euEntry) entity() Entity {
	e := Entity{ID: firstOf(x.Reference, x.ID), Kind: Sanction}
	for _, n := range x.Names {
		name := firstOf(n.Whole, joinNames(n.First, n.Middle, n.Last))
		if n.weak() {
			e.Weak = append(e.Weak, name)
		} else {
			e.Names = append(e.Names, name)
		}
	}
	for _, b := range x.Births {
		e.Births, e.Countries = append(e.Births, b.date()), append(e.Countries, b.code())
	}
	for _, c := range x.Citizenships {
		e.Countries = append(e.Countries, c.code())
	}
	for _, r := range x.Regulations {
		e.Programmes = append(e.Programmes, r.Programme)
	}
	return e
}
