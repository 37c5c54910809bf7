package sepa

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/user"
)

// stories are decisions from the arrival to the end. They hold under every single fault.
var stories = map[string]func(k *desk){
	"released": func(k *desk) {
		k.frozen(time.Now())
		k.tell(10_00, "Testa Muster", k.iban)
		it := k.only()
		if it.Why != WaitsFrozen || it.Hindrance != WaitsFrozen || slices.Contains(it.Verdicts(), Release) {
			k.Errorf("the item is %+v", it)
		}
		k.refused(ErrNotPossible, Decision{Item: it.ID, Officer: "cleo", Verdict: Release})
		k.frozen(time.Time{})
		k.want(stands{Suspense: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})
		if it = k.say(it, "cleo", Release); it.State != string(Release) {
			k.Errorf("the item is %s", it.State)
		}
		k.refused(ErrItemDecided, Decision{Item: it.ID, Officer: "olga", Verdict: GiveBack})
		k.work()
		k.want(stands{Balance: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})
		if got := k.told(); !slices.Equal(got, []string{"iban-status", "iban-status", "sepa-deposit"}) {
			k.Errorf("the partner was told %q", got)
		}
	},
	"returned": func(k *desk) {
		k.verified(user.Expired)
		k.tell(10_00, "Testa Muster", k.iban)
		k.say(k.only(), "cleo", GiveBack)
		k.work()
		k.want(stands{Suspense: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})
		k.sentBack(false)
		k.want(stands{})
		if got := k.told(); !slices.Equal(got, []string{"iban-status", "iban-status"}) || len(k.returned) != 1 {
			k.Errorf("the partner was told %q, and the bank %v", got, k.returned)
		}
	},
	"returned again": func(k *desk) {
		k.tell(10_00, "Teste Mister", k.iban)
		it := k.only()
		if it.Why != WaitsName || it.Score < 600 || it.Score >= 900 {
			k.Fatalf("the item is %+v", it)
		}
		it = k.say(it, "cleo", GiveBack)
		k.work()
		k.sentBack(true)
		k.want(stands{Suspense: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})
		if again := k.only(); again.Why != WaitsRefused || again.Proposed {
			k.Errorf("what the bank would not send back is %+v", again)
		}
		it = k.say(it, "cleo", GiveBack)
		k.work()
		k.sentBack(false)
		k.want(stands{})
		if len(k.returned) != 2 || it.Decisions[1].Round != 1 {
			k.Errorf("the bank was told %v, decided was %+v", k.returned, it.Decisions)
		}
	},
	"assigned": func(k *desk) {
		k.tell(10_00, "Testa Muster", "")
		it := k.only()
		if it.Kind != ItemCredit || it.Name != "Testa Muster" || it.IBAN != "DE89370400440532013000" || it.Reference != "B1" {
			k.Errorf("the item is %+v", it)
		}
		k.want(stands{OwnBank: 10_00, OwnSuspense: 10_00})
		k.say(it, "cleo", Assign, Target{Partner: 1, User: "user"})
		k.work()
		k.want(stands{Balance: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})
		if got := k.told(); !slices.Equal(got, []string{"iban-status", "iban-status", "sepa-deposit"}) {
			k.Errorf("the partner was told %q", got)
		}
	},
	"nobody's returned": func(k *desk) {
		k.tell(10_00, "Testa Muster", "")
		it := k.say(k.only(), "cleo", GiveBack)
		k.work()
		k.sentBack(true)
		it = k.say(it, "olga", GiveBack)
		k.work()
		k.want(stands{OwnBank: 10_00, OwnSuspense: 10_00})
		o := k.sentBack(false)
		k.want(stands{})
		if len(k.returned) != 2 || o.Debtor.IBAN != "DE89370400440532013000" || o.Reference != "B1" || it.State != string(GiveBack) {
			k.Errorf("the bank was told %+v", k.returned)
		}
	},
	"assigned after the bank refused": func(k *desk) {
		k.tell(10_00, "Sample Payer", "")
		it := k.say(k.only(), "cleo", GiveBack)
		k.work()
		k.sentBack(true)
		k.say(it, "olga", Assign, Target{Partner: 1, User: "user"})
		k.work()
		k.want(stands{Suspense: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})
		k.sentBack(true) // now as what somebody else paid to the user
		d := k.only()
		if d.Kind != ItemDeposit || d.Why != WaitsRefused {
			k.Errorf("what the bank would not send back is %+v", d)
		}
		k.say(d, "cleo", GiveBack)
		k.work()
		k.sentBack(false)
		k.want(stands{})
		if got := k.told(); !slices.Equal(got, []string{"iban-status", "iban-status"}) || len(k.returned) != 3 {
			k.Errorf("the partner was told %q, and the bank %v", got, k.returned)
		}
	},
	"closed": func(k *desk) {
		k.tell(-3_00, "", "")
		it := k.only()
		k.want(stands{OwnBank: -3_00, OwnSuspense: -3_00})
		if it = k.say(it, "cleo", Close); it.State != ItemWaiting || !it.Proposed {
			k.Errorf("one person closed a debit: %+v", it)
		}
		k.refused(compliance.ErrSameOfficer, Decision{Item: it.ID, Officer: " Cleo ", Verdict: Close})
		if it = k.say(it, "olga", Close); it.State != string(Close) || it.Decisions[1].ProposedBy != "cleo" {
			k.Errorf("the item is %+v", it)
		}
		k.want(stands{OwnBank: -3_00, Equity: -3_00})
	},
	"resumed": func(k *desk) {
		k.verified(user.Expired)
		k.tell(10_00, "Testa Muster", k.iban)
		k.tell(20_00, "Teste Mister", k.iban)
		k.verified(user.Verified)
		k.again(func() error {
			return k.db.Update(k.Context(), func(tx *db.Tx) error { return k.sepa.Resume(tx, k.user) })
		})
		k.work()
		k.want(stands{Balance: 10_00, Suspense: 20_00, Clearing: -30_00, OwnBank: 30_00, OwnClear: 30_00})
		if it := k.only(); it.Why != WaitsName || it.Hindrance != "" {
			k.Errorf("what still waits is %+v", it)
		}
	},
}

