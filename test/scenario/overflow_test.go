package scenario

import (
	"net/http"
	"slices"
	"testing"
)

// TestHugeDepositsHarmNobody lets the greatest amounts arrive that an amount can be, more than once. They may be
// refused, but what was accepted stays exact, and other partners' money still arrives: all of it passes
// the same accounts of the bank. It has a database of its own, because a failure leaves it unusable.
func TestHugeDepositsHarmNobody(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			p := start(t, engine)
			rich, neighbour := p.newCaller(t, nil), p.newCaller(t, nil)
			rich.prepare(t, given{Active: []string{"user"}})
			info := rich.must(t, http.StatusOK, http.MethodGet, "/v1/sepa-deposit/info/user", nil)
			for range 3 {
				a := rich.call(t, http.MethodPost, "/v1/sandbox/sepa-deposit", nil, []byte(`{"iban":"`+at(info, "iban").(string)+
					`","amount":"92233720368547758.07","senderName":"Test User","senderIban":"DE89370400440532013000"}`))
				if a.status != http.StatusCreated && !slices.Contains([]string{"P403", "P430"}, a.code()) {
					t.Errorf("a huge deposit is answered %d %s", a.status, a.body)
				}
			}
			neighbour.prepare(t, given{Active: []string{"user"}, Funds: map[string]string{"user": "1.00", "partner": "2.00"}})
			for _, c := range []*caller{rich, neighbour} {
				for _, path := range []string{"/v1/user/balances/user", "/v1/partner/balances"} {
					c.must(t, http.StatusOK, http.MethodGet, path, nil)
				}
			}
		})
	}
}
