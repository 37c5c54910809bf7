package contract

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"kontor/api"
	"kontor/internal/fault"
	"kontor/internal/money"
)

func testDocument(t *testing.T) *document {
	t.Helper()
	doc, err := parseDocument(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// testBuilder compiles any schema of the document.
func testBuilder(t *testing.T, doc *document) *builder {
	t.Helper()
	b := &builder{doc: doc, compiler: jsonschema.NewCompiler(), scale: testScale}
	b.compiler.DefaultDraft(jsonschema.Draft2020)
	registerFormats(b.compiler)
	if err := b.compiler.AddResource(location, doc.tree); err != nil {
		t.Fatal(err)
	}
	return b
}

// examples returns the examples of a media type as JSON, by name.
func examples(t *testing.T, doc *document, mediaType *yaml.Node) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, p := range pairs(member(mediaType, "examples")) {
		n, _ := doc.resolve(p.value, "")
		v, err := plain(member(n, "value"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		found[p.name] = raw
	}
	return found
}

// eachOperation visits the operations of the document.
func eachOperation(doc *document, visit func(id, pointer string, n *yaml.Node)) {
	for _, path := range pairs(member(doc.root, "paths")) {
		for _, method := range pairs(path.value) {
			visit(text(method.value, "operationId"), "/paths/"+escape(path.name)+"/"+method.name, method.value)
		}
	}
}

// isPage tells whether an operation is a page for people.
func isPage(n *yaml.Node) bool { return text(n, "x-page") == "true" }

func TestRequestExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	c, doc := testContract(t), testDocument(t)
	eachOperation(doc, func(id, _ string, n *yaml.Node) {
		body := member(n, "requestBody", "content", "application/json")
		list := examples(t, doc, body)
		if body != nil && len(list) == 0 {
			t.Errorf("%s has no example of its body", id)
		}
		for name, raw := range list {
			if got := c.Operation(id).CheckBody(raw); got != nil {
				t.Errorf("%s, example %s: %q", id, name, got)
			}
		}
	})
}

func TestAnswerExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	doc := testDocument(t)
	b := testBuilder(t, doc)
	eachOperation(doc, func(id, pointer string, n *yaml.Node) {
		for _, status := range pairs(member(n, "responses")) {
			answer, at := doc.resolve(status.value, pointer+"/responses/"+status.name)
			if member(answer, "headers", "X-Request-Id") == nil {
				t.Errorf("%s %s does not promise X-Request-Id", id, status.name)
			}
			if member(answer, "content", "application/json") == nil && isPage(n) {
				continue
			}
			schema, err := b.compile(at + "/content/application~1json/schema")
			if err != nil {
				t.Fatal(err)
			}
			list := examples(t, doc, member(answer, "content", "application/json"))
			if len(list) == 0 {
				t.Errorf("%s %s has no example", id, status.name)
			}
			for name, raw := range list {
				object, bad := parseObject(raw)
				if bad != nil {
					t.Fatal(bad)
				}
				if err := schema.Validate(object); err != nil {
					t.Errorf("%s %s, example %s: %v", id, status.name, name, err)
				}
			}
		}
	})
}

// TestErrorsAreThoseOfTheTable holds the document's error examples against the one error table.
func TestErrorsAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	doc := testDocument(t)
	eachOperation(doc, func(id, pointer string, n *yaml.Node) {
		told := map[string]bool{}
		for _, status := range pairs(member(n, "responses")) {
			answer, _ := doc.resolve(status.value, pointer)
			if status.name[0] == '2' {
				continue
			}
			for name, raw := range examples(t, doc, member(answer, "content", "application/json")) {
				code, _, _ := strings.Cut(name, "-")
				told[code] = true
				row := fault.Code(code).Row()
				if strconv.Itoa(row.Status) != status.name {
					t.Errorf("%s: %s is listed under %s, the table says %d", id, code, status.name, row.Status)
				}
				var wire struct{ ErrorCode, ErrorName, ErrorMessage string }
				if err := json.Unmarshal(raw, &wire); err != nil {
					t.Fatal(err)
				}
				message := wire.ErrorMessage
				if code == "P401" {
					message = strings.TrimRight(message, "123") + "1"
				}
				if wire.ErrorCode != code || wire.ErrorName != row.Name || code != "P403" && message != row.Message {
					t.Errorf("%s: example %s says %+v, the table says %q %q", id, name, wire, row.Name, row.Message)
				}
			}
		}
		common := []string{"P401", "P403", "P418", "P429", "P500", "P501"}
		if isPage(n) {
			common = []string{"P500", "P501"} // it takes no key
		}
		for _, code := range common {
			if !told[code] {
				t.Errorf("%s does not tell of %s, which every operation can answer", id, code)
			}
		}
	})
}

func TestChangesTakeAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	doc := testDocument(t)
	for _, o := range testContract(t).Operations() {
		n := member(doc.root, "paths", o.Path, strings.ToLower(o.Method))
		takes := false
		for _, p := range items(member(n, "parameters")) {
			takes = takes || text(p, "$ref") == "#/components/parameters/IdempotencyKey"
		}
		if want := o.Method == "POST" || o.Method == "PATCH" || o.Method == "DELETE"; takes != want {
			t.Errorf("%s: takes an Idempotency-Key: %v, want %v", o.ID, takes, want)
		}
	}
}

// TestEverythingOfARequestIsBounded keeps a body from filling a column, a log or an error message.
func TestEverythingOfARequestIsBounded(t *testing.T) {
	t.Parallel()
	doc := testDocument(t)
	var walk func(where string, n *yaml.Node)
	walk = func(where string, n *yaml.Node) {
		n, _ = doc.resolve(n, "")
		for _, p := range pairs(member(n, "properties")) {
			walk(where+"."+p.name, p.value)
		}
		for _, part := range items(member(n, "anyOf")) {
			walk(where, part)
		}
		kinds := text(n, "type")
		for _, k := range items(member(n, "type")) {
			kinds += k.Value
		}
		bounded := member(n, "maxLength") != nil || member(n, "enum") != nil || member(n, "x-rule") != nil || text(n, "format") == "date" ||
			text(n, "x-currency")+text(n, "x-currency-fixed") != ""
		if strings.Contains(kinds, "string") && !bounded {
			t.Errorf("%s has no largest length", where)
		}
		if f := text(n, "format"); f != "" && formats[f] == nil {
			t.Errorf("%s has the format %q, which nothing checks", where, f)
		}
		if member(n, "pattern") != nil && text(n, "x-rule") == "" {
			t.Errorf("%s has a pattern, but no x-rule to put it into words", where)
		}
		if kinds == "array" && member(n, "maxItems") == nil || member(n, "additionalProperties") != nil && member(n, "maxProperties") == nil {
			t.Errorf("%s can have any number of entries", where)
		}
		for _, open := range []string{"additionalProperties", "propertyNames", "items"} {
			if inner := member(n, open); inner != nil && inner.Kind == yaml.MappingNode {
				walk(where+"."+open, inner)
			}
		}
	}
	eachOperation(doc, func(id, _ string, n *yaml.Node) {
		if body := member(n, "requestBody", "content", "application/json", "schema"); body != nil {
			walk(id, body)
		}
	})
}

