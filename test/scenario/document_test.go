package scenario

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"kontor/api"
	"kontor/internal/fault"
)

// document is the OpenAPI document as a partner's own tools read it: it shares no code with the program.
type document struct {
	root       map[string]any
	operations []*operation
	failure    *jsonschema.Schema // of every error
}

// operation is one method of one path, with what it may answer.
type operation struct {
	id, method string
	segments   []string // of the path
	node       map[string]any
	answers    map[int]*jsonschema.Schema
	page       bool     // it answers a page for people, and errors to programs
	codes      []string // of the errors that it shows
}

const documentURL = "https://kontor.invalid/openapi.json"

func readDocument() (*document, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(api.OpenAPI, &n); err != nil {
		return nil, err
	}
	tree, err := plain(n.Content[0])
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(documentURL, tree); err != nil {
		return nil, err
	}
	d := &document{root: tree.(map[string]any)}
	if d.failure, err = compiler.Compile(documentURL + "#/components/schemas/Error"); err != nil {
		return nil, err
	}
	paths := d.root["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[path].(map[string]any)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			o := &operation{
				id: at(methods[method], "operationId").(string), method: strings.ToUpper(method),
				segments: strings.Split(path, "/"), node: methods[method].(map[string]any),
				answers: map[int]*jsonschema.Schema{},
			}
			if err := d.readAnswers(o, compiler, "/paths/"+token(path)+"/"+method+"/responses/"); err != nil {
				return nil, fmt.Errorf("%s: %w", o.id, err)
			}
			d.operations = append(d.operations, o)
		}
	}
	// A literal segment wins over a parameter in its place.
	slices.SortStableFunc(d.operations, func(a, b *operation) int {
		return slices.CompareFunc(a.segments, b.segments, func(x, y string) int {
			return cmp.Compare(strings.Count(x, "{"), strings.Count(y, "{"))
		})
	})
	return d, nil
}

// readAnswers compiles the schemas of an operation's answers, and collects the codes of its examples.
func (d *document) readAnswers(o *operation, compiler *jsonschema.Compiler, pointer string) error {
	responses := o.node["responses"].(map[string]any)
	for _, text := range slices.Sorted(maps.Keys(responses)) {
		status, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		at := pointer + text
		response := responses[text].(map[string]any)
		if ref, ok := response["$ref"].(string); ok {
			at, response = ref[1:], d.follow(ref)
		}
		content, _ := response["content"].(map[string]any)
		media, ok := content["application/json"].(map[string]any)
		if content[htmlType] != nil {
			o.page = true
		}
		if !ok && o.page {
			continue
		}
		if !ok {
			return fmt.Errorf("answer %d has no JSON", status)
		}
		if o.answers[status], err = compiler.Compile(documentURL + "#" + at + "/content/application~1json/schema"); err != nil {
			return err
		}
		examples, _ := media["examples"].(map[string]any)
		for name := range examples {
			if code, _, _ := strings.Cut(name, "-"); rowOf(code) != nil && !slices.Contains(o.codes, code) {
				o.codes = append(o.codes, code)
			}
		}
	}
	slices.Sort(o.codes)
	return nil
}

// follow resolves a reference inside the document.
func (d *document) follow(ref string) map[string]any {
	var v any = d.root
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		v = at(v, strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	return v.(map[string]any)
}

// at reads a member; nil when it is not there.
func at(v any, names ...string) any {
	for _, name := range names {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

func token(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// find tells which operation a call is for; nil when there is none.
func (d *document) find(method, path string) *operation {
	path, _, _ = strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	for _, o := range d.operations {
		if o.method == method && slices.EqualFunc(o.segments, segments, func(want, got string) bool {
			return want == got || strings.HasPrefix(want, "{") && got != ""
		}) {
			return o
		}
	}
	return nil
}

// htmlType is the media type of pages.
const htmlType = "text/html"

// check lists what an answer has that the document, or the error table, does not allow.
func (d *document) check(o *operation, a *answer) (problems []string) {
	if a.isPage() {
		if o != nil && !o.page {
			problems = append(problems, "the document has no page for "+o.id)
		}
		return problems
	}
	if _, err := decode(a.body); err != nil {
		return []string{fmt.Sprintf("the body is no JSON: %v: %s", err, a.body)}
	}
	if o == nil && a.status < 300 {
		return nil // a path beside the contract, such as /healthz
	}
	schema := d.failure
	if o != nil && o.answers[a.status] != nil {
		schema = o.answers[a.status]
	} else if o != nil {
		problems = append(problems, fmt.Sprintf("the document has no answer %d for %s", a.status, o.id))
	}
	if err := schema.Validate(a.json); err != nil {
		problems = append(problems, fmt.Sprintf("the body does not fit the document: %v", err))
	}
	if a.status >= 300 {
		problems = append(problems, checkError(a)...)
	}
	return problems
}

// checkError holds an error against the error table.
func checkError(a *answer) (problems []string) {
	code, name := a.code(), at(a.json, "errorName")
	row := rowOf(code)
	if row == nil {
		return []string{fmt.Sprintf("the error table has no code %q", code)}
	}
	if row.Status != a.status {
		problems = append(problems, fmt.Sprintf("%s comes with status %d, the table says %d", code, a.status, row.Status))
	}
	switch {
	case code == string(fault.Validation):
		if name != nil {
			problems = append(problems, "P403 has no errorName")
		}
		if text, _ := at(a.json, "errorMessage").(string); !strings.HasSuffix(text, ".") {
			problems = append(problems, "the message of P403 ends with a full stop: "+text)
		}
	case name != row.Name:
		problems = append(problems, fmt.Sprintf("%s has the errorName %v, the table says %s", code, name, row.Name))
	}
	return problems
}

// rowOf finds a code's row in the error table; nil when there is none.
func rowOf(code string) *fault.Row {
	rows := fault.Rows()
	if i := slices.IndexFunc(rows, func(r fault.Row) bool { return string(r.Code) == code }); i >= 0 {
		return &rows[i]
	}
	return nil
}

// answer is what a call was answered with.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   any // nil when the body is no JSON
}

// isPage tells whether the answer is one for people.
func (a *answer) isPage() bool { return strings.HasPrefix(a.header.Get("Content-Type"), htmlType) }

// code is the answer's errorCode, or empty.
func (a *answer) code() string {
	code, _ := at(a.json, "errorCode").(string)
	return code
}

// decode reads one JSON value and keeps the characters of its numbers.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows behind it: %s", text)
	}
	return v, nil
}
