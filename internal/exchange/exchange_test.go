package exchange_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/ledger"
	"kontor/internal/money"
)

func TestExchangePostsEachPart(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.terms.Markup = w.share("0.51")
		w.fund("user", money.New(2_000_000_001, eth))
		x, err := w.try("user", money.New(1_000_000_001, eth), usdc, w.lock("user").ID)
		if err != nil {
			t.Fatal(err)
		}
		// 10.00000001 ETH less 2 % at 2000, by 0.8.
		for _, c := range []struct {
			what string
			got  money.Amount
			want int64
		}{
			{"received", x.To, 24_500_000_024},
			{"fee", x.Fee, 20_000_000},
			{"mark-up", x.Markup, 5_100_000},
			{"the user's ETH", w.on("user", ledger.Balance, eth), 1_000_000_000},
			{"the user's USDC", w.on("user", ledger.Balance, usdc), 24_500_000_024},
			{"the partner's ETH", w.on("", ledger.Balance, eth), 5_100_000},
			{"the platform's fees", w.on("", ledger.Fees, eth), 14_900_000},
			{"liquidity in ETH", w.on("", ledger.Liquidity, eth), 980_000_001},
			{"liquidity in USDC", w.on("", ledger.Liquidity, usdc), -24_500_000_024},
		} {
			if c.got.Units() != c.want {
				t.Errorf("%s: got %d, want %d", c.what, c.got.Units(), c.want)
			}
		}
		// 9.80000001 ETH are worth 19600.00002; 24500.000024 USDC are worth 19600.0000192.
		if x.Gain != 80 {
			t.Errorf("gain: got %d, want 80", x.Gain)
		}
	})
}

func TestPositionsTellWhatIsOpenAndEarned(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("", money.New(200_00, eur))
		if _, err := w.try("", money.New(100_00, eur), btc, w.lock("").ID); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Second)
		later := w.clock.Now()
		for since, exchanges := range map[time.Time]int64{{}: 1, later: 0} {
			var got []exchange.Position
			err := w.DB.Snapshot(t.Context(), func(r db.Reader) (err error) {
				got, err = w.Positions(r, since)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			e, b := got[0], got[1]
			if e.Open.Units() != 98_51 || e.Owed.Units() != 100_00 || e.Exchanges != exchanges || e.Fees.Units() != 149*exchanges {
				t.Errorf("eur: %+v", e)
			}
			if b.Open.Units() != -197_020 || b.Owed.Units() != 197_020 || b.Exchanges != 0 || len(got) != 8 {
				t.Errorf("btc: %+v of %d", b, len(got))
			}
		}
	})
}

func TestMarkupRepaysThePartnersDebt(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.terms.Markup = w.share("1")
		w.fund("user", money.New(1_000_000_000, eth))
		w.update(func(tx *db.Tx) error {
			fees, err := ledger.FindAccount(tx, w.partner, ledger.PartnerItself, ledger.Fees, eth)
			if err != nil {
				return err
			}
			return ledger.Collect(tx, w.partner, ledger.Operation{Type: "TEST", ID: clock.NewID()}, w.clock.Now(),
				ledger.PartnerItself, "fee", fees, money.New(4_000_000, eth))
		})
		if _, err := w.try("user", money.New(1_000_000_000, eth), usdc, w.lock("user").ID); err != nil {
			t.Fatal(err)
		}
		if own, owed := w.on("", ledger.Balance, eth), w.on("", ledger.Receivable, eth); own.Units() != 6_000_000 || !owed.IsZero() {
			t.Errorf("the partner has %s and owes %s", own, owed)
		}
	})
}

