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
	ahead, stop := readAhead(&tokens{from: plain})
	err := xml.NewTokenDecoder(ahead).Decode(into)
	if err == nil {
		err = ahead.rest()
	}
	stop()
	switch {
	case err == nil:
		return nil
	case limited.left < 0, errors.Is(err, ErrSize):
		return ErrSize
	case errors.Is(err, ErrForm):
		return err
	}
	// The decoder's error may quote the document, which is nobody's business.
	var syntax *xml.SyntaxError
	switch {
	case !errors.As(err, &syntax):
		return ErrForm
	case syntax.Msg == "unexpected EOF": // the words of encoding/xml
		return fmt.Errorf("%w: it ends in the middle", ErrForm)
	}
	return fmt.Errorf("%w: line %d", ErrForm, syntax.Line)
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
	token, err := t.from.RawToken() // the decoder that follows matches elements and namespaces
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

const (
	aheadSize = 512 // tokens that are passed on together
	aheadMost = 4   // times as many are read ahead
)

// ahead passes on tokens that are read meanwhile in a goroutine of its own: of a large statement, reading takes as long
// as decoding, and the two share the processors so.
type ahead struct {
	some []xml.Token
	from <-chan []xml.Token
	err  error // why there are no more; to be read when from is closed
}

// readAhead begins to read. stop ends it, and returns when it has ended.
func readAhead(from *tokens) (a *ahead, stop func()) {
	read, over := make(chan []xml.Token, aheadMost), make(chan struct{})
	a = &ahead{from: read}
	go func() {
		defer close(read)
		for {
			some := make([]xml.Token, 0, aheadSize)
			for len(some) < aheadSize && a.err == nil {
				var token xml.Token
				if token, a.err = from.Token(); a.err == nil {
					some = append(some, lasting(token))
				}
			}
			select {
			case read <- some:
			case <-over:
				return
			}
			if a.err != nil {
				return
			}
		}
	}()
	return a, func() {
		close(over)
		for range read { // what was read already
		}
	}
}

// lasting copies what the decoder will write over. Indentation means nothing, so that it is not kept.
func lasting(token xml.Token) xml.Token {
	if text, ok := token.(xml.CharData); ok && len(text) > 0 && text[0] == '\n' && isSpace(text) {
		return xml.CharData(nil)
	}
	if _, ok := token.(xml.StartElement); ok {
		return token // it is new each time
	}
	return xml.CopyToken(token)
}

// Token is the next token.
func (a *ahead) Token() (xml.Token, error) {
	for len(a.some) == 0 {
		var ok bool
		if a.some, ok = <-a.from; !ok {
			return nil, a.err
		}
	}
	token := a.some[0]
	a.some = a.some[1:]
	return token, nil
}

func isSpace(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

// rest makes sure that nothing follows the message but space and comments.
func (a *ahead) rest() error {
	for {
		token, err := a.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.Comment:
		case xml.CharData:
			if !isSpace(token) {
				return ErrForm
			}
		default:
			return ErrForm
		}
	}
}
