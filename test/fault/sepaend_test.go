//go:build linux

package fault

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kontor/internal/db"
)

// told is what a partner was told of transfers and deposits.
type told struct {
	ends   map[string][]string // of a transfer or a deposit, in order
	checks map[string]int      // of senders, by how they stand
	user   map[string]int      // the same by user
}

// tellings reads the webhooks that were accepted.
func (x *exchanged) tellings() told {
	all := told{ends: map[string][]string{}, checks: map[string]int{}, user: map[string]int{}}
	events := slices.SortedFunc(valuesOf(x.receiver.events), func(a, b *event) int { return cmp.Compare(a.sequence, b.sequence) })
	for _, e := range events {
		var b struct {
			ID, ExternalUserID, Status, ReturnedAmount string
			Error                                      struct{ Status string }
		}
		if e.accepted == 0 || json.Unmarshal([]byte(e.body), &b) != nil {
			continue
		}
		switch e.kind {
		case "iban-status":
			all.checks[b.Status]++
			all.user[b.ExternalUserID]++
		case "user-sepa-transfer", "sepa-deposit":
			all.ends[b.ID] = append(all.ends[b.ID], strings.Join(strings.Fields(fmt.Sprint(b.Status, " ", b.Error.Status, " ", b.ReturnedAmount)), " "))
		}
	}
	return all
}

func valuesOf(events map[string]*event) func(yield func(*event) bool) {
	return func(yield func(*event) bool) {
		for _, e := range events {
			if !yield(e) {
				return
			}
		}
	}
}

// expected is what the partner must be told by now: nothing else, and nothing twice.
func (x *exchanged) expected() told {
	all := told{ends: map[string][]string{}, checks: map[string]int{}, user: map[string]int{}}
	for _, o := range x.done(send) {
		if ends := o.ends(); ends != nil {
			all.ends[o.transferID()] = ends
		}
	}
	for _, p := range x.paid {
		all.checks["PENDING"]++
		all.user[p.user] += 2
		if p.approved {
			all.checks["APPROVED"]++
			all.ends[p.id] = []string{"SUCCESSFUL"}
		} else {
			all.checks["REJECTED"]++
		}
	}
	return all
}

func (a told) String() string { return fmt.Sprint(a.ends, a.checks, a.user) }

// differences names what two of them do not have in common.
func (a told) differences(b told) (all []string) {
	for id, ends := range a.ends {
		if !slices.Equal(ends, b.ends[id]) {
			all = append(all, fmt.Sprintf("of %s was told %q, want %q", id, b.ends[id], ends))
		}
	}
	for id, ends := range b.ends {
		if a.ends[id] == nil {
			all = append(all, fmt.Sprintf("of %s was told %q, want nothing", id, ends))
		}
	}
	if c, d := fmt.Sprint(a.checks, a.user), fmt.Sprint(b.checks, b.user); c != d {
		all = append(all, fmt.Sprintf("of senders' checks was told %s, want %s", d, c))
	}
	return all
}

// awaitTold waits until the partner was told of every end, and wants nothing else to have been told.
func (x *exchanged) awaitTold(when string) {
	x.t.Helper()
	want := x.expected()
	x.receiver.await(arrivalLimit, func() bool { return len(want.differences(x.tellings())) == 0 })
	x.receiver.mu.Lock()
	defer x.receiver.mu.Unlock()
	for i, d := range want.differences(x.tellings()) {
		if i == 10 {
			x.t.Error("and so on")
			break
		}
		x.t.Errorf("%s: %s", when, d)
	}
}

// checkExchange holds everything that was told, sent and booked against the model.
func (x *exchanged) checkExchange() {
	x.t.Helper()
	x.awaitTold("at the end")
	x.checkBank()
	x.checkStatement()
	x.awaitTold("after all") // nothing was told twice meanwhile
	for _, user := range x.usersByName() {
		got, err := x.balance(x.kontor.url, user)
		if err != nil || got != euros(x.available(user)) {
			x.t.Errorf("the balance of %q is %s, %v; by the model it is %s", user, got, err, euros(x.available(user)))
		}
	}
}

// TestExchangeOverFolders goes through what can become of payments, by the API and the commands of both sides.
func TestExchangeOverFolders(t *testing.T) {
	t.Parallel()
	eachEngine(t, 1, func(t *testing.T, engine db.Engine) {
		x := startExchange(t, engine, 2, 50_00)
		for i, title := range []string{"Rent", "SANDBOX-REJECT-AC04", "SANDBOX-REJECT-MS03", "SANDBOX-RETURN-MD07", "SANDBOX-RETURN-AC06-25", "SANDBOX-HANG"} {
			x.must(x.kontor.url, x.inventPayment(x.users[i%2], 100+int64(i), title))
		}
		x.arrive(x.users[0], 12_34, false)
		x.depositByCommand(x.users[1])
		x.checkExchange()
		for command, want := range map[string]string{
			"verify --data X": "hold", "reconcile bank --data X": " 0.00\n", "suspense list --data X": "",
		} {
			out, err := tool(t, x.env, strings.Fields(strings.ReplaceAll(command, "X", x.kontor.args[2]))...)
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("kontor %s: %v\n%s", command, err, out)
			}
		}
		if out, err := tool(t, x.env, "reconcile", "statement", "--data", x.kontor.args[2]); err == nil || !strings.Contains(err.Error(), "sandbox-bank statement") {
			t.Errorf("a bank that is not this one makes a statement: %s, %v", out, err)
		}
		out, err := tool(t, nil, "sandbox-bank", "list", "--data", x.bankData, "--json")
		var shown struct {
			Balance string
			Entries []struct{ Amount, Title string }
		}
		if err == nil {
			err = json.Unmarshal(out, &shown)
		}
		// Deposits: three came, and one of them went back. Transfers: three left, and two of them came back.
		if err != nil || shown.Balance != euros(x.atBank()) || len(shown.Entries) != 4+1+3+2 {
			t.Errorf("the bank lists %s (%v), want %s", out, err, euros(x.atBank()))
		}
	})
}

// depositByCommand lets a payment arrive by the command.
func (x *exchanged) depositByCommand(user string) {
	x.t.Helper()
	out, err := tool(x.t, nil, "sandbox-bank", "deposit", "--data", x.bankData, "--iban", x.ibans[user], "--amount", "7.50",
		"--sender-name", "Test User", "--sender-iban", string(own), "--json")
	var made struct{ DepositID string }
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.paid = append(x.paid, paid{made.DepositID, user, 7_50, true})
}
