package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of one request body. They bound the work that a body can cause before it is understood.
const (
	maxDepth    = 32    // objects and lists inside each other; the body itself is the first
	maxValues   = 10000 // objects, lists, strings, numbers, bools and nulls together
	maxNumber   = 256   // characters of one number
	maxExponent = 999   // see number
)

const bodyName = "request body"

// flaw is why a body cannot be read. It is safe to show.
type flaw struct {
	ofMember bool   // about one member; otherwise about the body as a whole
	path     string // of that member; names and entries from the outside in
	saying   string
}

func (f *flaw) Error() string {
	if f.path == "" {
		return bodyName + " " + f.saying
	}
	return f.path + " " + f.saying
}

// within adds the member around the one that the flaw is about.
func (f *flaw) within(name string) *flaw {
	if f.ofMember {
		f.path = join(name, f.path)
	}
	return f
}

// join writes a path as a reader expects it: metadata.colour, currencies[2].
func join(outer, inner string) string {
	if outer == "" || inner == "" || inner[0] == '[' {
		return outer + inner
	}
	return outer + "." + inner
}

// parseObject reads a JSON object strictly (RFC 8259, and RFC 7493 for names and Unicode) into
// map[string]any, []any, string, bool, nil and json.Number.
func parseObject(raw []byte) (map[string]any, *flaw) {
	if !utf8.Valid(raw) {
		return nil, &flaw{saying: "must be valid UTF-8"}
	}
	p := parsers.Get().(*parser)
	defer parsers.Put(p)
	p.values = 0
	p.input.Reset(raw)
	p.decoder.Reset(&p.input, jsontext.AllowDuplicateNames(true)) // found in value, which names them

	v, bad := p.value(1)
	if bad != nil {
		return nil, bad
	}
	if _, err := p.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &flaw{saying: "must be one JSON object with nothing behind it"}
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, &flaw{saying: "must be a JSON object"}
	}
	return object, nil
}

// parser holds what is worth using again for the next body.
type parser struct {
	input   bytes.Reader
	decoder jsontext.Decoder
	values  int
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// value reads the next value, which is inside depth-1 others.
func (p *parser) value(depth int) (any, *flaw) {
	if p.values++; p.values > maxValues {
		return nil, &flaw{saying: "must not have more than " + strconv.Itoa(maxValues) + " values"}
	}
	token, err := p.decoder.ReadToken()
	if err != nil {
		return nil, p.syntax(err)
	}
	switch token.Kind() {
	case '{', '[':
		if depth > maxDepth {
			return nil, &flaw{saying: "must not be nested deeper than " + strconv.Itoa(maxDepth) + " levels"}
		}
		if token.Kind() == '{' {
			return p.object(depth)
		}
		return p.list(depth)
	case '"':
		return line(token.String())
	case '0':
		return number(token.String())
	case 't', 'f':
		return token.Bool(), nil
	default:
		return nil, nil
	}
}

func (p *parser) object(depth int) (any, *flaw) {
	object := make(map[string]any, 8)
	for {
		token, err := p.decoder.ReadToken()
		if err != nil {
			return nil, p.syntax(err)
		}
		if token.Kind() == '}' {
			return object, nil
		}
		name := token.String()
		if strings.IndexByte(name, 0) >= 0 {
			return nil, &flaw{ofMember: true, path: shown(name), saying: "must not have a name with the NUL character"}
		}
		if _, twice := object[name]; twice {
			return nil, &flaw{ofMember: true, path: shown(name), saying: "must not be given twice"}
		}
		v, bad := p.value(depth + 1)
		if bad != nil {
			return nil, bad.within(shown(name))
		}
		object[name] = v
	}
}

func (p *parser) list(depth int) (any, *flaw) {
	list := []any{}
	for p.decoder.PeekKind() != ']' {
		v, bad := p.value(depth + 1)
		if bad != nil {
			return nil, bad.within("[" + strconv.Itoa(len(list)) + "]")
		}
		list = append(list, v)
	}
	if _, err := p.decoder.ReadToken(); err != nil {
		return nil, p.syntax(err)
	}
	return list, nil
}

// line returns a string, which can hold anything but NUL: no database column does.
func line(s string) (any, *flaw) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, &flaw{ofMember: true, saying: "must not contain the NUL character"}
	}
	return s, nil
}

// number returns a number as it is written, with an exponent beyond ±999 replaced by ±999. All that a
// contract says of a number holds for the one as it does for the other, and the schema library, which
// works with big fractions, stays cheap.
func number(s string) (any, *flaw) {
	if len(s) > maxNumber {
		return nil, &flaw{ofMember: true, saying: "must not be a number of more than " + strconv.Itoa(maxNumber) + " characters"}
	}
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		exponent, err := strconv.Atoi(s[e+1:])
		switch {
		case exponent > maxExponent || err != nil && s[e+1] != '-':
			s = s[:e+1] + strconv.Itoa(maxExponent)
		case exponent < -maxExponent || err != nil:
			s = s[:e+1] + strconv.Itoa(-maxExponent)
		}
	}
	return json.Number(s), nil
}

// shown makes a member's name, which the sender chose, fit for a sentence.
func shown(name string) string {
	const longest = 40
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, name)
	if utf8.RuneCountInString(clean) > longest {
		clean = string([]rune(clean)[:longest]) + "…"
	}
	return clean
}

// syntax explains what the decoder could not read.
func (p *parser) syntax(err error) *flaw {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &flaw{saying: "must be complete JSON: it ends too early"}
	}
	if p.surrogates() {
		return &flaw{saying: "must not contain half of a surrogate pair"}
	}
	at := p.decoder.InputOffset()
	if wrong, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at = wrong.ByteOffset
	}
	return &flaw{saying: fmt.Sprintf("must be valid JSON: it cannot be read from byte %d on", at)}
}

// surrogates reports whether the body is JSON but for a \uD800 to \uDFFF without its partner.
func (p *parser) surrogates() bool {
	raw := make([]byte, p.input.Size())
	if _, err := p.input.ReadAt(raw, 0); err != nil {
		return false
	}
	return jsontext.Value(raw).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}
