package scenario

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"kontor/internal/clock"
)

// vars are values by the names that a scenario gave them.
type vars map[string]any

var placeholder = regexp.MustCompile(`\$\{([^}]+)\}`)

// value turns a node into a JSON value with all placeholders filled in.
func (v vars) value(n *yaml.Node) (any, error) {
	raw, err := plain(n)
	if err != nil {
		return nil, err
	}
	return v.fill(raw)
}

func (v vars) fill(raw any) (any, error) {
	switch raw := raw.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(raw); m != nil && m[0] == raw {
			return v.look(m[1])
		}
		return v.text(raw)
	case []any:
		out := make([]any, len(raw))
		for i, item := range raw {
			filled, err := v.fill(item)
			if err != nil {
				return nil, err
			}
			out[i] = filled
		}
		return out, nil
	case map[string]any:
		return v.fillObject(raw)
	default:
		return raw, nil
	}
}

// fillObject fills names and values. A name that is a placeholder replaces the member that is written out.
func (v vars) fillObject(raw map[string]any) (any, error) {
	out := map[string]any{}
	names := slices.SortedFunc(maps.Keys(raw), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "${"), strings.Count(b, "${")), strings.Compare(a, b))
	})
	for _, name := range names {
		key, err := v.text(name)
		if err != nil {
			return nil, err
		}
		if out[key], err = v.fill(raw[name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// text fills in the placeholders of a text.
func (v vars) text(raw string) (string, error) {
	var failed error
	filled := placeholder.ReplaceAllStringFunc(raw, func(found string) string {
		value, err := v.look(found[2 : len(found)-1])
		if err != nil {
			failed = err
		}
		return fmt.Sprint(value)
	})
	return filled, failed
}

// fours finds the groups in which people write an IBAN.
var fours = regexp.MustCompile(`.{4}`)

func (v vars) look(name string) (any, error) {
	if value, ok := v[name]; ok {
		return value, nil
	}
	if form, inner, ok := strings.Cut(name, ":"); ok {
		text, _ := v[inner].(string)
		switch form {
		case "date":
			return text[:min(len(text), len("2006-01-02"))], nil
		case "lower":
			return strings.ToLower(text), nil
		case "upper":
			return strings.ToUpper(text), nil
		case "grouped":
			return strings.TrimSpace(fours.ReplaceAllString(text, "$0 ")), nil
		}
	}
	if star := strings.LastIndexByte(name, '*'); star > 0 {
		if times, err := strconv.Atoi(name[star+1:]); err == nil {
			return strings.Repeat(name[:star], times), nil
		}
	}
	return nil, fmt.Errorf("nothing is named %q here", name)
}

// plain turns a node into a JSON value. Numbers keep their characters.
func plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return mapping(n)
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.SequenceNode:
		out := []any{}
		for _, entry := range n.Content {
			item, err := plain(entry)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	case yaml.ScalarNode:
		return scalar(n)
	default:
		return nil, fmt.Errorf("line %d: this is neither mapping, list nor scalar", n.Line)
	}
}

// mapping turns a node into an object. Members that << brings are replaced by those that are written out.
func mapping(n *yaml.Node) (any, error) {
	out := map[string]any{}
	var own []int
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "<<" {
			own = append(own, i)
			continue
		}
		merged, err := plain(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		members, ok := merged.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("line %d: << wants a mapping", n.Line)
		}
		maps.Copy(out, members)
	}
	for _, i := range own {
		item, err := plain(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		out[n.Content[i].Value] = item
	}
	return out, nil
}

func scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return n.Value == "true", nil
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			return nil, fmt.Errorf("line %d: %s is no JSON number: put it in quotes, or use raw", n.Line, n.Value)
		}
		return json.Number(n.Value), nil
	default:
		return n.Value, nil
	}
}

// matcher compares an answer with what a scenario says of it.
type matcher struct {
	vars    vars
	partial bool // members that are not named do not count
	diffs   []string
}

// match lists the differences between a value and what is wanted. It keeps values under the names that the
// wanted value gives them, in v.
func match(want, got any, v vars, partial bool) []string {
	m := &matcher{vars: v, partial: partial}
	m.compare("", want, got)
	return m.diffs
}

func (m *matcher) differ(path, format string, args ...any) {
	if path == "" {
		path = "it"
	}
	m.diffs = append(m.diffs, strings.TrimPrefix(path, ".")+" "+fmt.Sprintf(format, args...))
}

func (m *matcher) compare(path string, want, got any) {
	switch want := want.(type) {
	case map[string]any:
		m.object(path, want, got)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			m.differ(path, "is %s, want a list of %d", show(got), len(want))
			return
		}
		for i := range want {
			m.compare(fmt.Sprintf("%s[%d]", path, i), want[i], list[i])
		}
	case string:
		if strings.HasPrefix(want, "$") {
			m.kind(path, want, got)
		} else if got != want {
			m.differ(path, "is %s, want %q", show(got), want)
		}
	default: // json.Number, bool, nil
		if got != want {
			m.differ(path, "is %s, want %s", show(got), show(want))
		}
	}
}