func TestLockEndsAfterItsLastMicrosecond(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("", money.New(100_00, eur))
		last, over := w.lock(""), w.lock("")
		if last.ValidUntil.Sub(last.CreatedAt) != 40*time.Second {
			t.Errorf("a lock is valid for %s", last.ValidUntil.Sub(last.CreatedAt))
		}
		w.clock.Set(last.ValidUntil)
		if _, err := w.try("", money.New(1_00, eur), btc, last.ID); err != nil {
			t.Errorf("at the last moment: %v", err)
		}
		w.clock.Advance(time.Microsecond)
		_, err := w.try("", money.New(1_00, eur), btc, over.ID)
		w.want("a microsecond later", err, fault.InvalidLock)
		if n, err := w.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("a sweep removed %d young offers: %v", n, err)
		}
		w.clock.Advance(time.Hour)
		if n, err := w.Sweep(t.Context()); n != 1 || err != nil {
			t.Errorf("a sweep removed %d offers, want the one of both locks: %v", n, err)
		}
		_, err = w.try("", money.New(1_00, eur), btc, last.ID)
		w.want("after the sweep", err, fault.InvalidLock)
	})
}

func TestLockKeepsItsTerms(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("", money.New(100_00, eur))
		l := w.lock("")
		w.market["btc"] = w.rate("60000")
		w.terms.Fee, w.terms.Max = w.share("5"), nil
		x, err := w.try("", money.New(100_00, eur), btc, l.ID)
		if err != nil {
			t.Fatal(err)
		}
		if x.RateTo.String() != "50000" || x.FeePercent.String() != "1.49" || x.To.Units() != 197_020 {
			t.Errorf("exchanged at %s with %s %% for %s", x.RateTo, x.FeePercent, x.To)
		}
	})
}

func TestGuardRefusesALockThatTheMarketHasLeft(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.serve(w.Catalog, w.share("1"))
		w.fund("", money.New(100_00, eur))
		l := w.lock("")
		w.market["btc"] = w.rate("50505.06") // one euro buys more than one per cent less
		_, err := w.try("", money.New(1_00, eur), btc, l.ID)
		w.want("against the platform", err, fault.InvalidLock)
		w.market["btc"] = w.rate("50505.05")
		if _, err := w.try("", money.New(1_00, eur), btc, l.ID); err != nil {
			t.Errorf("by one per cent: %v", err)
		}
		l = w.lock("")
		w.market["btc"] = w.rate("40000")
		if _, err := w.try("", money.New(1_00, eur), btc, l.ID); err != nil {
			t.Errorf("in the platform's favour: %v", err)
		}
		l = w.lock("")
		delete(w.market, "eth")
		if _, err := w.try("", money.New(1_00, eur), btc, l.ID); err != nil {
			t.Errorf("while another market is away: %v", err)
		}
		_, err = w.Lock(t.Context(), w.partner, "", w.terms)
		w.want("a lock while a market is away", err, fault.ServiceUnavailable)
	})
}

func TestGuardNeedsAPrice(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.serve(w.Catalog, w.share("1"))
		w.fund("", money.New(100_00, eur))
		l := w.lock("")
		delete(w.market, "btc")
		_, err := w.try("", money.New(1_00, eur), btc, l.ID)
		w.want("while the market is away", err, fault.ServiceUnavailable)
	})
}

func TestSpreadIsInsideTheRates(t *testing.T) {
	t.Parallel()
	cat := catalogWith(t, map[string]string{"91250.40": `"spreadPercent": "1"`, "3120.55": `"spreadPercent": "-0.5"`})
	each(t, func(w *world) {
		w.serve(cat, money.Percent{})
		w.fund("", money.New(200_00, eur))
		l := w.lock("")
		if l.Rates["btc"].String() != "50500" || l.Rates["eth"].String() != "1990" || l.Rates["ltc"].String() != "70" || l.Rates["eur"].String() != "1" {
			t.Errorf("quoted %v", l.Rates)
		}
		x, err := w.try("", money.New(100_00, eur), btc, l.ID)
		if err != nil {
			t.Fatal(err)
		}
		// 98.51 EUR were kept, and 0.00195069 BTC, worth 97.5345 EUR at the market, were paid.
		if x.To.Units() != 195_069 || x.Gain != 97_550_000 {
			t.Errorf("received %s, gain %d", x.To, x.Gain)
		}
		if got := w.Rates(nil)["btc"].String(); got != "50500" {
			t.Errorf("balances show %s", got)
		}
	})
}

