package scenario

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// everywhere are codes that any operation can give, for the same reasons: one scenario stands for all.
var everywhere = []string{"P401", "P404", "P405", "P406", "P407", "P409", "P418", "P429"}

// unreachable are the documented codes that no scenario can provoke, each with its reason. A code that
// becomes reachable leaves this list, which the test below sees to.
var unreachable = map[string]string{
	"P500": "it would be a bug",
	"P501": "no path of the API takes the database or a rail away",
}

// reachableThere are the exceptions to unreachable, by operationId and code.
var reachableThere = map[string]bool{
	"getExchangeRates P501":        true, // a market is taken away
	"getPartnerExchangeRates P501": true,
	"getPartnerExchangeLock P501":  true,
	"getExchangeLock P501":         true,
	"createPartnerExchange P501":   true, // also where locks are guarded
}

// unreachableThere are codes of single operations, by operationId and code.
var unreachableThere = map[string]string{
	"suspendUser P454":    "there are no cards yet",
	"uploadPoaFiles P211": "a proof of address waits for milliseconds in the sandbox: see identity's TestOneProofOfAddressWaits",
}

// TestEveryErrorHasAScenario compares the errors that the OpenAPI document shows for each operation with
// those that the scenarios provoke.
func TestEveryErrorHasAScenario(t *testing.T) {
	t.Parallel()
	d, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	provoked := provoked(t, d)
	for _, code := range everywhere {
		if !provoked[code] {
			t.Errorf("no scenario provokes %s", code)
		}
	}
	for _, o := range d.operations {
		for _, code := range o.codes {
			pair := o.id + " " + code
			reason, never := unreachable[code]
			never = never && !reachableThere[pair]
			if there, ok := unreachableThere[pair]; ok {
				reason, never = there, true
			}
			switch {
			case slices.Contains(everywhere, code):
			case never && provoked[pair]:
				t.Errorf("%s is provoked by a scenario, and called unreachable: %s", pair, reason)
			case code == "P403" && !o.refuses(): // nothing in it can be wrong
			case !never && !provoked[pair]:
				t.Errorf("no scenario provokes %s", pair)
			}
		}
	}
}

// TestEveryErrorIsDocumented wants each error that a scenario provokes among those that the OpenAPI document
// shows for the operation.
func TestEveryErrorIsDocumented(t *testing.T) {
	t.Parallel()
	d, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	for pair := range provoked(t, d) {
		id, code, _ := strings.Cut(pair, " ")
		for _, o := range d.operations {
			if o.id == id && code != "succeeds" && !slices.Contains(o.codes, code) {
				t.Errorf("the document does not show %s for %s, which a scenario provokes", code, id)
			}
		}
	}
}

// refuses tells whether the operation takes anything that can be refused.
func (o *operation) refuses() bool {
	return o.node["requestBody"] != nil || slices.ContainsFunc(o.segments, func(s string) bool { return strings.HasPrefix(s, "{") })
}

// TestEveryOperationSucceedsInAScenario looks for each documented answer that is no error.
func TestEveryOperationSucceedsInAScenario(t *testing.T) {
	t.Parallel()
	d, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	provoked := provoked(t, d)
	for _, o := range d.operations {
		if !provoked[o.id+" succeeds"] {
			t.Errorf("%s succeeds in no scenario", o.id)
		}
	}
}

// provoked collects what the scenarios expect: each code, alone and behind the operationId it is for.
func provoked(t *testing.T, d *document) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, f := range readAll(t) {
		for _, s := range f.Steps {
			codes := slices.Collect(maps.Keys(s.Codes))
			for _, n := range []*yaml.Node{&s.Answer, &s.AnswerContains} {
				if n.IsZero() {
					continue
				}
				body, err := plain(n)
				if err != nil {
					t.Fatal(err)
				}
				if code, ok := at(body, "errorCode").(string); ok {
					codes = append(codes, code)
				}
			}
			if succeeds := s.Status/100 == 2 || s.Statuses[200]+s.Statuses[201] > 0; succeeds {
				codes = append(codes, "succeeds")
			}
			for _, call := range s.calls() {
				method, path, _ := strings.Cut(call, " ")
				o := d.find(method, path)
				for _, code := range codes {
					all[code] = true
					if o != nil {
						all[o.id+" "+code] = true
					}
				}
			}
		}
	}
	return all
}

// calls are the calls of a step, as far as the file tells them.
func (s *step) calls() []string {
	if len(s.Each) == 0 {
		return []string{s.Call}
	}
	var all []string
	for i := range s.Each {
		entry, err := plain(&s.Each[i])
		names, isNamed := entry.(map[string]any)
		if !isNamed {
			names = vars{"each": entry}
		}
		call := s.Call
		for name, value := range names {
			if text, ok := value.(string); ok && err == nil {
				call = strings.ReplaceAll(call, "${"+name+"}", text)
			}
		}
		all = append(all, call)
	}
	return all
}
