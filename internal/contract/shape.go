package contract

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// shape is what the schema library does not know of a schema: the order in which the document declares the
// members, and the contract's own keywords.
type shape struct {
	rank    map[string]int
	members map[string]*shape
	other   *shape // of members that are not declared: additionalProperties
	items   *shape // of a list's entries

	nullable      bool               // null is a value of its own, not the same as leaving the member out
	anyCase       bool               // x-any-case: upper case is read as lower case
	secret        bool               // x-secret: not to be shown once it was delivered
	currencyFrom  string             // x-currency: an amount, in the currency that this sibling names
	currencyFixed string             // x-currency-fixed: an amount, in this currency
	names         *jsonschema.Schema // what names in an open object must be like
}

// maxShape ends the walk through a schema that contains itself.
const maxShape = 16

// shapeOf reads the shape of the schema at n, whose pointer into the document is given.
func (b *builder) shapeOf(n *yaml.Node, pointer string) (*shape, error) {
	s := &shape{rank: map[string]int{}, members: map[string]*shape{}}
	return s, b.fill(s, n, pointer, 0)
}

// fill adds what n says to s. Parts of one schema (allOf, anyOf, oneOf) add to the same shape.
func (b *builder) fill(s *shape, n *yaml.Node, pointer string, depth int) error {
	if n == nil || depth > maxShape {
		return nil
	}
	s.addKeywords(n)
	n, pointer = b.doc.resolve(n, pointer)
	s.addKeywords(n)
	if names := member(n, "propertyNames"); names != nil {
		compiled, err := b.compile(pointer + "/propertyNames")
		if err != nil {
			return err
		}
		s.names = compiled
	}
	for _, p := range pairs(member(n, "properties")) {
		if err := b.fill(s.add(p.name), p.value, pointer+"/properties/"+escape(p.name), depth+1); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		keyword string
		into    **shape
	}{{"additionalProperties", &s.other}, {"items", &s.items}} {
		inner := member(n, part.keyword)
		if inner == nil || inner.Kind != yaml.MappingNode {
			continue
		}
		*part.into = &shape{rank: map[string]int{}, members: map[string]*shape{}}
		if err := b.fill(*part.into, inner, pointer+"/"+part.keyword, depth+1); err != nil {
			return err
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		for i, part := range items(member(n, keyword)) {
			if err := b.fill(s, part, pointer+"/"+keyword+"/"+strconv.Itoa(i), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// add returns the shape of a member, which keeps the first place that it was declared at.
func (s *shape) add(name string) *shape {
	if s.members[name] == nil {
		s.rank[name] = len(s.rank)
		s.members[name] = &shape{rank: map[string]int{}, members: map[string]*shape{}}
	}
	return s.members[name]
}

func (s *shape) addKeywords(n *yaml.Node) {
	s.anyCase = s.anyCase || text(n, "x-any-case") == "true"
	s.secret = s.secret || text(n, "x-secret") == "true"
	s.currencyFrom = cmp.Or(s.currencyFrom, text(n, "x-currency"))
	s.currencyFixed = cmp.Or(s.currencyFixed, text(n, "x-currency-fixed"))
	for _, t := range items(member(n, "type")) {
		s.nullable = s.nullable || t.Value == "null"
	}
}

// child returns the shape of a member or entry, or nil when the document does not speak of it.
func (s *shape) child(name string) *shape {
	switch {
	case s == nil:
		return nil
	case s.members[name] != nil:
		return s.members[name]
	case s.items != nil:
		return s.items
	default:
		return s.other
	}
}

// compare orders two paths as the document declares them. Names that it does not declare come last, sorted.
func (s *shape) compare(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Or(cmp.Compare(s.place(a[i]), s.place(b[i])), strings.Compare(a[i], b[i]))
		}
		s = s.child(a[i])
	}
	return cmp.Compare(len(a), len(b))
}

// place returns where among its siblings a member or entry stands.
func (s *shape) place(name string) int {
	if s == nil {
		return math.MaxInt
	}
	if rank, ok := s.rank[name]; ok {
		return rank
	}
	if i, err := strconv.Atoi(name); err == nil && s.items != nil {
		return i
	}
	return math.MaxInt
}

// show writes a path as a reader expects it: metadata.colour, currencies[2].
func (s *shape) show(path []string) string {
	out := ""
	for _, name := range path {
		if s != nil && s.items != nil {
			out += "[" + name + "]"
		} else {
			out = join(out, shown(name))
		}
		s = s.child(name)
	}
	return out
}

// secrets lists the paths of all members that are marked secret, sorted.
func (s *shape) secrets() []string {
	var paths []string
	for name, m := range s.members {
		if m.secret {
			paths = append(paths, name)
		}
		for _, inner := range m.secrets() {
			paths = append(paths, join(name, inner))
		}
	}
	slices.Sort(paths)
	return paths
}

// unnamed finds a member of a value that the document does not speak of, and answers its path; empty when there is
// none.
func (s *shape) unnamed(value any) string {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			inner := s.child(name)
			if inner == nil {
				return name
			}
			if found := inner.unnamed(value[name]); found != "" {
				return join(name, found)
			}
		}
	case []any:
		for _, entry := range value {
			if found := s.child("").unnamed(entry); found != "" {
				return found
			}
		}
	}
	return ""
}
