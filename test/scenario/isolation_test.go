package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// slot is a place of a request where the id of somebody's object stands: a parameter of the path, or a
// member of the body.
type slot struct {
	name string
	path bool
}

// ids are the values of slots, by name: what belongs to the caller, to a partner it must know nothing of,
// and to nobody.
type ids struct{ own, others, nobodys map[string]string }

// still keeps rates from changing between two answers that are compared.
var still = map[string]string{
	"sandbox.rate.btc": "57000.5", "sandbox.rate.eth": "2310.44", "sandbox.rate.ltc": "71.3", "sandbox.rate.doge": "0.1832",
	"sandbox.rate.pol": "0.2145", "sandbox.rate.usdc": "0.8642", "sandbox.rate.usdt": "0.8638",
}

// outside are members that look like ids but name nothing that a partner owns.
var outside = []string{"senderIban", "destinationIban", "transferTitle", "taxId"}

// slotName recognises names of ids, so that a new operation cannot slip through unnoticed.
var slotName = regexp.MustCompile(`(Id|[iI]ban|[tT]itle|Address)$`)

// TestIsolation walks every operation of the OpenAPI document with another partner's ids: each answer must be
// the one that an id which does not exist gets (I7).
func TestIsolation(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			p := start(t, engine)
			for _, o := range p.document.operations {
				t.Run(o.id, func(t *testing.T) {
					t.Parallel()
					testIsolation(t, p, o)
				})
			}
		})
	}
}

func testIsolation(t *testing.T, p *platform, o *operation) {
	bodies := p.document.examples(o)
	slots := o.slots(bodies)
	if len(slots) == 0 {
		t.Skip("the operation takes no ids")
	}
	victim := p.newCaller(t, still)
	victim.prepare(t, given{Active: []string{"victim"}, Funds: map[string]string{"victim": "50.00", "partner": "50.00"}})
	theirs := victim.objects(t, "victim")
	before := victim.snapshot(t, theirs)
	for _, s := range slots {
		if theirs[s.name] == "" {
			t.Errorf("nothing is known of %s: add what it names to objects and unknown, or to outside", s.name)
			continue
		}
		for _, body := range bodies {
			if _, has := body[s.name]; !has && !s.path {
				continue
			}
			// A caller of its own for each of the two, so that one answer cannot change the other.
			var answers [2]string
			for i, kind := range []string{"another partner's", "nobody's"} {
				attacker := p.newCaller(t, still)
				attacker.prepare(t, given{Active: []string{"mine"}, Funds: map[string]string{"mine": "50.00", "partner": "50.00"}})
				all := ids{own: attacker.objects(t, "mine"), others: theirs, nobodys: unknown(theirs)}
				value := all.others[s.name]
				if kind == "nobody's" {
					value = all.nobodys[s.name]
				}
				answers[i] = attacker.probe(t, o, s, all, body, value)
			}
			if answers[0] != answers[1] {
				t.Errorf("another partner's %s is answered by\n%s\nand one that does not exist by\n%s", s.name, answers[0], answers[1])
			}
		}
	}
	if after := victim.snapshot(t, theirs); after != before {
		t.Errorf("another partner changed objects from\n%s\nto\n%s", before, after)
	}
}

// probe makes the operation's call with the caller's own ids and one value in a slot, and answers all of the
// answer that does not change from call to call.
func (c *caller) probe(t *testing.T, o *operation, s slot, all ids, example map[string]any, value string) string {
	t.Helper()
	path := strings.Join(o.segments, "/")
	for name, own := range all.own {
		if s.path && s.name == name {
			own = value
		}
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(own))
	}
	var text []byte
	if example != nil {
		body := maps.Clone(example)
		for name := range body {
			if own, ok := all.own[name]; ok {
				body[name] = own
			}
		}
		if !s.path {
			body[s.name] = value
		}
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	q := request{body: text}
	if at(o.node, "requestBody", "$ref") != nil { // the only body that operations share is a form with files
		if err := q.attach([]upload{{Name: "a.jpg", Of: "photo"}}, false, vars{}); err != nil {
			t.Fatal(err)
		}
	}
	a := c.call(t, o.method, path, q.headers, q.body)
	if a.code() == "P500" || a.code() == "P403" || a.code() == "P404" {
		t.Fatalf("%s %s with %s %q is no fair question: %s", o.method, path, s.name, value, a.body)
	}
	out := fmt.Sprintln(a.status)
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if name != "Date" && name != "X-Request-Id" {
			out += fmt.Sprintln(name, a.header[name])
		}
	}
	body := bytes.ReplaceAll(a.body, []byte(value), []byte("ID"))
	return out + string(freshParts.ReplaceAll(body, []byte("FRESH")))
}