func TestLocksPerMinuteAreCountedByTheMachinesTime(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.terms.LocksPerMinute = 3
		for range 3 {
			w.lock("user")
		}
		_, err := w.Lock(t.Context(), w.partner, "user", w.terms)
		w.want("the fourth", err, fault.TooManyRequests)
		if wait := fault.From(err).RetryAfter; wait <= 0 || wait > time.Minute {
			t.Errorf("to be tried again after %s", wait)
		}
		w.lock("") // another owner
		w.clock.Advance(time.Hour)
		_, err = w.Lock(t.Context(), w.partner, "user", w.terms)
		w.want("when the sandbox's clock was moved", err, fault.TooManyRequests)
		w.SetNow(func() time.Time { return time.Now().Add(61 * time.Second) })
		w.lock("user")
	})
}

func TestOneLockIsUsedOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.fund("user", money.New(64_000_000, eth))
		l := w.lock("user")
		const clients = 64
		failures := make([]error, clients)
		begin := make(chan struct{})
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				<-begin
				_, failures[i] = w.try("user", money.New(1_000_000, eth), usdc, l.ID)
			})
		}
		close(begin)
		all.Wait()
		made := 0
		for _, err := range failures {
			if err == nil {
				made++
			} else {
				w.want("the others", err, fault.InvalidLock)
			}
		}
		if left := w.on("user", ledger.Balance, eth); made != 1 || left.Units() != 63_000_000 {
			t.Errorf("%d exchanges were made, and %s ETH are left", made, left)
		}
	})
}

// Whatever the rates, the amount and the pair: what is received is the greatest amount that is not worth more than
// what was paid less the fee; the platform loses nothing; and the books balance.
func TestValueNeverAppearsFromNowhere(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		currencies := []money.Currency{eur, btc, eth, usdc}
		for _, c := range currencies {
			w.fund("", money.New(1_000_000_000_000_000, c))
			if c != eur {
				w.fund("user", money.New(1_000_000_000_000_000, c))
			}
		}
		rapid.Check(t, func(rt *rapid.T) {
			for _, c := range currencies[1:] {
				w.market[c.Code] = w.rate(fmt.Sprintf("%d.%08d", rapid.IntRange(0, 200_000).Draw(rt, c.Code), rapid.IntRange(1, 99_999_999).Draw(rt, c.Code+" fraction")))
			}
			w.terms.Fee = w.share(money.New(rapid.Int64Range(0, 500_000).Draw(rt, "fee"), money.Currency{Scale: 4}).Number())
			w.terms.Markup = w.share(money.New(rapid.Int64Range(0, 400_000).Draw(rt, "mark-up"), money.Currency{Scale: 4}).Number())
			w.terms.Max = map[string]money.Amount{}
			who, among := "", currencies
			if rapid.Bool().Draw(rt, "of a user") {
				who, among = "user", currencies[1:]
			}
			from := rapid.SampledFrom(among).Draw(rt, "from")
			to := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(among), func(c money.Currency) bool { return c == from })).Draw(rt, "to")
			amount := money.New(rapid.OneOf(rapid.Int64Range(1, 1000), rapid.Int64Range(1, 1_000_000_000)).Draw(rt, "amount"), from)
			w.terms.Max[from.Code] = amount
			hadFrom, hadTo := w.on(who, ledger.Balance, from), w.on(who, ledger.Balance, to)
			x, err := w.try(who, amount, to, w.lock(who).ID)
			if err != nil {
				if fault.From(err).Code != fault.AmountOutOfRange {
					rt.Fatal(err)
				}
				return // it would have brought nothing
			}
			checkValue(rt, x)
			gave, got := hadFrom.Units()-w.on(who, ledger.Balance, from).Units(), w.on(who, ledger.Balance, to).Units()-hadTo.Units()
			if gave != amount.Units() || got != x.To.Units() {
				rt.Fatalf("took %d of %d, and credited %d of %d", gave, amount.Units(), got, x.To.Units())
			}
		})
	})
}

