// Package contract is the Partner API's contract at work: it loads the OpenAPI document that the program
// carries and checks requests and webhook bodies against it.
//
// A body is read strictly and once. Everything that is wrong with a request is told in one list, in the
// order in which the document declares the members, in sentences for people. The document decides: what it
// says by the keywords of JSON Schema (2020-12) and by a few of its own:
//
//	x-currency        an amount; its currency is named by this sibling
//	x-currency-fixed  an amount in this currency
//	x-any-case        a string whose case does not matter; it is compared in lower case
//	x-rule            the sentence for a pattern, behind the member's name
//	x-secret          a member that is not to be shown once it was delivered
//	x-as-written      an answer's object that was written before, such as an event's body
//	x-second-form-when  beside an anyOf of two bodies: when this schema holds, the second one is meant
//	x-kontor-path, x-kontor-object  a webhook's path, and the kind of object that orders its events
package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"kontor/api"
	"kontor/internal/money"
)

// Scale tells a currency by its lower-case slug, and whether there is one.
type Scale func(slug string) (money.Currency, bool)

// Contract is the loaded document. It does not change and is safe for concurrent use.
type Contract struct {
	operations []*Operation
	webhooks   []*Webhook
	byID       map[string]*Operation
	byEvent    map[string]*Webhook
}

// Load reads the embedded document and compiles everything in it that is checked. scale decides how many
// decimals the document's currencies have. An error means that the document is broken, or names a currency
// that scale does not know.
func Load(scale Scale) (*Contract, error) { return load(api.OpenAPI, scale) }

// Operation returns what the document says about an operation. It panics for an operationId that is not in
// the document.
func (c *Contract) Operation(operationID string) *Operation {
	if o := c.byID[operationID]; o != nil {
		return o
	}
	panic("contract: no operation " + operationID)
}

// Find returns what the document says about a method of a path, which is written as in the document.
func (c *Contract) Find(method, path string) (*Operation, bool) {
	i := slices.IndexFunc(c.operations, func(o *Operation) bool { return o.Method == method && o.Path == path })
	if i < 0 {
		return nil, false
	}
	return c.operations[i], true
}

// Operations lists all operations in the order of the document.
func (c *Contract) Operations() []*Operation { return slices.Clone(c.operations) }

// Webhook returns what the document says about an event, by its name in kebab case, such as
// "user-balance-generation". It panics for an event that is not in the document.
func (c *Contract) Webhook(event string) *Webhook {
	if w := c.byEvent[event]; w != nil {
		return w
	}
	panic("contract: no webhook " + event)
}

// Webhooks lists all events in the order of the document.
func (c *Contract) Webhooks() []*Webhook { return slices.Clone(c.webhooks) }

// Decode reads a body that CheckBody accepted into a value of the generated types. Unlike encoding/json it
// does not take AMOUNT for amount, so what was checked is what is decoded. An empty body changes nothing.
func Decode(raw []byte, into any) error {
	if isEmpty(raw) {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("decode body: %w", err)
	}
	return nil
}

// location is the name under which the compiler knows the document.
const location = "https://kontor.invalid/openapi.yaml"

// builder makes a Contract out of a document.
type builder struct {
	doc      *document
	compiler *jsonschema.Compiler
	scale    Scale
}

func load(text []byte, scale Scale) (*Contract, error) {
	doc, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	b := &builder{doc: doc, compiler: jsonschema.NewCompiler(), scale: scale}
	b.compiler.DefaultDraft(jsonschema.Draft2020)
	registerFormats(b.compiler)
	if err := b.compiler.AddResource(location, doc.tree); err != nil {
		return nil, fmt.Errorf("read contract: %w", err)
	}
	c := &Contract{byID: map[string]*Operation{}, byEvent: map[string]*Webhook{}}
	if err := b.addOperations(c); err != nil {
		return nil, err
	}
	if err := b.addWebhooks(c); err != nil {
		return nil, err
	}
	return c, nil
}

// compile compiles the schema that a JSON pointer leads to.
func (b *builder) compile(pointer string) (*jsonschema.Schema, error) {
	schema, err := b.compiler.Compile(location + "#" + pointer)
	if err != nil {
		return nil, fmt.Errorf("compile contract: %w", err)
	}
	return schema, nil
}

func (b *builder) addOperations(c *Contract) error {
	for _, path := range pairs(member(b.doc.root, "paths")) {
		for _, method := range pairs(path.value) {
			id := text(method.value, "operationId")
			if id == "" || c.byID[id] != nil {
				return fmt.Errorf("read contract: %s %s needs an operationId of its own", method.name, path.name)
			}
			o, err := b.operation(method.value, "/paths/"+escape(path.name)+"/"+method.name)
			if err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
			o.ID, o.Method, o.Path = id, strings.ToUpper(method.name), path.name
			c.byID[id] = o
			c.operations = append(c.operations, o)
		}
	}
	return nil
}