// freshParts are ids and times of what a call made.
var freshParts = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9-]{10}T[0-9:.]{12}Z`)

// objects are the ids of a partner's user and of what belongs to it.
func (c *caller) objects(t *testing.T, user string) map[string]string {
	t.Helper()
	info := c.must(t, http.StatusOK, http.MethodGet, "/v1/sepa-deposit/info/"+user, nil)
	made := c.must(t, http.StatusCreated, http.MethodPost, "/v1/transfer", map[string]any{
		"sourceExternalUserId": user, "amount": "1.00", "currency": "eur",
	})
	sent := c.must(t, http.StatusOK, http.MethodPost, "/v1/sepa-transfer", map[string]any{
		"sourceExternalUserId": user, "amount": "1.00", "currency": "eur", "destinationIban": "DE89370400440532013000", "transferTitle": "SANDBOX-HANG",
	})
	text := func(v any) string { s, _ := v.(string); return s }
	c.reach(t, "/v1/sepa-transfer/details/"+text(at(sent, "transferId")), "PROCESSING") // and stays: the bank hangs
	deposits := c.must(t, http.StatusOK, http.MethodGet, "/v1/user/transactions/"+user+"?type=SEPA_DEPOSIT", nil)
	events := c.must(t, http.StatusOK, http.MethodGet, "/v1/events?event=user-balance-generation", nil)
	used := c.must(t, http.StatusOK, http.MethodGet, "/v1/exchange/get-lock/"+user, nil)
	exchanged := c.must(t, http.StatusOK, http.MethodPost, "/v1/exchange", map[string]any{
		"sourceExternalUserId": user, "amount": "1.00", "currencyFrom": "eur", "currencyTo": "btc", "lockId": text(at(used, "id")),
	})
	lock := c.must(t, http.StatusOK, http.MethodGet, "/v1/exchange/get-lock/"+user, nil)
	c.prepare(t, given{Waiting: []string{user + "-waits"}})
	hosted := c.must(t, http.StatusCreated, http.MethodPost, "/v1/kyc", map[string]any{
		"externalUserId": user + "-waits", "documentType": "PASSPORT", "country": "LT", "incomeSource": "OTHER",
		"openAccountReason": "DAILY_USE", "additionalInfo": "Savings",
	})
	return map[string]string{
		"externalUserId": user, "sourceExternalUserId": user, "destinationExternalUserId": user,
		"verificationId": text(at(hosted, "verificationId")),
		"exchangeId":     text(at(exchanged, "exchangeId")), "lockId": text(at(lock, "id")),
		"transferId": text(at(made, "transferId")), "depositId": text(at(at(deposits, "transactions").([]any)[0], "id")),
		"sepaTransferId": text(at(sent, "transferId")),
		"eventId":        text(at(at(events, "events").([]any)[0], "id")),
		"iban":           text(at(info, "iban")), "title": text(at(info, "title")),
	}
}

// reach asks for an object until it has a status.
func (c *caller) reach(t *testing.T, path, status string) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); ; {
		found := at(c.must(t, http.StatusOK, http.MethodGet, path, nil), "status")
		if found == status {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%s stays %v, and does not become %s", path, found, status)
		}
	}
}

// unknown are ids of the same form and length as those given, which nobody has.
func unknown(known map[string]string) map[string]string {
	out := map[string]string{}
	for name, id := range known {
		switch name {
		case "iban":
			out[name] = "LT121000011101001000" // correct, but of a bank that is not ours
		case "transferId", "sepaTransferId", "depositId", "eventId", "exchangeId", "lockId", "verificationId":
			out[name] = "0198f0c2-6f0a-7cc1-9d7e-0a4f3b2c1d00"
		case "title":
			out[name] = "KT" + strings.Repeat("0", len(id)-2)
		default:
			out[name] = strings.Repeat("n", len(id))
		}
	}
	return out
}

// snapshot is all that a partner can read of its user, of its transfer and of its own account.
func (c *caller) snapshot(t *testing.T, objects map[string]string) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{
		"/v1/user/" + objects["externalUserId"], "/v1/user/balances/" + objects["externalUserId"],
		"/v1/exchange/details/" + objects["exchangeId"],
		"/v1/transfer/details/" + objects["transferId"], "/v1/partner/balances",
		"/v1/user/transactions/" + objects["externalUserId"], "/v1/partner/transactions?scope=all", "/v1/users", "/v1/sandbox/webhook",
	} {
		a := c.call(t, http.MethodGet, path, nil, nil)
		fmt.Fprintf(&all, "%s: %d %s\n", path, a.status, a.body)
	}
	return all.String()
}

// examples are the bodies that the document shows for an operation; one that is nil when it takes none.
func (d *document) examples(o *operation) []map[string]any {
	shown, _ := at(o.node, "requestBody", "content", "application/json", "examples").(map[string]any)
	var bodies []map[string]any
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		bodies = append(bodies, at(shown[name], "value").(map[string]any))
	}
	if len(bodies) == 0 {
		return []map[string]any{nil}
	}
	return bodies
}

// slots finds the ids that an operation takes.
func (o *operation) slots(bodies []map[string]any) []slot {
	var all []slot
	for _, segment := range o.segments {
		if strings.HasPrefix(segment, "{") {
			all = append(all, slot{strings.Trim(segment, "{}"), true})
		}
	}
	for _, body := range bodies {
		for _, name := range slices.Sorted(maps.Keys(body)) {
			s := slot{name, false}
			if slotName.MatchString(name) && !slices.Contains(outside, name) && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// TestEveryOperationWantsAKey walks every operation but the pages without a key and with a wrong one.
func TestEveryOperationWantsAKey(t *testing.T) {
	t.Parallel()
	p := start(t, engines[0])
	c := p.newCaller(t, nil)
	for _, o := range p.document.operations {
		if o.page {
			continue // its path is the key
		}
		t.Run(o.id, func(t *testing.T) {
			t.Parallel()
			path := strings.NewReplacer("{", "", "}", "").Replace(strings.Join(o.segments, "/"))
			for reason, headers := range map[string]http.Header{
				"xo1": {"X-Api-Key": nil}, "xo2": {"X-Api-Key": {"wrong"}},
			} {
				a := c.call(t, o.method, path, headers, []byte("{"))
				if message := at(a.json, "errorMessage"); a.status != http.StatusUnauthorized || message != "Access Denied. "+reason {
					t.Errorf("answered %d %s, want 401 with %s", a.status, a.body, reason)
				}
			}
		})
	}
}
