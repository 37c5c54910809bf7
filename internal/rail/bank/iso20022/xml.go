package iso20022

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// Limits of a document.
const (
	maxSize  = 128 << 20 // a statement line takes about 2 KB
	maxDepth = 24        // the deepest message has 14 levels
	maxAttrs = 16        // of one element
)

// decode reads XML into a structure, strictly.
func decode(r io.Reader, size int64, into any) error {
	limited := &limitedReader{from: r, left: size}
	plain := xml.NewDecoder(limited)
	plain.Strict = true
	tokens := &tokens{from: plain}
	d := xml.NewTokenDecoder(tokens)
	err := d.Decode(into)
	if err == nil {
		err = tokens.rest()
	}
	switch {
	case err == nil:
		return nil
	case limited.left < 0, errors.Is(err, ErrSize):
		return ErrSize
	}
	// The decoder's error may quote the document, which is nobody's business.
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: line %d", ErrForm, syntax.Line)
	}
	return ErrForm
}

// limitedReader fails behind a number of bytes, where io.LimitReader would end.
type limitedReader struct {
	from io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, ErrSize
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.from.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n, ErrSize
	}
	return n, err
}

// tokens passes on what a message may consist of.
type tokens struct {
	from  *xml.Decoder
	depth int
}

func (t *tokens) Token() (xml.Token, error) {
	token, err := t.from.Token()
	if err != nil {
		return token, err
	}
	switch token := token.(type) {
	case xml.StartElement:
		if t.depth++; t.depth > maxDepth || len(token.Attr) > maxAttrs {
			return nil, ErrSize
		}
	case xml.EndElement:
		t.depth--
	case xml.Directive:
		return nil, fmt.Errorf("%w: a DTD", ErrForm)
	case xml.ProcInst:
		if token.Target != "xml" {
			return nil, fmt.Errorf("%w: a processing instruction", ErrForm)
		}
	}
	return token, nil
}

// rest makes sure that nothing follows the message but space and comments.
func (t *tokens) rest() error {
	for {
		token, err := t.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.Comment:
		case xml.CharData:
			for _, c := range token {
				if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
					return ErrForm
				}
			}
		default:
			return ErrForm
		}
	}
}