// webhooks are the events of the contract: title, path, object that orders them, secret members.
var webhooks = [][4]string{
	{"User Balance Generation", "webhook/user/status", "user", ""},
	{"KYC File Added", "webhook/kyc-files/status", "user", ""},
	{"POA Verification Status", "webhook/poa-verification/status", "user", ""},
	{"KYC Verification Status", "webhook/kyc-verification/status", "user", ""},
	{"Create Wallet", "create-wallet-webhook", "wallet", ""},
	{"High Risk KYC Verification", "user-manual-verification-status-webhook", "user", ""},
	{"P2P Transfer", "transfer-webhook", "transfer", ""},
	{"IBAN Status", "iban-status-webhook", "sepaDeposit", ""},
	{"Partner SEPA Transfer", "partner-sepa-transfer-webhook", "sepaTransfer", ""},
	{"User SEPA Transfer", "sepa-transfer-webhook", "sepaTransfer", "user.documentNumber user.pesel"},
	{"SEPA Deposit", "sepa-deposit-webhook", "sepaDeposit", ""},
	{"Crypto Withdrawal", "crypto-withdrawal-webhook", "withdrawal", ""},
	{"Crypto Deposit", "crypto-deposit-webhook", "cryptoDeposit", ""},
	{"Exchange", "exchange-webhook", "exchange", ""},
	{"Card Transaction", "card-transaction-webhook", "card", ""},
	{"Order status", "order-status-webhook", "order", ""},
	{"Payment Link", "payment-link-webhook", "paymentLink", ""},
	{"Card 3DS Code", "card-3ds-webhook", "card", "code"},
	{"Card Activation Code", "card-activation-webhook", "card", "code"},
	{"Webhook URL Changed", "webhook/url-changed", "webhookUrl", ""},
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	c, doc := testContract(t), testDocument(t)
	var got [][4]string
	for _, w := range c.Webhooks() {
		got = append(got, [4]string{w.Title, w.Path, w.Object, strings.Join(w.Secrets, " ")})
		if want := strings.ReplaceAll(strings.ToLower(w.Title), " ", "-"); w.Event != want {
			t.Errorf("the event of %q is called %q, want %q", w.Title, w.Event, want)
		}
		list := examples(t, doc, member(doc.root, "webhooks", w.Event, "post", "requestBody", "content", "application/json"))
		if len(list) == 0 {
			t.Errorf("%s has no example", w.Event)
		}
		for name, raw := range list {
			if err := c.Webhook(w.Event).Check(raw); err != nil {
				t.Errorf("example %s: %v", name, err)
			}
			var wrong map[string]any
			if err := json.Unmarshal(raw, &wrong); err != nil {
				t.Fatal(err)
			}
			wrong["unheardOf"] = 1
			raw, err := json.Marshal(wrong)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Webhook(w.Event).Check(raw); err == nil || !strings.Contains(err.Error(), "unheardOf") {
				t.Errorf("%s takes a member that the document does not name: %v", w.Event, err)
			}
			delete(wrong, "unheardOf")
			delete(wrong, "status")
			delete(wrong, "code")
			delete(wrong, "verificationStatus")
			delete(wrong, "setting")
			if raw, err = json.Marshal(wrong); err != nil {
				t.Fatal(err)
			}
			if c.Webhook(w.Event).Check(raw) == nil {
				t.Errorf("%s takes a body without its most important member: %s", w.Event, raw)
			}
		}
	}
	if !slices.Equal(got, webhooks) {
		t.Errorf("got  %q\nwant %q", got, webhooks)
	}
	if c.Webhook("p2p-transfer").Check([]byte(`{"amount":`)) == nil {
		t.Error("a body that is no JSON passed")
	}
	for event, raw := range map[string]string{
		"payment-link": `{"paymentLinkId":"0198f0c2-6f0a-7cc1-9d7e-0a4f3b2c1d15","type":"STANDARD","status":"PAID","amount":"49.90","currency":"eur","title":"Test","reference":null,"url":"https://pay.example.com","createdAt":"2025-08-05T10:33:54.730Z","expiresAt":"2025-08-05T10:33:54.730Z","paidAt":null,"orderId":null,"cryptocurrency":null,"network":null,"amountRequired":null,"amountReceived":0,"transactions":[{"transactionHash":"x","amount":1,"currency":"btc","network":"btc","confirmations":1,"createdAt":"2025-08-05T10:33:54.730Z","more":1}]}`,
	} {
		if c.Webhook(event).Check([]byte(raw)) == nil {
			t.Errorf("%s takes %s", event, raw)
		}
	}
}

