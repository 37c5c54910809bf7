package scenario

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// wanted is an event that a step expects, with everything filled in.
type wanted struct {
	event, path string
	body        any
}

func (r *run) wanted(s *step, c *caller) ([]wanted, error) {
	var all []wanted
	for _, e := range s.Events {
		known := c.box.known(e.Event)
		if known == nil {
			return nil, fmt.Errorf("the contract has no event %s", e.Event)
		}
		w := wanted{event: e.Event, path: known.Path}
		if e.Path != "" {
			w.path = e.Path
		}
		var err error
		if w.body, err = r.vars.value(&e.Body); err != nil {
			return nil, err
		}
		for range max(e.Times, 1) {
			all = append(all, w)
		}
	}
	return all, nil
}

// await waits for the events of a step.
func (r *run) await(t *testing.T, s *step, c *caller) error {
	t.Helper()
	all, err := r.wanted(s, c)
	if err != nil || len(all) == 0 {
		return err
	}
	found := make([]*delivery, len(all))
	if !c.box.wait(t, func(arrived []delivery) bool {
		for i := range arrived {
			if d := &arrived[i]; !d.used {
				r.assign(d, all, found)
			}
		}
		return !slices.Contains(found, nil)
	}) {
		return fmt.Errorf("events are missing:\n%s", r.missing(c, all, found))
	}
	return ordered(c, found)
}

// assign gives a delivery to the first wanted event that it fits.
func (r *run) assign(d *delivery, all []wanted, found []*delivery) {
	for i, w := range all {
		if found[i] != nil || d.event != w.event || d.path != w.path {
			continue
		}
		tried := maps.Clone(r.vars)
		if len(match(w.body, d.body, tried, false)) == 0 {
			kept := *d // arrived may move when it grows
			found[i], d.used = &kept, true
			maps.Copy(r.vars, tried)
			return
		}
	}
}

// missing tells which events did not come, and which came instead.
func (r *run) missing(c *caller, all []wanted, found []*delivery) string {
	var text strings.Builder
	for i, w := range all {
		if found[i] == nil {
			fmt.Fprintf(&text, "\twant %s at %s: %s\n", w.event, w.path, show(w.body))
		}
	}
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	for _, d := range c.box.arrived {
		if !d.used {
			fmt.Fprintf(&text, "\tgot  %s\n", d)
		}
	}
	return text.String()
}

// ordered looks whether the events about one object came in the order in which the step names them.
func ordered(c *caller, found []*delivery) error {
	last := map[string]*delivery{}
	for _, d := range found {
		object := d.object(c.box.contract)
		if before := last[object]; before != nil && before.sequence > d.sequence {
			return fmt.Errorf("%s came before %s", d, before)
		}
		last[object] = d
	}
	return nil
}

// finish makes sure that nothing came that no step expected. The numbers of a partner's events have no gaps,
// so the number of an event that is made last tells how many there are. A closed partner cannot make one: of it
// only what has come is looked at.
func (c *caller) finish(t *testing.T, undelivered int) {
	t.Helper()
	// The scenario may have used up the partner's rate, or its key.
	p, err := c.app.Partners.Set(t.Context(), c.id, map[string]string{"rateLimit": "0"})
	if err != nil {
		t.Fatal(err)
	}
	if p.ClosedAt.IsZero() {
		if _, c.key, err = c.app.Partners.IssueKey(t.Context(), c.id); err != nil {
			t.Fatal(err)
		}
		c.deposit(t, "partner", "0.01")
	}
	count := 0
	if !c.box.wait(t, func(arrived []delivery) bool {
		count = 0
		for _, d := range arrived {
			count = max(count, d.sequence)
		}
		return len(arrived) >= count-undelivered
	}) {
		t.Errorf("%d events were made, but fewer than %d arrived", count, count-undelivered)
	}
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	if got := count - len(c.box.arrived); got != undelivered {
		t.Errorf("%d events did not arrive, want %d", got, undelivered)
	}
	order := map[string]int{}
	for _, d := range c.box.arrived {
		if !d.used {
			t.Errorf("no step expects the event %s", d)
		}
		object := d.object(c.box.contract)
		if order[object] > d.sequence {
			t.Errorf("a later event of %s came before %s", object, d)
		}
		order[object] = d.sequence
	}
	for _, problem := range c.box.problems {
		t.Errorf("webhook %s", problem)
	}
}

// prepare makes what a scenario starts from.
func (c *caller) prepare(t *testing.T, g given) {
	t.Helper()
	for _, user := range g.Waiting {
		c.createUser(t, user)
	}
	for _, user := range g.Active {
		c.createUser(t, user)
		c.activate(t, user)
	}
	for _, owner := range slices.Sorted(maps.Keys(g.Funds)) {
		c.deposit(t, owner, g.Funds[owner])
	}
}

func (c *caller) createUser(t *testing.T, user string) {
	t.Helper()
	c.must(t, http.StatusCreated, http.MethodPost, "/v1/user/balances/crypto-and-fiat", map[string]any{
		"externalUserId": user, "email": user + "@example.com", "phone": "+37060000000", "firstName": "Test",
		"lastName": "User", "street": "Test Street", "number": "1A", "city": "Vilnius", "postCode": "LT-01100",
		"country": "LT", "citizenship": "LT", "nationality": "LT", "birthCountry": "LT", "birthDate": "1990-01-31",
		"hasAcceptedP100Tc": true,
	})
}

func (c *caller) activate(t *testing.T, user string) {
	t.Helper()
	c.must(t, http.StatusOK, http.MethodPost, "/v1/sandbox/user/"+user+"/activate", map[string]any{})
	c.settle(t, "user-balance-generation", "externalUserId", user)
	c.settle(t, "kyc-verification-status", "externalUserId", user)
}

// deposit lets euros arrive for a user, or for the partner itself.
func (c *caller) deposit(t *testing.T, owner, amount string) {
	t.Helper()
	path := "/v1/sepa-deposit/info/" + owner
	if owner == "partner" {
		path = "/v1/partner/sepa-deposit/info"
	}
	info := c.must(t, http.StatusOK, http.MethodGet, path, nil)
	made := c.must(t, http.StatusCreated, http.MethodPost, "/v1/sandbox/sepa-deposit", map[string]any{
		"iban": at(info, "iban"), "amount": amount, "senderName": at(info, "accountHolder"), "senderIban": "DE89370400440532013000",
	})
	c.settle(t, "iban-status", "status", "PENDING")
	c.settle(t, "iban-status", "status", "APPROVED")
	c.settle(t, "sepa-deposit", "id", at(made, "depositId"))
}

// must makes a call that is not what the scenario is about, and answers its body.
func (c *caller) must(t *testing.T, status int, method, path string, body any) any {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	a := c.call(t, method, path, nil, text)
	if a.status != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	return a.json
}

// settle waits for an event that a preparation causes, and takes it away from what the steps see.
func (c *caller) settle(t *testing.T, event, member string, value any) {
	t.Helper()
	if !c.box.wait(t, func(arrived []delivery) bool {
		for i := range arrived {
			if d := &arrived[i]; !d.used && d.event == event && at(d.body, member) == value {
				d.used = true
				return true
			}
		}
		return false
	}) {
		t.Fatalf("no event %s with %s %v arrived", event, member, value)
	}
}
