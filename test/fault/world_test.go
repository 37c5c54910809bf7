//go:build linux

package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	settleLimit = 30 * time.Second      // until an operation must be decided once the program runs
	retryPause  = 20 * time.Millisecond // of a partner's program that got no answer
)

// world is a partner with users, and everything that the partner's programs asked for and were told.
type world struct {
	*partnerProgram
	t        *testing.T
	receiver *receiver

	watch
	number      int // of the operation that was invented last
	operations  []*operation
	users       []string          // active ones
	ibans       map[string]string // by user
	settled     int
	refused     int
	unavailable int // answers P501
	streak      int // how many of them came since something was acknowledged
	unanswered  int // requests without an answer
	unreached   int // requests that nobody listened to
	problems    []string
}

func newWorld(t *testing.T, r *receiver, apiKey string) *world {
	t.Helper()
	w := &world{partnerProgram: newPartnerProgram(apiKey), t: t, receiver: r, ibans: map[string]string{}}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.tell()
	})
	return w
}

// tell fails the test with what went wrong by the way, also when something else ended it early.
func (w *world) tell() {
	const enough = 20
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receiver.mu.Lock()
	defer w.receiver.mu.Unlock()
	tallies.change(w.t.Name(), func(t *tally) { t.violations += len(w.problems) + len(w.receiver.problems) })
	for i, p := range slices.Concat(w.problems, w.receiver.problems) {
		if i == enough {
			w.t.Error("and so on")
			break
		}
		w.t.Error(p)
	}
}

// populate makes active users with an amount each.
func (w *world) populate(base string, users int, cents int64) {
	w.t.Helper()
	var deposits []*operation
	for range users {
		for _, o := range w.inventUser() {
			w.must(base, o)
		}
		o := w.inventDeposit(w.users[len(w.users)-1], cents)
		w.must(base, o)
		deposits = append(deposits, o)
	}
	booked := w.receiver.await(settleLimit, func() bool {
		told := w.receiver.about()
		return !slices.ContainsFunc(deposits, func(o *operation) bool { return told[o.id] == nil })
	})
	if !booked {
		w.t.Fatal("the first deposits were not booked")
	}
}

// must settles an operation on a program with which nothing is wrong.
func (w *world) must(base string, o *operation) {
	w.t.Helper()
	if !w.attempt(w.t.Context(), base, o) || o.refused {
		w.t.Fatalf("%s did not succeed", o)
	}
}

func (w *world) invent(o *operation) *operation {
	w.change(func() {
		w.number++
		o.key = fmt.Sprintf("key-%d", w.number)
		w.operations = append(w.operations, o)
	})
	return o
}

// inventUser is a user who is created and then activated.
func (w *world) inventUser() []*operation {
	o := &operation{kind: create, path: "/v1/user/balances/crypto-and-fiat"}
	w.invent(o)
	o.destination = "user-" + o.key
	o.body = newUser(o.destination)
	return []*operation{o, w.invent(&operation{
		kind: activate, path: "/v1/sandbox/user/" + o.destination + "/activate", body: []byte("{}"), destination: o.destination,
	})}
}

// inventDeposit is a payment that arrives for a user.
func (w *world) inventDeposit(user string, cents int64) *operation {
	return w.invent(&operation{
		kind: deposit, path: "/v1/sandbox/sepa-deposit", destination: user, cents: cents,
		body: encode(map[string]any{
			"iban": w.ibans[user], "amount": euros(cents), "senderName": "Test User", "senderIban": "DE89370400440532013000",
		}),
	})
}

// inventTransfer moves an amount. References are texts that are easily damaged.
func (w *world) inventTransfer(source, destination string, cents int64) *operation {
	o := &operation{kind: transfer, path: "/v1/transfer", source: source, destination: destination, cents: cents}
	w.invent(o)
	o.reference = "اختبار 🧪 " + o.key
	body := map[string]any{"amount": euros(cents), "currency": "eur", "reference": o.reference}
	if source != "" {
		body["sourceExternalUserId"] = source
	}
	if destination != "" {
		body["destinationExternalUserId"] = destination
	}
	o.body = encode(body)
	return o
}

// inventAny is what the load consists of: mostly transfers, some of which ask for too much, sometimes a
// deposit or a new user.
func (w *world) inventAny(rng *rand.Rand) []*operation {
	w.mu.Lock()
	users := slices.Clone(w.users)
	w.mu.Unlock()
	one := users[rng.IntN(len(users))]
	switch draw := rng.IntN(100); {
	case draw < 4:
		return w.inventUser()
	case draw < 10:
		w.mu.Lock()
		known := w.ibans[one] != ""
		w.mu.Unlock()
		if known {
			return []*operation{w.inventDeposit(one, 1+rng.Int64N(500))}
		}
		fallthrough
	default:
		other := ""
		if at := rng.IntN(len(users) + 1); at < len(users) && users[at] != one {
			other = users[at]
		}
		if rng.IntN(2) == 0 {
			one, other = other, one
		}
		cents := 1 + rng.Int64N(300)
		if rng.IntN(20) == 0 {
			cents = 1_000_000
		}
		return []*operation{w.inventTransfer(one, other, cents)}
	}
}