func (m *matcher) object(path string, want map[string]any, got any) {
	object, ok := got.(map[string]any)
	if !ok {
		m.differ(path, "is %s, want an object", show(got))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if item, ok := object[name]; ok {
			m.compare(path+"."+name, want[name], item)
		} else {
			m.differ(path+"."+name, "is missing")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, ok := want[name]; !ok && !m.partial {
			m.differ(path+"."+name, "is not expected: %s", show(object[name]))
		}
	}
}

var (
	timeForm   = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$`)
	numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$`)
)

// kind judges a value by a word such as $uuid, and keeps it under the name behind the colon.
func (m *matcher) kind(path, want string, got any) {
	word, name, named := strings.Cut(want, ":")
	text, isText := got.(string)
	number, isNumber := got.(json.Number)
	ok := false
	switch word {
	case "$any", "$save":
		ok = true
	case "$string":
		ok = isText
	case "$has":
		ok, named = isText && strings.Contains(text, name), false
	case "$number":
		ok = isNumber && numberForm.MatchString(number.String())
	case "$time":
		ok = isText && timeForm.MatchString(text)
	case "$uuid":
		_, err := clock.ParseID(text)
		ok = isText && err == nil && text[14] == '7' && text == strings.ToLower(text)
	default:
		m.differ(path, "is compared with %s, which is no matcher", want)
		return
	}
	if !ok {
		m.differ(path, "is %s, want %s", show(got), want)
	}
	if named {
		m.vars[name] = got
	}
}

// show writes a value as JSON, cut where it is too long to be read.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(text) > 400 {
		return string(text[:400]) + "…"
	}
	return string(text)
}

func TestMatch(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, want, got string
		partial         bool
		differences     int
	}{
		{"equal", `{a: 1, b: [x, null, true]}`, `{"a":1,"b":["x",null,true]}`, false, 0},
		{"number is no string", `{a: 1}`, `{"a":"1"}`, false, 1},
		{"numbers by their characters", `{a: 1.5}`, `{"a":1.50}`, false, 1},
		{"more than wanted", `{a: 1}`, `{"a":1,"b":2}`, false, 1},
		{"more than wanted in part", `{a: 1}`, `{"a":1,"b":2}`, true, 0},
		{"missing in part", `{c: 1}`, `{"a":1,"b":2}`, true, 1},
		{"null is not missing", `{a: null}`, `{}`, false, 1},
		{"list too short", `[1, 2]`, `[1]`, true, 1},
		{"uuid", `$uuid`, `"0198f0c2-6f0a-7cc1-9d7e-0a4f3b2c1d00"`, false, 0},
		{"uuid of another version", `$uuid`, `"0198f0c2-6f0a-4cc1-9d7e-0a4f3b2c1d00"`, false, 1},
		{"time", `$time`, `"2025-08-05T10:33:54.730Z"`, false, 0},
		{"time without milliseconds", `$time`, `"2025-08-05T10:33:54Z"`, false, 1},
		{"number with an exponent", `$number`, `1e5`, false, 1},
		{"number with noise", `$number`, `1.10`, false, 1},
		{"part of a text", `$has:ab`, `"cabd"`, false, 0},
		{"unknown word", `$uid`, `"x"`, false, 1},
		{"kept and used again", `[$string:s, "${s}"]`, `["x","x"]`, false, 1}, // filled in before the match
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var n yaml.Node
			if err := yaml.Unmarshal([]byte(c.want), &n); err != nil {
				t.Fatal(err)
			}
			want, err := plain(n.Content[0])
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode([]byte(c.got))
			if err != nil {
				t.Fatal(err)
			}
			if diffs := match(want, got, vars{}, c.partial); len(diffs) != c.differences {
				t.Errorf("differences %q, want %d", diffs, c.differences)
			}
		})
	}
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	v := vars{"n": json.Number("1.50"), "s": "x", "t": "ABCDEF"}
	for raw, want := range map[string]any{
		"${n}": json.Number("1.50"), "a${n}": "a1.50", "${s*3}": "sss", "[${[*2}": "[[[", "${s}${s}": "xx",
		"${lower:t}": "abcdef", "${grouped:t}": "ABCD EF", "${upper:s}": "X",
	} {
		if got, err := v.fill(raw); err != nil || got != want {
			t.Errorf("%s is %v (%v), want %v", raw, got, err, want)
		}
	}
	if got, err := v.fill("${unknown}"); err == nil {
		t.Errorf("an unknown name became %v", got)
	}
}