// checkValue holds an exchange against fractions.
func checkValue(t *rapid.T, x exchange.Exchange) {
	exact := func(a money.Amount) *big.Rat {
		return new(big.Rat).SetFrac(big.NewInt(a.Units()), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(a.Currency().Scale)), nil))
	}
	whole := big.NewRat(1, 1)
	kept := new(big.Rat).Mul(exact(x.From), new(big.Rat).Sub(whole, x.FeePercent.Rat()))
	ideal := new(big.Rat).Quo(kept.Mul(kept, x.RateFrom.Rat()), x.RateTo.Rat())
	got, unit := exact(x.To), exact(money.New(1, x.To.Currency()))
	if got.Cmp(ideal) > 0 || new(big.Rat).Add(got, unit).Cmp(ideal) <= 0 {
		t.Fatalf("received %s of %s", x.To, ideal)
	}
	paid := new(big.Rat).Mul(new(big.Rat).Sub(exact(x.From), exact(x.Fee)), x.RateFrom.Rat())
	if new(big.Rat).Mul(got, x.RateTo.Rat()).Cmp(paid) > 0 || x.Gain < 0 {
		t.Fatalf("liquidity took %s EUR and paid more; gain %d", paid, x.Gain)
	}
	if x.Markup.Cmp(x.Fee) > 0 || x.Fee.Cmp(x.From) >= 0 {
		t.Fatalf("of %s a fee of %s with a mark-up of %s", x.From, x.Fee, x.Markup)
	}
}

func TestVerifyNamesWhatDoesNotAgree(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.broken = true
		w.fund("", money.New(100_00, eur))
		x, err := w.try("", money.New(10_00, eur), btc, w.lock("").ID)
		if err != nil {
			t.Fatal(err)
		}
		w.named("I4", "", 0)
		stray := clock.NewID()
		w.update(func(tx *db.Tx) error {
			equity, err := ledger.FindAccount(tx, w.partner, ledger.PartnerItself, ledger.Equity, eur)
			if err != nil {
				return err
			}
			own, err := ledger.FindCustomer(tx, w.partner, ledger.PartnerItself, eur)
			if err != nil {
				return err
			}
			leg := ledger.Leg{Name: "more", Debit: equity, Credit: own.Balance, Amount: money.New(1, eur)}
			ledger.Post(tx, w.partner, ledger.Operation{Type: exchange.OperationType, ID: x.ID}, w.clock.Now(), leg)
			ledger.Post(tx, w.partner, ledger.Operation{Type: exchange.OperationType, ID: stray}, w.clock.Now(), leg)
			return nil
		})
		w.named("I4", x.ID.String(), 1)
		w.named("I4", stray.String(), 1)
	})
}

// named counts the violations of an invariant that name something.
func (w *world) named(invariant, what string, want int) {
	w.Helper()
	if found := w.naming(invariant, what); len(found) != want {
		w.Errorf("%d violations of %s name %q, want %d: %v", len(found), invariant, what, want, found)
	}
}

// naming answers the violations of an invariant that name something.
func (w *world) naming(invariant, what string) (found []string) {
	w.Helper()
	violations, err := app.Verify(w.Context(), w.DB)
	if err != nil {
		w.Fatal(err)
	}
	for _, v := range violations {
		if strings.HasPrefix(v, invariant+": ") && strings.Contains(v, what) {
			found = append(found, v)
		}
	}
	return found
}
