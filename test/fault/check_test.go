//go:build linux

package fault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	arrivalLimit = time.Minute // without any event although some are missing: longer than a retry
	checkers     = 16          // requests of a check at a time
)

// check holds the program's state, and all that it answered and sent, against the model. The load has ended
// and everything is settled.
func (w *world) check(base string) {
	w.t.Helper()
	w.report()
	w.checkEvents()
	w.checkTransfers(base)
	w.checkReplays(base)
	w.checkBalances(base)
}

// report tells what the test has met, so that one sees that it met something.
func (w *world) report() {
	doubtful, happened := 0, 0
	for _, o := range w.operations {
		if o.unknown > 0 {
			doubtful++
			if o.replayed {
				happened++
			}
		}
	}
	w.t.Logf("%d operations, %d refused, %d answers P501, %d requests unanswered, %d not begun; of %d doubtful operations %d had happened",
		len(w.operations), w.refused, w.unavailable, w.unanswered, w.unreached, doubtful, happened)
	tallies.change(w.t.Name(), func(t *tally) {
		t.acknowledged += w.settled
		t.refused += w.refused
		t.doubtful += doubtful
		t.happened += happened
	})
}

// done answers the operations of a kind that happened.
func (w *world) done(k kind) []*operation {
	return slices.DeleteFunc(slices.Clone(w.operations), func(o *operation) bool {
		return o.kind != k || !o.settled || o.refused
	})
}

// checkEvents waits for the events of everything that happened and checks that there are no others, what
// they say, their numbers, and their order.
func (w *world) checkEvents() {
	w.t.Helper()
	expected := map[string][]string{}
	for _, o := range w.done(transfer) {
		expected[o.id] = []string{"p2p-transfer"}
	}
	for _, o := range w.done(deposit) {
		expected[o.id] = []string{"sepa-deposit"}
	}
	for _, o := range w.done(activate) {
		expected[o.destination] = []string{"kyc-verification-status", "user-balance-generation"}
	}
	total := 0
	for _, kinds := range expected {
		total += len(kinds)
	}
	checks := 2 * len(w.done(deposit)) // each is pending, and then approved
	total += checks
	r := w.receiver
	complete := r.awaitAll(total)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !complete {
		w.t.Errorf("of %d events %d arrived, and then none for %s", total, len(r.events), arrivalLimit)
	}
	arrived := r.about()
	if got := len(arrived[ofChecks]); got != checks {
		r.complain("%d events of checks arrived, want %d", got, checks)
	}
	delete(arrived, ofChecks)
	for object, kinds := range expected {
		var got []string
		for _, e := range inOrder(arrived[object]) {
			got = append(got, e.kind)
		}
		if !slices.Equal(got, kinds) {
			r.complain("of %s arrived the events %v, want %v", object, got, kinds)
		}
	}
	for object, of := range arrived {
		if expected[object] == nil {
			r.complain("events of %s, which nobody was told of: %s", object, of[0].body)
		}
	}
	r.checkNumbers()
	r.checkOrder(arrived)
}

// awaitAll waits until so many events have arrived, all of them accepted, for as long as they keep
// arriving.
func (r *receiver) awaitAll(total int) bool {
	for accepted := 0; ; {
		before, complete := accepted, false
		moved := r.await(arrivalLimit, func() bool {
			accepted = 0
			for _, of := range r.about() {
				accepted += len(of)
			}
			complete = accepted >= total && len(r.events) == accepted
			return complete || accepted > before
		})
		if complete || !moved {
			return complete
		}
	}
}

func inOrder(events []*event) []*event {
	return slices.SortedFunc(slices.Values(events), func(a, b *event) int { return cmp.Compare(a.sequence, b.sequence) })
}

// checkNumbers wants the numbers from 1 on, each once.
func (r *receiver) checkNumbers() {
	var numbers []int
	for _, e := range r.events {
		numbers = append(numbers, e.sequence)
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			r.complain("the numbers of the events go on with %d after %d", n, i)
			return
		}
	}
}

// checkOrder wants an object's next event only after the one before it was accepted, and that one never again.
func (r *receiver) checkOrder(arrived map[string][]*event) {
	for object, of := range arrived {
		events := inOrder(of)
		for i := 1; i < len(events); i++ {
			before, after := events[i-1], events[i]
			if after.first < before.accepted || before.last > after.first {
				r.complain("%s: event %d (first %d, accepted %d, last %d) and event %d (first %d) came in each other's way",
					object, before.sequence, before.first, before.accepted, before.last, after.sequence, after.first)
			}
		}
	}
}

