package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"kontor/internal/money"
)

// Operation is one method of one path.
type Operation struct {
	ID     string // operationId
	Method string // in upper case
	Path   string // as in the document: /v1/transfer/details/{transferId}

	doc          *document
	scale        Scale
	parameters   []parameter
	bodyRequired bool
	forms        []*form            // of the body; none when the operation takes no body
	second       *jsonschema.Schema // when it holds, the second form is meant
}

// form is one schema that a body can have.
type form struct {
	schema  *jsonschema.Schema
	shape   *shape
	amounts []string // members that are amounts
}

// parameter is part of the path or of the query.
type parameter struct {
	name     string
	inQuery  bool
	required bool
	whole    bool // a whole number, written in digits
	schema   *jsonschema.Schema
}

// CheckBody reads a request body and returns everything that is wrong with it, each as a sentence without
// its full stop, fit for fault.Invalid; nothing when the body is accepted. A body that cannot be read as JSON
// has one sentence. An operation without a body accepts anything and ignores it. raw is not changed.
func (o *Operation) CheckBody(raw []byte) (sentences []string) {
	if len(o.forms) == 0 {
		return nil
	}
	if isEmpty(raw) {
		if o.bodyRequired {
			return []string{bodyName + " must be provided"}
		}
		return nil
	}
	body, bad := parseObject(raw)
	if bad != nil {
		return []string{bad.Error()}
	}
	f := o.formOf(body)
	f.normalise(body)
	failures := o.doc.explain(f.schema.Validate(body))
	failures = append(failures, f.badAmounts(body, o.scale)...)
	failures = append(failures, o.badNames(f, body)...)
	if len(failures) == 0 {
		return nil
	}
	return f.shape.sentences(failures)
}

// formOf returns the form that the sender means. null members do not count: they are the same as none.
func (o *Operation) formOf(body map[string]any) *form {
	if o.second == nil {
		return o.forms[0]
	}
	given := maps.Clone(body)
	maps.DeleteFunc(given, func(_ string, v any) bool { return v == nil })
	if o.second.Validate(given) == nil {
		return o.forms[1]
	}
	return o.forms[0]
}

// normalise prepares a body for the schema: it removes null where null means nothing, and writes in lower
// case what may be in any case.
func (f *form) normalise(body map[string]any) {
	for name, value := range body {
		m := f.shape.members[name]
		switch s, isText := value.(string); {
		case value == nil && (m == nil || !m.nullable):
			delete(body, name)
		case isText && m != nil && m.anyCase:
			body[name] = strings.ToLower(s)
		}
	}
}

// badAmounts judges the amounts by their currencies.
func (f *form) badAmounts(body map[string]any, scale Scale) (list []failure) {
	for _, name := range f.amounts {
		m := f.shape.members[name]
		slug, ok := m.currencyFixed, true
		if slug == "" {
			slug, ok = body[m.currencyFrom].(string)
		}
		currency := money.Currency{Scale: unknownScale}
		if known, found := scale(slug); ok && found {
			currency = known
		}
		if saying := amountFault(body[name], currency); saying != "" {
			list = append(list, failure{path: []string{name}, saying: saying})
		}
	}
	return list
}

// badNames judges the names in open objects, such as metadata.
func (o *Operation) badNames(f *form, body map[string]any) (list []failure) {
	for name, value := range body {
		m := f.shape.members[name]
		inner, isObject := value.(map[string]any)
		if m == nil || m.names == nil || !isObject {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(inner)) {
			for _, bad := range o.doc.explain(m.names.Validate(key)) {
				list = append(list, failure{path: []string{name}, names: true, saying: bad.saying})
			}
		}
	}
	return list
}

// CheckParams checks the parts of the path, which must be percent-decoded, and the query, and returns what is
// wrong as CheckBody does. Parameters that the operation does not know are ignored.
func (o *Operation) CheckParams(path map[string]string, query url.Values) []string {
	var failures []failure
	s := &shape{rank: map[string]int{}}
	for _, p := range o.parameters {
		s.rank[p.name] = len(s.rank)
		value, given := path[p.name]
		if p.inQuery {
			value, given = query.Get(p.name), query.Has(p.name)
		}
		list := o.badParameter(p, value, given)
		if p.inQuery && len(query[p.name]) > 1 {
			list = []failure{{saying: "must be given once"}}
		}
		for _, bad := range list {
			bad.path = []string{p.name}
			failures = append(failures, bad)
		}
	}
	if len(failures) == 0 {
		return nil
	}
	return s.sentences(failures)
}

// TakesQuery tells whether the operation has parameters in the query.
func (o *Operation) TakesQuery() bool {
	return slices.ContainsFunc(o.parameters, func(p parameter) bool { return p.inQuery })
}

func (o *Operation) badParameter(p parameter, value string, given bool) []failure {
	switch {
	case !given && p.required:
		return []failure{{saying: "must be provided"}}
	case !given:
		return nil
	case !utf8.ValidString(value):
		return []failure{{saying: "must be valid UTF-8"}}
	case strings.IndexByte(value, 0) >= 0:
		return []failure{{saying: "must not contain the NUL character"}}
	}
	var v any = value
	if n, err := strconv.ParseInt(value, 10, 64); p.whole && err == nil {
		v = json.Number(strconv.FormatInt(n, 10))
	}
	return o.doc.explain(p.schema.Validate(v))
}

// Webhook is one kind of event that a partner is told of.
type Webhook struct {
	Event   string   // name in kebab case
	Title   string   // name for people
	Path    string   // behind the partner's base URL, without a leading slash
	Object  string   // kind of the object whose events are delivered in order, such as "transfer"
	Secrets []string // paths of members that are not to be kept or shown, such as "user.documentNumber"; sorted

	schema *jsonschema.Schema
	shape  *shape
}

// Check tells whether a body has the form that the document describes, and no member that it does not name: what
// receivers are sent is documented. The error is for the program's own developers and tests, not for partners.
func (w *Webhook) Check(body []byte) error {
	object, bad := parseObject(body)
	if bad != nil {
		return fmt.Errorf("webhook %s: %w", w.Event, bad)
	}
	if err := w.schema.Validate(object); err != nil {
		return fmt.Errorf("webhook %s: %w", w.Event, err)
	}
	if name := w.shape.unnamed(object); name != "" {
		return fmt.Errorf("webhook %s: the document does not name the member %s", w.Event, name)
	}
	return nil
}

// isEmpty reports whether a body has nothing but JSON white space.
func isEmpty(raw []byte) bool { return len(bytes.TrimLeft(raw, " \t\r\n")) == 0 }