func (b *builder) operation(n *yaml.Node, pointer string) (*Operation, error) {
	o := &Operation{doc: b.doc, scale: b.scale}
	for i, p := range items(member(n, "parameters")) {
		if err := b.addParameter(o, p, fmt.Sprintf("%s/parameters/%d", pointer, i)); err != nil {
			return nil, err
		}
	}
	schema := member(n, "requestBody", "content", "application/json", "schema")
	if schema == nil {
		return o, nil
	}
	o.bodyRequired = text(member(n, "requestBody"), "required") == "true"
	return o, b.addForms(o, schema, pointer+"/requestBody/content/application~1json/schema")
}

// addForms adds the one form of a body, or the two when the document tells when the second is meant.
func (b *builder) addForms(o *Operation, n *yaml.Node, pointer string) error {
	n, pointer = b.doc.resolve(n, pointer)
	if member(n, "x-second-form-when") == nil {
		f, err := b.form(n, pointer)
		o.forms = []*form{f}
		return err
	}
	when, err := b.compile(pointer + "/x-second-form-when")
	if err != nil {
		return err
	}
	o.second = when
	for i, part := range items(member(n, "anyOf")) {
		f, err := b.form(part, fmt.Sprintf("%s/anyOf/%d", pointer, i))
		if err != nil {
			return err
		}
		o.forms = append(o.forms, f)
	}
	if len(o.forms) != 2 {
		return fmt.Errorf("read contract: %s needs two schemas in anyOf", pointer)
	}
	return nil
}

func (b *builder) form(n *yaml.Node, pointer string) (*form, error) {
	schema, err := b.compile(pointer)
	if err != nil {
		return nil, err
	}
	s, err := b.shapeOf(n, pointer)
	if err != nil {
		return nil, err
	}
	f := &form{schema: schema, shape: s}
	for _, name := range slices.Sorted(maps.Keys(s.members)) {
		m := s.members[name]
		if m.currencyFrom != "" || m.currencyFixed != "" {
			f.amounts = append(f.amounts, name)
		}
		if _, ok := b.scale(m.currencyFixed); m.currencyFixed != "" && !ok {
			return nil, fmt.Errorf("read contract: %s is in the unknown currency %q", name, m.currencyFixed)
		}
		if m.currencyFrom != "" {
			if err := b.knowAll(n, pointer, m.currencyFrom); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// knowAll makes sure that every currency which the named member can have is known.
func (b *builder) knowAll(n *yaml.Node, pointer, name string) error {
	n, pointer = b.doc.resolve(n, pointer)
	currency, _ := b.doc.resolve(member(n, "properties", name), pointer)
	slugs := items(member(currency, "enum"))
	if len(slugs) == 0 {
		return fmt.Errorf("read contract: %s of %s must list its currencies", name, pointer)
	}
	for _, slug := range slugs {
		if _, ok := b.scale(slug.Value); !ok {
			return fmt.Errorf("read contract: %s names the unknown currency %q", pointer, slug.Value)
		}
	}
	return nil
}

func (b *builder) addParameter(o *Operation, n *yaml.Node, pointer string) error {
	n, pointer = b.doc.resolve(n, pointer)
	in := text(n, "in")
	if in != "path" && in != "query" {
		return nil // headers belong to the layers that read them
	}
	schema, err := b.compile(pointer + "/schema")
	if err != nil {
		return err
	}
	inner, _ := b.doc.resolve(member(n, "schema"), pointer)
	p := parameter{
		name: text(n, "name"), inQuery: in == "query", required: text(n, "required") == "true",
		whole: text(inner, "type") == "integer", schema: schema,
	}
	o.parameters = append(o.parameters, p)
	return nil
}

func (b *builder) addWebhooks(c *Contract) error {
	for _, p := range pairs(member(b.doc.root, "webhooks")) {
		post := member(p.value, "post")
		pointer := "/webhooks/" + escape(p.name) + "/post/requestBody/content/application~1json/schema"
		schema, err := b.compile(pointer)
		if err != nil {
			return err
		}
		s, err := b.shapeOf(b.doc.at(pointer), pointer)
		if err != nil {
			return err
		}
		w := &Webhook{
			Event: p.name, Title: text(post, "summary"), Path: text(post, "x-kontor-path"),
			Object: text(post, "x-kontor-object"), Secrets: s.secrets(), schema: schema, shape: s,
		}
		c.byEvent[w.Event] = w
		c.webhooks = append(c.webhooks, w)
	}
	return nil
}