func TestDecisionsHoldAcrossCrashes(t *testing.T) {
	t.Parallel()
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &crash{}
			story(newDesk(t, dbtest.Target(t, db.SQLite), f))
			commits := f.commits.Load()
			if commits < 3 {
				t.Fatalf("only %d commits", commits)
			}
			story(newDesk(t, dbtest.Target(t, db.Postgres), &crash{}))
			story(newDesk(t, dbtest.Target(t, db.Postgres), &crash{at: commits/2 + 1, failure: db.Lose}))
			failures := []db.Failure{db.Lose}
			if !testing.Short() {
				failures = append(failures, db.Refuse)
			}
			for at := int64(1); at <= commits; at++ {
				for _, failure := range failures {
					story(newDesk(t, dbtest.Target(t, db.SQLite), &crash{at: at, failure: failure}))
				}
			}
		})
	}
}

// Of officers who decide at the same moment one is first; nothing of the others is stored.
func TestOfficersAtOnceDecideOnce(t *testing.T) {
	t.Parallel()
	eachDesk(t, func(k *desk) {
		k.tell(10_00, "Teste Mister", k.iban)
		k.tell(10_00, "Testa Muster", "")
		for _, it := range k.waiting() {
			verdicts := it.Verdicts()
			var wg sync.WaitGroup
			var mu sync.Mutex
			var first []compliance.Verdict
			for i := range 8 {
				wg.Go(func() {
					v := verdicts[i%len(verdicts)]
					d := Decision{Item: it.ID, Officer: fmt.Sprint("officer ", i), Verdict: v, Reason: "Test reason", To: Target{Partner: 1, User: "user"}}
					_, err := k.sepa.Decide(k.Context(), d)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						first = append(first, v)
					} else if !errors.Is(err, ErrItemDecided) {
						k.Errorf("a later officer is told %v", err)
					}
				})
			}
			wg.Wait()
			k.work()
			k.view(func(r db.Reader) error {
				now, err := k.sepa.FindItem(r, it.ID)
				if len(first) != 1 || len(now.Decisions) != 1 || now.State != string(first[0]) {
					k.Errorf("%s: %v were first, stored is %+v", it.Kind, first, now.Decisions)
				}
				return err
			})
		}
		if len(k.waiting()) > 0 {
			k.Error("something decided still waits")
		}
	})
}

func TestFourEyesOnSuspense(t *testing.T) {
	t.Parallel()
	eachDesk(t, func(k *desk) {
		k.fourEyes = true
		k.tell(10_00, "Teste Mister", k.iban)
		it := k.only()
		it = k.say(it, "cleo", Release)
		k.refused(compliance.ErrSameOfficer, Decision{Item: it.ID, Officer: "CLEO", Verdict: Release})
		if got := k.only(); !got.Proposed {
			k.Errorf("the queue does not show the proposal: %+v", got)
		}
		it = k.say(it, "olga", GiveBack) // takes its place
		k.want(stands{Suspense: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})
		it = k.say(it, "cleo", Release)
		if it = k.say(it, "olga", Release); it.State != string(Release) || it.Decisions[3].ProposedBy != "cleo" {
			k.Errorf("the item is %+v", it)
		}
		k.want(stands{Balance: 10_00, Clearing: -10_00, OwnBank: 10_00, OwnClear: 10_00})

		k.tell(20_00, "Testa Muster", "")
		it = k.say(k.only(), "cleo", Assign, Target{Partner: 1, User: "user"})
		it = k.say(it, "olga", Assign, Target{Partner: 1}) // to another owner: another decision
		if it.State != ItemWaiting {
			k.Error("two officers who meant different owners assigned a payment")
		}
		k.say(it, "cleo", Assign, Target{Partner: 1})
		k.work()
		k.view(func(r db.Reader) error {
			d, err := k.sepa.ListItems(r, ItemFilter{Decided: true, Limit: 10})
			if len(d) != 2 || d[0].State != string(Assign) || d[1].State != string(Release) {
				k.Errorf("decided were %+v", d)
			}
			return err
		})
	})
}