func TestUnknownNamesAreProgrammerErrors(t *testing.T) {
	t.Parallel()
	c := testContract(t)
	for name, call := range map[string]func(){
		"operation": func() { c.Operation("noSuch") },
		"webhook":   func() { c.Webhook("no-such") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

// small is a document for what the real one does not use yet.
const small = `
openapi: 3.1.0
paths:
  /label:
    post:
      operationId: label
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 200}}
        - {name: status, in: query, required: true, schema: {type: string, enum: [A, B]}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              properties:
                label: {type: string, minLength: 3, maxLength: 30}
                lists: {type: array, maxItems: 3, items: {type: object, required: [b, a], properties: {b: {type: string}, a: {type: string}}}}
                count: {type: integer, minimum: 0}
                code: {type: string, minLength: 4, pattern: '^[a-z]*$', x-rule: must be letters}
`

func TestSentencesOfOtherKeywords(t *testing.T) {
	t.Parallel()
	c, err := load([]byte(small), testScale)
	if err != nil {
		t.Fatal(err)
	}
	o := c.Operation("label")
	check(t, o, `{"label":"abc","lists":[],"count":3,"code":"abcd"}`)
	check(t, o, `{"label":"ab"}`, "label must be between 3 and 30 characters")
	check(t, o, `{"code":"abc","label":"`+strings.Repeat("x", 31)+`"}`, "label must be between 3 and 30 characters", "code must have at least 4 characters")
	check(t, o, `{"code":"abcd1"}`, "code must be letters")
	check(t, o, `{"code":"a1"}`, "code must have at least 4 characters") // the first of two reasons
	check(t, o, `{"count":-1}`, "count must be at least 0")
	check(t, o, `{"count":1.5}`, "count must be a whole number")
	check(t, o, `{"count":1e99999999999}`)
	check(t, o, `{"lists":{}}`, "lists must be a list")
	check(t, o, `{"lists":[1,2,3,4]}`, "lists can have at most 3 entries")
	check(t, o, `{"count":"","lists":[{"a":"","b":""},5,{"a":1}]}`,
		"lists[1] must be an object", "lists[2].b must be provided", "lists[2].a must be a string", "count must be a whole number")

	for query, want := range map[string][]string{
		"status=A":                  nil,
		"status=B&limit=200&more=1": nil,
		"":                          {"status must be provided"},
		"status=C&limit=0":          {"limit must be between 1 and 200", "status must be one of the following values: A, B"},
		"status=A&limit=x":          {"limit must be a whole number"},
		"status=A&limit=":           {"limit must be a whole number"},
		"status=A&limit=1e2":        {"limit must be a whole number"},
		"status=A&more=1&more=1":    nil,
		"status=A&status=A":         {"status must be given once"},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.CheckParams(nil, values); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

func TestBrokenDocuments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "empty",
		"a: [":                           "read contract",
		"a: 1\na: 2":                     "read contract",
		"a: &x 1\nb: *x":                 "no aliases",
		"paths: {/x: {get: {tags: []}}}": "needs an operationId",
		strings.ReplaceAll(small, "type: integer", "type: whole"): "compile contract",
	} {
		if _, err := load([]byte(text), testScale); err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
	// A currency that the catalogue lacks would have no decimals to judge by.
	noDoge := func(slug string) (money.Currency, bool) {
		c, ok := testScale(slug)
		return c, ok && slug != "doge"
	}
	if _, err := Load(noDoge); err == nil || !strings.Contains(err.Error(), `unknown currency "doge"`) {
		t.Errorf("got %v", err)
	}
	noEuro := func(slug string) (money.Currency, bool) {
		c, ok := testScale(slug)
		return c, ok && slug != "eur"
	}
	if _, err := load([]byte(strings.ReplaceAll(string(api.OpenAPI), "enum: [eur, ", "enum: [")), noEuro); err == nil || !strings.Contains(err.Error(), "amount is in the unknown currency") {
		t.Errorf("got %v", err)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var into struct {
		Amount   Decimal `json:"amount"`
		Currency string  `json:"currency"`
	}
	// Members that differ in case are other members: what was checked is what is decoded.
	if err := Decode([]byte(`{"amount":1.50,"AMOUNT":"900","currency":"eur","Currency":"btc"}`), &into); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s %s", into.Amount, into.Currency); got != "1.50 eur" {
		t.Errorf("got %s", got)
	}
	if err := Decode([]byte(" \n"), &into); err != nil {
		t.Errorf("empty body: %v", err)
	}
	if err := Decode([]byte(`{"amount":[]}`), &into); err == nil {
		t.Error("a list passed for an amount")
	}
}