// each runs a check of many operations, several at a time.
func (w *world) each(operations []*operation, check func(o *operation) error) {
	work := make(chan *operation)
	var group sync.WaitGroup
	for range checkers {
		group.Go(func() {
			for o := range work {
				if err := check(o); err != nil {
					w.change(func() { w.complain("%s: %v", o, err) })
				}
			}
		})
	}
	for _, o := range operations {
		work <- o
	}
	close(work)
	group.Wait()
}

// ask repeats a request that is answered P501, as a machine that does too much at a time makes it.
func (w *world) ask(method, url, key string, body []byte) (got answer, err error) {
	for range 5 {
		got, err = w.call(context.Background(), method, url, key, body)
		if err != nil || got.member("errorCode") != "P501" || !pause(w.t.Context(), retryPause) {
			break
		}
	}
	return got, err
}

// checkTransfers wants the details of each transfer, and its event, to say what was asked for.
func (w *world) checkTransfers(base string) {
	w.receiver.mu.Lock()
	arrived := w.receiver.about()
	w.receiver.mu.Unlock()
	w.each(w.done(transfer), func(o *operation) error {
		got, err := w.ask(http.MethodGet, base+"/v1/transfer/details/"+o.id, "", nil)
		if err != nil || got.status != http.StatusOK {
			return fmt.Errorf("acknowledged, but its details are %s, %w", got, err)
		}
		if err := o.matches(got.body); err != nil {
			return fmt.Errorf("its details: %w", err)
		}
		for _, e := range arrived[o.id] {
			if err := o.matches([]byte(e.body)); err != nil {
				return fmt.Errorf("its event: %w", err)
			}
		}
		return nil
	})
}

// matches compares what is told about a transfer with what was asked for.
func (o *operation) matches(text []byte) error {
	var told struct {
		ID                        string
		SourceExternalUserID      string
		DestinationExternalUserID string
		Amount                    json.Number
		Currency                  string
		Status                    string
		Reference                 string
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return err
	}
	amount, ok := new(big.Rat).SetString(string(told.Amount))
	if !ok || amount.Cmp(big.NewRat(o.cents, 100)) != 0 || told.ID != o.id || told.SourceExternalUserID != o.source ||
		told.DestinationExternalUserID != o.destination || told.Reference != o.reference ||
		told.Status != "SUCCESSFUL" || !strings.EqualFold(told.Currency, "eur") {
		return fmt.Errorf("something else was told: %s", text)
	}
	return nil
}

// checkReplays repeats requests that were acknowledged: each answer comes again, marked as a repetition.
func (w *world) checkReplays(base string) {
	w.each(slices.Concat(w.done(transfer), w.done(deposit), w.done(create)), func(o *operation) error {
		got, err := w.ask(http.MethodPost, base+o.path, o.key, o.body)
		if err != nil {
			return err
		}
		if got.header.Get("Idempotent-Replayed") != "true" || !bytes.Equal(got.body, o.answer) {
			return fmt.Errorf("answered %s at first, and %s when repeated", o.answer, got)
		}
		return nil
	})
}

// balances is the naive model.
func (w *world) balances() map[string]int64 {
	model := map[string]int64{"": 0}
	for _, o := range slices.Concat(w.done(activate), w.done(deposit), w.done(transfer)) {
		model[o.destination] += o.cents
		if o.kind == transfer {
			model[o.source] -= o.cents
		}
	}
	return model
}

func (w *world) checkBalances(base string) {
	w.t.Helper()
	for owner, cents := range w.balances() {
		got, err := w.balance(base, owner)
		if err != nil || got != euros(cents) {
			w.t.Errorf("the balance of %q is %s, %v; by the model it is %s", owner, got, err, euros(cents))
		}
	}
}

// balance asks for the euros of a user, or of the partner itself.
func (w *world) balance(base, owner string) (string, error) {
	path := "/v1/user/balances/" + owner
	if owner == "" {
		path = "/v1/partner/balances"
	}
	got, err := w.ask(http.MethodGet, base+path, "", nil)
	if err != nil {
		return "", err
	}
	var told struct{ FiatBalances []struct{ Amount string } }
	if err := json.Unmarshal(got.body, &told); err != nil || got.status != http.StatusOK || len(told.FiatBalances) != 1 {
		return "", fmt.Errorf("answered %s", got)
	}
	return told.FiatBalances[0].Amount, nil
}

// usersByName is for tests that look at all of them in the same order.
func (w *world) usersByName() []string { return slices.Sorted(maps.Keys(w.ibans)) }