func TestWhatCannotBeDecided(t *testing.T) {
	t.Parallel()
	eachDesk(t, func(k *desk) {
		k.tell(10_00, "Teste Mister", k.iban)
		deposit := k.only()
		k.tell(10_00, "Testa Muster", "")
		k.tell(-10_00, "Testa Muster", "")
		all := k.waiting()
		credit, debit := all[1], all[2]
		for _, c := range []struct {
			want error
			d    Decision
		}{
			{ErrNoItem, Decision{Item: clock.NewID(), Officer: "cleo", Verdict: Release}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "cleo", Verdict: Assign, To: Target{Partner: 1}}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "cleo", Verdict: Close}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "cleo"}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "cleo", Verdict: "OK"}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "", Verdict: Release}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "System", Verdict: Release}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "cleo", Verdict: Release, Reason: " \n"}},
			{compliance.ErrBadDecision, Decision{Item: deposit.ID, Officer: "cleo", Verdict: Release, Reason: strings.Repeat("x", 2001)}},
			{compliance.ErrBadDecision, Decision{Item: credit.ID, Officer: "cleo", Verdict: Release}},
			{compliance.ErrBadDecision, Decision{Item: credit.ID, Officer: "cleo", Verdict: Assign}},
			{ErrNotPossible, Decision{Item: credit.ID, Officer: "cleo", Verdict: Assign, To: Target{Partner: 7}}},
			{ErrNotPossible, Decision{Item: credit.ID, Officer: "cleo", Verdict: Assign, To: Target{Partner: 1, User: "nobody"}}},
			{compliance.ErrBadDecision, Decision{Item: debit.ID, Officer: "cleo", Verdict: GiveBack}},
			{compliance.ErrBadDecision, Decision{Item: debit.ID, Officer: "cleo", Verdict: Assign, To: Target{Partner: 1}}},
		} {
			k.refused(c.want, c.d)
		}
		if len(k.waiting()) != 3 || len(k.returned) > 0 {
			k.Error("a refused decision changed something")
		}
		var page []Item
		k.view(func(r db.Reader) (err error) {
			page, err = k.sepa.ListItems(r, ItemFilter{After: &all[0], Limit: 1})
			return err
		})
		if len(page) != 1 || page[0].ID != credit.ID {
			k.Errorf("behind the first item is %+v", page)
		}
	})
}

// What came while the owner was frozen, and what officers have begun to decide, does not go on by itself.
func TestResumeLeavesWhatIsForAPerson(t *testing.T) {
	t.Parallel()
	eachDesk(t, func(k *desk) {
		k.frozen(time.Now())
		k.tell(10_00, "Testa Muster", k.iban)
		k.frozen(time.Time{})
		k.verified(user.Expired)
		k.fourEyes = true
		k.tell(20_00, "Testa Muster", k.iban)
		k.tell(30_00, "Testa Muster", k.iban)
		for _, it := range k.waiting() {
			if it.Amount.Units() == 20_00 {
				k.say(it, "cleo", GiveBack)
			}
		}
		resume := func() {
			k.update(func(tx *db.Tx) error { return k.sepa.Resume(tx, k.user) })
			k.work()
		}
		resume() // still expired
		k.want(stands{Suspense: 60_00, Clearing: -60_00, OwnBank: 60_00, OwnClear: 60_00})
		k.verified(user.Verified)
		resume()
		resume()
		k.want(stands{Balance: 30_00, Suspense: 30_00, Clearing: -60_00, OwnBank: 60_00, OwnClear: 60_00})
	})
}

func TestVerifyNamesADecisionThatWasNotFollowed(t *testing.T) {
	t.Parallel()
	eachDesk(t, func(k *desk) {
		k.tell(10_00, "Teste Mister", k.iban)
		k.tell(10_00, "Testa Muster", "")
		for _, it := range k.waiting() {
			k.update(func(tx *db.Tx) error {
				return k.sepa.record(tx, &it, compliance.Decided{
					Number: 1, Verdict: it.Verdicts()[0], Officer: "cleo", Reason: "Test reason", At: time.Now(), Final: true,
				}, owned{})
			})
		}
		k.view(func(r db.Reader) error {
			found, err := Verify(k.Context(), r)
			if len(found) != 2 || !strings.Contains(strings.Join(found, " "), "is not what was done") {
				k.Errorf("verify names %q", found)
			}
			return err
		})
	})
}