// attempt asks for an operation once, and tells whether it is settled now.
func (w *world) attempt(ctx context.Context, base string, o *operation) bool {
	got, err := w.call(ctx, http.MethodPost, base+o.path, o.key, o.body)
	iban := ""
	if err == nil && got.status/100 == 2 && o.kind == activate {
		iban = w.findIBAN(ctx, base, o.destination)
	}
	w.change(func() {
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			w.unreached++ // so nothing has happened
		case err != nil:
			w.unanswered++
			o.unknown++
		case got.status/100 == 2:
			w.acknowledge(o, got, iban)
		case got.member("errorCode") == "P501":
			w.unavailable++
			w.streak++
			o.unknown++
			if got.status != http.StatusBadRequest || got.header.Get("Retry-After") == "" {
				w.complain("%s: answered %s without Retry-After", o, got)
			}
		case got.member("errorCode") == "P433" && o.kind == transfer:
			o.settled, o.refused = true, true
			w.refused++
		default:
			w.complain("%s: answered %s", o, got)
			o.settled, o.refused = true, true
		}
	})
	return o.settled
}

func (w *world) acknowledge(o *operation, got answer, iban string) {
	o.settled, o.answer = true, got.body
	o.replayed = got.header.Get("Idempotent-Replayed") == "true"
	w.settled++
	w.streak = 0
	switch o.kind {
	case transfer:
		o.id = got.member("transferId")
	case deposit:
		o.id = got.member("depositId")
	case activate:
		w.users = append(w.users, o.destination)
		w.ibans[o.destination] = iban
	}
}

// findIBAN asks where a user's deposits go; empty when there is no answer at the moment.
func (w *world) findIBAN(ctx context.Context, base, user string) string {
	got, err := w.call(ctx, http.MethodGet, base+"/v1/sepa-deposit/info/"+user, "", nil)
	if err != nil {
		return ""
	}
	return got.member("iban")
}

func (w *world) complain(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// load runs partner's programs that ask for one thing after another, each until it is settled, at one node
// after another. They run until stop is called, which lets them finish what they are at.
func (w *world) load(rng *rand.Rand, clients int, bases ...string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for i := range clients {
		own := rand.New(rand.NewPCG(rng.Uint64(), uint64(i)))
		group.Go(func() {
			for ctx.Err() == nil {
				for _, o := range w.inventAny(own) {
					w.carry(ctx, o, i, bases)
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		group.Wait()
	})
	w.t.Cleanup(stop)
	return stop
}

// carry asks for an operation until it is settled, or until the load ended meanwhile; then settle goes on.
func (w *world) carry(ctx context.Context, o *operation, first int, bases []string) {
	for i := first; ; i++ {
		if w.attempt(context.Background(), bases[i%len(bases)], o) || !pause(ctx, retryPause) {
			return
		}
	}
}

// settle repeats everything whose outcome is unknown, with the same keys, until there is nothing left.
func (w *world) settle(base string) {
	w.t.Helper()
	err := eventually(w.t, settleLimit, func() error {
		for _, o := range w.operations {
			if !o.settled && !w.attempt(w.t.Context(), base, o) {
				return fmt.Errorf("%s has no outcome after %d attempts", o, o.unknown)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// progress waits until so many more operations are settled.
func (w *world) progress(operations int) {
	w.t.Helper()
	w.mu.Lock()
	goal := w.settled + operations
	w.mu.Unlock()
	const limit = 4 * settleLimit // a long way on a busy machine
	if !w.await(limit, func() bool { return w.settled >= goal }) {
		w.t.Fatalf("the load came to a stand: %d of %d operations settled after %s", w.settled, goal, limit)
	}
}

// silence counts the requests that got no answer at all.
func (w *world) silence() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unanswered + w.unreached
}

// stall waits until nothing is acknowledged any more: every request is answered P501.
func (w *world) stall() {
	w.t.Helper()
	const enough = 100
	if !w.await(settleLimit, func() bool { return w.streak >= enough }) {
		w.t.Fatalf("after %s requests are not all answered P501", settleLimit)
	}
}

// Back by itself: what is promised, and what a loaded machine is allowed before the test fails.
const (
	backPromise = 5 * time.Second
	backLimit   = 8 * time.Second
)

// recovered measures how long after the end of a fault the node is ready and has taken a transfer that nobody
// asked for before.
func (w *world) recovered(fault string, ended time.Time, n *node) {
	w.t.Helper()
	o := w.inventTransfer(w.usersByName()[0], "", 1)
	err := eventually(w.t, backLimit, func() error {
		if err := n.ready(); err != nil {
			return err
		}
		if !w.attempt(w.t.Context(), n.url, o) {
			return errors.New("a transfer does not succeed")
		}
		return nil
	})
	took := time.Since(ended)
	w.fault(took)
	switch {
	case err != nil || took > backLimit: // an attempt that succeeds in the end can take longer than the limit
		w.t.Errorf("%s after %s the service is not back in time: %v", took.Round(time.Millisecond), fault, err)
	case took > backPromise:
		w.t.Logf("back %s after %s: more than the %s that are promised, if the machine is idle", took.Round(time.Millisecond), fault, backPromise)
	default:
		w.t.Logf("back %s after %s", took.Round(time.Millisecond), fault)
	}
}

// delivers measures how long after a fault the work behind the API goes on: until a deposit that arrives now is
// booked, which is a job, and told of by webhook. A receiver that refuses it delays that.
func (w *world) delivers(base, fault string, since time.Time) {
	w.t.Helper()
	o := w.inventDeposit(w.usersByName()[0], 1)
	w.must(base, o)
	arrived := w.receiver.await(arrivalLimit, func() bool { return w.receiver.about()[o.id] != nil })
	took := time.Since(since).Round(time.Millisecond)
	if !arrived {
		w.t.Errorf("%s after %s a deposit is not booked and told of", took, fault)
		return
	}
	w.t.Logf("a deposit is booked and told of %s after %s", took, fault)
}

// fault counts one, and how long it took to come back; 0: nobody measured.
func (w *world) fault(took time.Duration) {
	tallies.change(w.t.Name(), func(t *tally) {
		t.faults++
		if took > 0 {
			t.recoveries = append(t.recoveries, took)
		}
	})
}
