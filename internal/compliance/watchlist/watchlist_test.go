package watchlist_test

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"kontor/internal/compliance/watchlist"
)

func read(source string, r io.Reader) (all []watchlist.Entity, sum watchlist.Summary, err error) {
	sum, err = watchlist.Read(source, r, func(e watchlist.Entity) error {
		all = append(all, e)
		return nil
	})
	return all, sum, err
}

func TestPublishedFormsAreRead(t *testing.T) {
	t.Parallel()
	russian := "Образец Некто"
	for _, c := range []struct {
		source, file, format, date string
		skipped                    int
		want                       []watchlist.Entity
	}{
		{watchlist.EU, "eu.xml", "EU consolidated list, XML 1.1", "2026-03-02", 1, []watchlist.Entity{
			{
				"EU.1.1", "SANCTION",
				[]string{"Sample Of Somebody", russian},
				[]string{"The Sample", "Somebody Nobody"},
				[]string{"1961-04-28", "1963~", "1962-07", "1953/1958"},
				[]string{"SY", "IQ", "XK"},
				[]string{"TEST"},
			},
			{"103", "SANCTION", []string{"Second Specimen"}, nil, nil, nil, nil},
		}},
		{watchlist.UN, "un.xml", "UN consolidated list, XML", "2026-03-03", 1, []watchlist.Entity{
			{
				"TSi.001", "SANCTION",
				[]string{"SAMPLE OF SOMEBODY", "عينة أحدهم", "SOMEBODY, Example", "Another Somebody", "Other Somebody"},
				[]string{"The Sample"},
				[]string{"1961-04-28", "1962", "1968~", "1950/1970", "1973~"},
				[]string{"IR", "TR"},
				[]string{"Test"},
			},
		}},
		{watchlist.OFAC, "sdn.xml", "OFAC SDN list, XML", "2026-03-04", 1, []watchlist.Entity{
			{
				"90001", "SANCTION",
				[]string{"Sample Of SOMEBODY", "Example SOMEBODY", "Sample FORMER"},
				[]string{"THE SAMPLE"},
				[]string{"1961-04-28", "1963~", "1965/1966", "1979/1982", "1971", "1964-07"},
				[]string{"RU", "KP", "IQ"},
				[]string{"TEST", "TEST2"},
			},
		}},
		{watchlist.OpenSanctions, "targets.simple.csv", "OpenSanctions targets.simple.csv", "2026-03-05", 1, []watchlist.Entity{
			{
				"NK-test1", "SANCTION",
				[]string{"Sample Of Somebody", "Example Somebody", `Somebody; the "Sample"`, russian},
				nil,
				[]string{"1961-04-28", "1962"},
				[]string{"RU", "SY"},
				[]string{"Invented sanctions - 2026-01-02"},
			},
			{"NK-test2", "PEP", []string{"Exposed Specimen"}, nil, []string{"1970-05"}, []string{"LT"}, nil},
		}},
		{watchlist.OpenSanctions, "entities.ftm.json", "OpenSanctions entities, JSON lines", "2026-03-05", 3, []watchlist.Entity{
			{
				"NK-test1", "SANCTION",
				[]string{"Sample Of Somebody", russian, "Example Somebody", "Former Somebody"},
				[]string{"The Sample"},
				[]string{"1961-04-28"},
				[]string{"RU"},
				[]string{"role.pep", "sanction", "TEST"},
			},
			{"NK-test2", "PEP", []string{"Exposed Specimen"}, nil, nil, nil, []string{"role.pep"}},
			{"NK-test5", "LISTED", []string{"Wanted Specimen"}, nil, nil, nil, []string{"crime"}},
		}},
	} {
		f, err := os.Open("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		got, sum, err := read(c.source, f)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		if sum.Format != c.format || sum.Date != c.date || sum.Entities != len(c.want) || sum.Skipped != c.skipped || len(sum.Hash) != 64 {
			t.Errorf("%s: %+v", c.file, sum)
		}
		for i := range c.want {
			if i >= len(got) || !reflect.DeepEqual(got[i], c.want[i]) {
				t.Errorf("%s: got %+v\nwant %+v", c.file, got, c.want[i])
				break
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOtherFilesAreRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	const csvHead = "id,schema,name,aliases,birth_date,countries,sanctions\n"
	for name, c := range map[string]struct{ source, content, want string }{
		"unknown source":   {"uk", "", "is not a source"},
		"empty":            {watchlist.EU, "", "no element export"},
		"empty csv":        {watchlist.OpenSanctions, "", "the file is empty"},
		"another list":     {watchlist.EU, "<sdnList></sdnList>", `begins with the element "sdnList"`},
		"a page":           {watchlist.UN, "<html><body>Moved</body></html>", `begins with the element "html"`},
		"no XML":           {watchlist.OFAC, "PK\x03\x04", ""},
		"no persons":       {watchlist.OFAC, "<sdnList></sdnList>", "no entry of a person"},
		"cut off":          {watchlist.OFAC, "<sdnList><sdnEntry><uid>1</uid>", "unexpected EOF"},
		"document type":    {watchlist.UN, `<!DOCTYPE a [<!ENTITY b "c">]><CONSOLIDATED_LIST/>`, "document type"},
		"encoding":         {watchlist.UN, `<?xml version="1.0" encoding="utf-16"?><CONSOLIDATED_LIST/>`, "only UTF-8"},
		"nested":           {watchlist.UN, "<CONSOLIDATED_LIST>" + strings.Repeat("<a>", 30), "nested more than 24"},
		"nested entry":     {watchlist.UN, "<CONSOLIDATED_LIST><INDIVIDUAL>" + strings.Repeat("<a>", 30), "nested more than 24"},
		"large entry":      {watchlist.UN, "<CONSOLIDATED_LIST><INDIVIDUAL><DATAID>" + strings.Repeat("x", 5<<20), "an entry is larger"},
		"large attribute":  {watchlist.EU, `<export generationDate="` + strings.Repeat("x", 5<<20), "an entry is larger"},
		"other columns":    {watchlist.OpenSanctions, "id,name\n1,2\n", "does not name the columns"},
		"short row":        {watchlist.OpenSanctions, csvHead + "1,Person\n", "wrong number of fields"},
		"large cell":       {watchlist.OpenSanctions, csvHead + `1,Person,"` + strings.Repeat("x", 5<<20), "an entry is larger"},
		"no entity":        {watchlist.OpenSanctions, `{"id":1}`, "line 1 is not an entity"},
		"line cut off":     {watchlist.OpenSanctions, `{"id":"1","schema":"Person"`, "line 1 is not an entity"},
		"nested objects":   {watchlist.OpenSanctions, `{"id":` + strings.Repeat("[", 100), "line 1 is nested"},
		"no id":            {watchlist.UN, "<CONSOLIDATED_LIST>\n<INDIVIDUAL><FIRST_NAME>A</FIRST_NAME></INDIVIDUAL></CONSOLIDATED_LIST>", "the entry at line 2, column 13: the person at line 2, column 13 has no id"},
		"broken entry":     {watchlist.EU, "<export>\n<sanctionEntity></sanctionEntity>\n<sanctionEntity><a></b></sanctionEntity></export>", "the entry at line 3, column 17: XML syntax error"},
		"no id in csv":     {watchlist.OpenSanctions, csvHead + "1,Person,A,,,,\n,Person,B,,,,\n", "the person at line 3 has no id"},
		"other names":      {watchlist.UN, "<CONSOLIDATED_LIST><INDIVIDUAL><DATAID>1</DATAID><NAME>A</NAME></INDIVIDUAL></CONSOLIDATED_LIST>", "1 of its persons have no name, the first at line 1, column 32"},
		"advanced":         {watchlist.OFAC, "<Sanctions></Sanctions>", `begins with the element "Sanctions"`},
		"a very long line": {watchlist.OpenSanctions, `{"id":"` + strings.Repeat("x", 5<<20) + `"}`, "an entry is larger"},
	} {
		_, _, err := read(c.source, strings.NewReader(c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAListIsNotKeptInMemory reads more than one entry may have, from something that is never whole.
func TestAListIsNotKeptInMemory(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	go func() {
		fmt.Fprint(out, "id,schema,name,aliases,birth_date,countries,sanctions\n")
		for i := range 60_000 {
			fmt.Fprintf(out, "id-%d,Person,\"Sample %s\",,1970,lt,\n", i, strings.Repeat("x", 100))
		}
		_ = out.Close()
	}()
	last := ""
	sum, err := watchlist.Read(watchlist.OpenSanctions, in, func(e watchlist.Entity) error {
		last = e.ID
		return nil
	})
	if err != nil || sum.Entities != 60_000 || last != "id-59999" {
		t.Errorf("%+v, %s, %v", sum, last, err)
	}
}

// A person without a name is left out, and told of, as long as there are few.
func TestPersonsWithoutANameAreCounted(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("id,schema,name,aliases,birth_date,countries,sanctions\n1,Person,,,,,\n")
	for i := range 200 {
		fmt.Fprintf(&file, "id-%d,Person,Sample %d,,,,\n", i, i)
	}
	all, sum, err := read(watchlist.OpenSanctions, strings.NewReader(file.String()))
	if err != nil || len(all) != 200 || sum.Unnamed != 1 || sum.Skipped != 0 || !reflect.DeepEqual(sum.Places, []string{"at line 2"}) {
		t.Errorf("%+v, %d persons, %v", sum, len(all), err)
	}
}

func TestTheSandboxHasAListOfItsOwn(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, e := range watchlist.Sandbox() {
		if e.ID == "" || len(e.Names) == 0 || ids[e.ID] {
			t.Errorf("%+v", e)
		}
		ids[e.ID] = true
	}
	if len(ids) < 5 {
		t.Errorf("%d entries", len(ids))
	}
}

// FuzzRead feeds every reader with broken files.
func FuzzRead(f *testing.F) {
	for i, file := range []string{"eu.xml", "un.xml", "sdn.xml", "targets.simple.csv", "entities.ftm.json"} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, string(text))
	}
	sources := []string{watchlist.EU, watchlist.UN, watchlist.OFAC, watchlist.OpenSanctions, watchlist.OpenSanctions}
	f.Fuzz(func(t *testing.T, i int, text string) {
		all, sum, err := read(sources[max(i, -i-1)%len(sources)], strings.NewReader(text))
		if err == nil && (sum.Entities != len(all) || len(all) == 0) {
			t.Errorf("%+v, %d entities", sum, len(all))
		}
	})
}
