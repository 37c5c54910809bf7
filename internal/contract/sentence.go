package contract

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"gopkg.in/yaml.v3"
)

// failure is one thing that is wrong: which member, and the rest of the sentence.
type failure struct {
	path   []string
	names  bool // about the names inside the member, not about the member
	saying string
}

// sentences tells the first failure of each member, in the order in which the document declares the members. What
// is inside a member that is wrong as a whole is not told: metadata with too many entries has one sentence,
// not one for each of them.
func (s *shape) sentences(failures []failure) []string {
	slices.SortStableFunc(failures, func(a, b failure) int {
		return s.compare(a.path, b.path)
	})
	var list []string
	var last failure
	for _, f := range failures {
		if last.covers(f) {
			continue
		}
		last = f
		subject := s.show(f.path)
		if f.names {
			subject += " names"
		}
		if subject == "" {
			subject = bodyName
		}
		list = append(list, subject+" "+f.saying)
	}
	return list
}

// covers reports whether f makes it pointless to tell next, which comes behind it.
func (f failure) covers(next failure) bool {
	if f.saying == "" || len(next.path) < len(f.path) || !slices.Equal(f.path, next.path[:len(f.path)]) {
		return false
	}
	return !f.names || len(next.path) == len(f.path)
}

// explain turns what the schema library found into failures.
func (d *document) explain(err error) []failure {
	if err == nil {
		return nil
	}
	found, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return []failure{{saying: "is not valid"}}
	}
	return d.flatten(nil, found)
}

func (d *document) flatten(list []failure, e *jsonschema.ValidationError) []failure {
	switch k := e.ErrorKind.(type) {
	case *kind.PropertyNames:
		return list // judged by badNames, as the library can tell the wrong place
	case *kind.Required:
		for _, name := range k.Missing {
			path := append(slices.Clone(e.InstanceLocation), name)
			list = append(list, failure{path: path, saying: "must be provided"})
		}
		return list
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			list = d.flatten(list, cause)
		}
		return list
	}
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	return append(list, failure{path: e.InstanceLocation, saying: say(e.ErrorKind, d.at(fragment))})
}

// say words one finding, with the help of the schema that it is about.
func say(found jsonschema.ErrorKind, schema *yaml.Node) string {
	switch k := found.(type) {
	case *kind.Type:
		return typeSaying(k.Want, schema)
	case *kind.Enum:
		return "must be one of the following values: " + choices(schema)
	case *kind.MinLength, *kind.MaxLength:
		return lengthSaying(found, schema)
	case *kind.Format:
		return k.Err.Error()
	case *kind.Pattern:
		return cmp.Or(text(schema, "x-rule"), "does not have the right form")
	case *kind.MaxProperties:
		return "can have at most " + strconv.Itoa(k.Want) + " entries"
	case *kind.MaxItems:
		return "can have at most " + strconv.Itoa(k.Want) + " entries"
	case *kind.Minimum, *kind.Maximum:
		return rangeSaying(found, schema)
	default:
		return "is not valid"
	}
}

func typeSaying(want []string, schema *yaml.Node) string {
	if text(schema, "x-currency") != "" || text(schema, "x-currency-fixed") != "" {
		return notDecimal
	}
	for _, t := range want {
		switch t {
		case "string":
			return "must be a string"
		case "number":
			return "must be a number"
		case "integer":
			return "must be a whole number"
		case "boolean":
			return "must be true or false"
		case "array":
			return "must be a list"
		}
	}
	return "must be an object"
}

func choices(schema *yaml.Node) string {
	var list []string
	for _, v := range items(member(schema, "enum")) {
		list = append(list, v.Value)
	}
	return strings.Join(list, ", ")
}

func lengthSaying(found jsonschema.ErrorKind, schema *yaml.Node) string {
	shortest, longest := text(schema, "minLength"), text(schema, "maxLength")
	_, tooShort := found.(*kind.MinLength)
	switch {
	case tooShort && shortest == "1":
		return "must not be empty"
	case shortest != "" && shortest != "1" && longest != "":
		return "must be between " + shortest + " and " + longest + " characters"
	case tooShort:
		return "must have at least " + shortest + " characters"
	default:
		return "can have at most " + longest + " characters"
	}
}

func rangeSaying(found jsonschema.ErrorKind, schema *yaml.Node) string {
	lowest, highest := text(schema, "minimum"), text(schema, "maximum")
	_, tooLow := found.(*kind.Minimum)
	switch {
	case lowest != "" && highest != "":
		return "must be between " + lowest + " and " + highest
	case tooLow:
		return "must be at least " + lowest
	default:
		return "can be at most " + highest
	}
}
