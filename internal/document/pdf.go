package document

import (
	"bytes"
	"io"
	"regexp"
)

// pdfHeader is how a PDF begins (ISO 32000-2, 7.5.2).
var pdfHeader = regexp.MustCompile(`^%PDF-(1\.[0-7]|2\.0)[\r\n \t]`)

// pdfTailSize is where programs look for a PDF's end.
const pdfTailSize = 1024

func (r *Reader) beginPDF(head []byte) (io.Reader, error) {
	if !pdfHeader.Match(head) {
		return nil, unsupported("a PDF of no known version")
	}
	r.facts.Media = PDF
	r.next = func() (io.Reader, error) { return nil, io.EOF }
	return &pdfReader{src: r.src}, nil
}

// pdfReader passes a PDF on as it is, and looks for what must not be in it.
type pdfReader struct {
	src  io.Reader
	tail []byte // the end of what was read
}

func (p *pdfReader) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if n > 0 {
		if problem := p.look(b[:n]); problem != nil {
			return 0, problem
		}
	}
	if err == io.EOF { //nolint:errorlint // the interface's own sentinel
		if problem := p.ended(); problem != nil {
			return n, problem
		}
	}
	return n, err
}

// zipEnd is the end of a ZIP's directory. A file that has it opens as a ZIP, too.
var zipEnd = []byte("PK\x05\x06\x00\x00\x00\x00")

func (p *pdfReader) look(b []byte) error {
	text := append(p.tail, b...)
	switch {
	case bytes.Contains(text, zipEnd):
		return unsupported("a PDF and a ZIP in one")
	case encrypted(text):
		return unsupported("an encrypted PDF")
	}
	p.tail = append(p.tail[:0], text[max(0, len(text)-pdfTailSize):]...)
	return nil
}

var encrypt = []byte("/Encrypt")

// encrypted tells whether a text names the encryption dictionary (ISO 32000-2, 7.5.5). It stands in the trailer, or in
// the dictionary of a cross-reference stream, neither of which is ever compressed or divided.
func encrypted(text []byte) bool {
	for {
		i := bytes.Index(text, encrypt)
		if i < 0 {
			return false
		}
		text = text[i+len(encrypt):]
		if len(text) > 0 && !regular(text[0]) {
			return true
		}
	}
}

// regular tells whether a character goes on a name (ISO 32000-2, 7.2.3).
func regular(c byte) bool { return bytes.IndexByte([]byte("\x00\t\n\f\r ()<>[]{}/%"), c) < 0 }

// ended wants the end that says that the file is whole.
func (p *pdfReader) ended() error {
	end := []byte("%%EOF")
	text := bytes.TrimRight(p.tail, "\x00\t\n\f\r ")
	if !bytes.HasSuffix(text, end) || !bytes.Contains(text, []byte("startxref")) {
		return unsupported("a PDF without its end")
	}
	return nil
}
