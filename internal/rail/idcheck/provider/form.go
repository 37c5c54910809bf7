package provider

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"

	"kontor/internal/identity"
)

// check is the first part of the form that hands a case over: what was declared. Absent is what nobody told.
type check struct {
	ID       string   `json:"id"`
	Person   person   `json:"person"`
	Document declared `json:"document"`
	Files    []file   `json:"files"` // that follow, in their order
}

type person struct {
	FirstName    string `json:"firstName,omitempty"`
	LastName     string `json:"lastName,omitempty"`
	BirthDate    string `json:"birthDate,omitempty"`
	BirthCountry string `json:"birthCountry,omitempty"`
	Country      string `json:"country,omitempty"` // of residence
	Citizenship  string `json:"citizenship,omitempty"`
	Nationality  string `json:"nationality,omitempty"`
}

type declared struct {
	Type string `json:"type,omitempty"`
	document
	IssueDate string `json:"issueDate,omitempty"`
	MRZ       string `json:"mrz,omitempty"`
}

type file struct {
	Name      string `json:"name"`
	Side      string `json:"side,omitempty"` // FRONT, BACK, SELFIE; absent when there are more files than sides
	MediaType string `json:"mediaType"`
}

// form writes a case as multipart/form-data.
type form struct {
	*multipart.Writer
	check check
	c     identity.Case
	open  func(identity.Document) (io.ReadCloser, error)
}

func newForm(w io.Writer, id string, c identity.Case, open func(identity.Document) (io.ReadCloser, error)) *form {
	p, d := c.Person, c.Claims
	number := d.DocumentNumber
	if number == "" {
		number = p.DocumentNumber
	}
	f := &form{Writer: multipart.NewWriter(w), c: c, open: open, check: check{
		ID: id,
		Person: person{
			FirstName: p.FirstName, LastName: p.LastName, BirthDate: p.BirthDate, BirthCountry: p.BirthCountry,
			Country: p.Country, Citizenship: p.Citizenship, Nationality: p.Nationality,
		},
		Document: declared{
			Type: d.DocumentType, IssueDate: d.IssueDate, MRZ: d.MRZ,
			document: document{Number: number, IssueCountry: d.IssueCountry, ExpiryDate: d.ExpiryDate},
		},
		Files: []file{},
	}}
	for i, side := range sides(c) {
		name := fmt.Sprintf("%d.%s", i+1, extension(c.Documents[i].MediaType))
		f.check.Files = append(f.check.Files, file{Name: name, Side: side, MediaType: c.Documents[i].MediaType})
	}
	return f
}

// sides are those of a case's documents. Files without a side fill what is open, in order.
func sides(c identity.Case) []string {
	var bare []identity.Document
	for _, d := range c.Documents {
		if d.Side != "" {
			bare = append(bare, d)
		}
	}
	open := identity.MissingSides(c.Claims.DocumentType, bare)
	all := make([]string, len(c.Documents))
	for i, d := range c.Documents {
		all[i] = d.Side
		if d.Side == "" && len(open) > 0 {
			all[i], open = open[0], open[1:]
		}
	}
	return all
}

// extension is the end of a file's name. The names that users gave their files stay here.
func extension(mediaType string) string {
	_, end, _ := strings.Cut(mediaType, "/")
	return end
}

// write writes the form to its end.
func (f *form) write() error {
	part, err := f.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="check"`}, "Content-Type": {"application/json"},
	})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(part).Encode(f.check); err != nil {
		return err
	}
	for i, d := range f.c.Documents {
		if err := f.attach(f.check.Files[i], d); err != nil {
			return err
		}
	}
	return f.Close()
}

// attach copies a document from where it is kept into the form.
func (f *form) attach(as file, d identity.Document) error {
	content, err := f.open(d)
	if err != nil {
		return err
	}
	defer content.Close()
	part, err := f.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {mime.FormatMediaType("form-data", map[string]string{"name": "file", "filename": as.Name})},
		"Content-Type":        {as.MediaType},
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(part, content)
	return err
}
