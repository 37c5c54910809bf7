package exchange_test

import (
	"strings"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/money"
)

var forge = db.NewInsert("exchange", `partner_id bigint, id uuid, owner_id uuid, lock_id uuid, currency_from text,
	amount_from bigint, currency_to text, amount_to bigint, rate_from text, rate_to text, fee_percent text, fee bigint,
	markup_percent text, markup bigint, gain bigint, reference text, metadata text, created_at bigint`)

// row is what stands in the books of an exchange, for a test to change.
type row struct {
	from, to              string
	amount, received      int64
	rateFrom, rateTo      string
	feeShare, markupShare string
	fee, markup           int64
}

// forged writes an exchange as its row says, right or wrong, and nothing beside it.
func (w *world) forged(r row) clock.ID {
	w.Helper()
	id := clock.NewID()
	w.update(func(tx *db.Tx) error {
		tx.Write(forge, w.partner, id, clock.NewID(), clock.NewID(), r.from, r.amount, r.to, r.received, r.rateFrom, r.rateTo,
			r.feeShare, r.fee, r.markupShare, r.markup, 0, "", "{}", w.clock.Now())
		return nil
	})
	return id
}

func TestVerifyRecomputesEachExchange(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.broken = true
		w.terms.Markup = w.share("0.51")
		w.fund("user", money.New(2_000_000_001, eth))
		x, err := w.try("user", money.New(1_000_000_001, eth), usdc, w.lock("user").ID)
		if err != nil {
			t.Fatal(err)
		}
		right := row{
			from: "eth", to: "usdc", amount: x.From.Units(), received: x.To.Units(), rateFrom: "2000", rateTo: "0.8",
			feeShare: "2", markupShare: "0.51", fee: x.Fee.Units(), markup: x.Markup.Units(),
		}
		fine, forged := w.forged(right), map[string]clock.ID{}
		for what, change := range map[string]func(r *row){
			"a unit too much":      func(r *row) { r.received++ },
			"a unit too little":    func(r *row) { r.received-- },
			"a fee too low":        func(r *row) { r.fee-- },
			"a mark-up too high":   func(r *row) { r.markup++ },
			"an amount changed":    func(r *row) { r.amount += 100_000 },
			"a rate changed":       func(r *row) { r.rateTo = "0.80000001" },
			"a share changed":      func(r *row) { r.feeShare = "2.0001" },
			"more than the fee":    func(r *row) { r.markupShare = "2.0001" },
			"no rate":              func(r *row) { r.rateFrom = "0" },
			"an unknown currency":  func(r *row) { r.to = "xyz" },
			"other decimals count": func(r *row) { r.to = "btc" },
		} {
			wrong := right
			change(&wrong)
			forged[what] = w.forged(wrong)
		}
		found := strings.Join(w.naming("I12", ""), "\n")
		for what, id := range forged {
			if !strings.Contains(found, id.String()) {
				t.Errorf("%s: nothing was found", what)
			}
		}
		for _, id := range []clock.ID{x.ID, fine} {
			if strings.Contains(found, id.String()) {
				t.Errorf("what is right was found: %s", found)
			}
		}
	})
}

// What computes exchanges and what recomputes them must agree on every amount that can be exchanged, down to the
// smallest unit, at prices as far apart as they come.
func TestVerifyAgreesWithWhatIsExchanged(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.terms.Max = map[string]money.Amount{}
		w.market["btc"], w.market["eth"], w.market["usdc"] = w.rate("123456.78901234"), w.rate("0.00000007"), w.rate("0.99999999")
		for _, pair := range []struct {
			units    int64
			from, to money.Currency
		}{
			{1, eur, eth}, {1_234_567_89, eur, btc}, {99_999_999_999, eth, usdc}, {700_000_001, btc, eur}, {3, usdc, eth}, {1, btc, usdc},
		} {
			amount := money.New(pair.units, pair.from)
			w.terms.Max[pair.from.Code], w.terms.Fee = amount, w.share("1.4901")
			w.fund("", amount)
			if _, err := w.try("", amount, pair.to, w.lock("").ID); err != nil {
				t.Errorf("%s %s to %s: %v", amount, pair.from.Code, pair.to.Code, err)
			}
		}
		w.named("I12", "", 0)
	})
}
