package idcheck

import (
	"strings"
	"testing"
	"time"

	"kontor/internal/fault"
	"kontor/internal/identity"
	"kontor/internal/user"
)

// passport is the specimen of part 4 of Doc 9303, which is valid until 15 April 2012.
const passport = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"

// good is a case that nothing is wrong with.
func good() identity.Case {
	return identity.Case{
		Method: identity.Files, Today: time.Date(2012, 4, 15, 0, 0, 0, 0, time.UTC),
		Claims:    identity.Claims{DocumentType: identity.Passport, DocumentNumber: "l898902-c3", ExpiryDate: "2012-04-15", MRZ: passport},
		Person:    user.Person{FirstName: "Anna Maria", LastName: "Eriksson", BirthDate: "1974-08-12"},
		Documents: []identity.Document{{}, {}},
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(c *identity.Case)
		reason string
	}{
		"nothing is wrong on the last day": {func(*identity.Case) {}, ""},
		"without a zone":                   {func(c *identity.Case) { c.Claims.MRZ = "" }, ""},
		"the day after":                    {func(c *identity.Case) { c.Today = c.Today.AddDate(0, 0, 1) }, DocumentExpired},
		"the day after, by the zone alone": {func(c *identity.Case) { c.Today, c.Claims.ExpiryDate = c.Today.AddDate(0, 0, 1), "" }, DocumentExpired},
		"issued tomorrow":                  {func(c *identity.Case) { c.Claims.IssueDate = "2012-04-16" }, DataMismatch},
		"no face":                          {func(c *identity.Case) { c.Documents = c.Documents[:1] }, NoFaceFound},
		"nothing but a face":               {func(c *identity.Case) { c.Documents = []identity.Document{{Side: identity.Selfie}} }, DocumentUnreadable},
		"a card has a back": {func(c *identity.Case) {
			c.Claims = identity.Claims{DocumentType: identity.DriverLicense}
			c.Documents = []identity.Document{{Side: identity.Front}, {Side: identity.Selfie}}
		}, DocumentUnreadable},
		"an unknown document":         {func(c *identity.Case) { c.Claims.DocumentType = "LIBRARY_CARD" }, DocumentNotSupported},
		"seventeen":                   {func(c *identity.Case) { c.Claims.MRZ, c.Person.BirthDate = "", "1994-04-16" }, Underage},
		"eighteen today":              {func(c *identity.Case) { c.Claims.MRZ, c.Person.BirthDate = "", "1994-04-15" }, ""},
		"a zone that nobody can read": {func(c *identity.Case) { c.Claims.MRZ = strings.Replace(passport, "1204159", "1304159", 1) }, DocumentUnreadable},
		"another number":              {func(c *identity.Case) { c.Claims.DocumentNumber = "L898902C4" }, DataMismatch},
		"another expiry":              {func(c *identity.Case) { c.Claims.ExpiryDate = "2013-04-15" }, DataMismatch},
		"another birth date":          {func(c *identity.Case) { c.Person.BirthDate = "1974-08-13" }, DataMismatch},
		"another surname":             {func(c *identity.Case) { c.Person.LastName = "Eriksdotter" }, DataMismatch},
		"another given name":          {func(c *identity.Case) { c.Person.FirstName = "Maria" }, DataMismatch},
		"only the first given name":   {func(c *identity.Case) { c.Person.FirstName = "Anna" }, ""},
		"marks on letters":            {func(c *identity.Case) { c.Person.LastName = "Ériksşon" }, ""},
		"another script":              {func(c *identity.Case) { c.Person.LastName = "Эрикссон" }, ""},
		"a passport's zone for a card": {func(c *identity.Case) {
			c.Claims.DocumentType, c.Documents = identity.IDCard, make([]identity.Document, 3)
		}, DataMismatch},
		"the sandbox supplies documents": {func(c *identity.Case) { c.Staged, c.Documents, c.Claims = true, nil, identity.Claims{} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := good()
			c.change(&given)
			got, err := Builtin{}.Check(given)
			if err != nil || got.Reason != c.reason || (got.Status == identity.Successful) != (c.reason == "") {
				t.Errorf("ended as %+v, %v; want %q", got, err, c.reason)
			}
		})
	}
}

func TestWhatTheZoneSays(t *testing.T) {
	t.Parallel()
	got, err := Builtin{}.Check(good())
	want := identity.Read{DocumentNumber: "L898902C3", ExpiryDate: "2012-04-15", BirthDate: "1974-08-12"}
	if err != nil || got.Read != want {
		t.Errorf("read %+v, %v", got.Read, err)
	}
	for code, want := range map[string]string{"D": "DE", "LTU": "LT", "UTO": "", "": ""} {
		if got := alpha2(code); got != want {
			t.Errorf("%q is the country %q", code, got)
		}
	}
}

// Letters that a zone spells with two may also stand without their mark.
func TestNamesAsZonesSpellThem(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Müller", "MUELLER", "Muller"} {
		for _, spelt := range []string{"MUELLER", "MULLER"} {
			c := good()
			c.Claims.MRZ = strings.Replace(passport, "ERIKSSON", spelt, 1)
			c.Claims.MRZ = strings.Replace(c.Claims.MRZ, "<\n", strings.Repeat("<", 9-len(spelt))+"\n", 1)
			c.Person.LastName = name
			got, err := Builtin{}.Check(c)
			fits := !(name == "MUELLER" && spelt == "MULLER") && !(name == "Muller" && spelt == "MUELLER")
			if err != nil || (got.Status == identity.Successful) != fits {
				t.Errorf("%s and %s end as %+v, %v", name, spelt, got, err)
			}
		}
	}
}

func TestChosenOutcomes(t *testing.T) {
	t.Parallel()
	at := func(number, file, page string) identity.Case {
		c := good()
		c.Claims = identity.Claims{DocumentType: identity.Passport, DocumentNumber: number, Outcome: page}
		c.Documents[0].Name = file
		return c
	}
	for _, c := range []struct {
		given           identity.Case
		reason          string
		review, expired bool
	}{
		{at("TEST-reject-underage-1", "", ""), Underage, false, false},
		{at("", "REJECT-NO_FACE_FOUND.jpg", ""), NoFaceFound, false, false},
		{at("", "", "REJECT-FACE_MISMATCH"), FaceMismatch, false, false},
		{at("MANUAL", "", ""), "", true, false},
		{at("", "", "EXPIRED"), "", false, true},
		{at("", "manual-reject-nothing.jpg", ""), "", false, false}, // a file may be called anything
	} {
		got, err := Builtin{Staging: true}.Check(c.given)
		if err != nil || got.Reason != c.reason || got.Review != c.review || got.Expired != c.expired {
			t.Errorf("%+v ends as %+v, %v", c.given.Claims, got, err)
		}
		if got, err := (Builtin{}).Check(c.given); err != nil || got.Status != identity.Successful || got.Review || got.Expired {
			t.Errorf("in production %+v ends as %+v, %v", c.given.Claims, got, err)
		}
	}
	if _, err := (Builtin{Staging: true}).Check(at("REJECT-NOTHING", "", "")); fault.From(err).Code != fault.Validation {
		t.Errorf("an unknown reason ends with %v", err)
	}
}
