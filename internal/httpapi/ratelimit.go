package httpapi

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"kontor/internal/fault"
	"kontor/internal/metrics"
	"kontor/internal/partner"
	"kontor/internal/ratelimit"
)

// limited holds an authenticated request to the rate of its API key, and tells every answer, errors too, how
// much of it is left. P429 past the rate; then P418 when the partner was closed.
func (a *api) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := caller(r)
		d := a.Limits.Take(r.Context(), ratelimit.Key{Partner: p.ID, ID: p.KeyID}, rateOf(p.Settings))
		h := w.Header()
		h.Set("RateLimit-Limit", strconv.FormatInt(d.Limit, 10))
		h.Set("RateLimit-Remaining", strconv.FormatInt(d.Remaining, 10))
		h.Set("RateLimit-Reset", strconv.FormatInt(int64(math.Ceil(d.Reset.Seconds())), 10))
		if !d.Allowed {
			a.Metrics.RateLimited(metrics.LimitKey)
			a.fail(w, r, tooMany(d.RetryAfter))
			return
		}
		if !p.ClosedAt.IsZero() {
			a.fail(w, r, fault.New(fault.PartnerNotFound))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// rateOf reads a partner's settings, which were checked when they were made.
func rateOf(s partner.Settings) ratelimit.Rate {
	perSecond, _ := strconv.ParseInt(s.Text("rateLimit"), 10, 64)
	burst, _ := strconv.ParseInt(s.Text("rateBurst"), 10, 64)
	return ratelimit.Rate{PerSecond: perSecond, Burst: burst}
}

func tooMany(wait time.Duration) error {
	err := fault.New(fault.TooManyRequests)
	err.RetryAfter = max(wait, time.Second)
	return err
}

// identify finds whose API key a request carries. P401; or P429 for a key that is known to be wrong, without
// asking the database about it, from an address that has sent too many wrong ones. The address is the
// connection's: whose proxies would be trusted is not known before the key is.
func (a *api) identify(r *http.Request) (partner.Partner, error) {
	key, from := r.Header.Get("x-api-key"), peerAddress(r)
	if wait := a.Guesses.Wait(from); wait > 0 && key != "" && !a.Partners.Plausible(r.Context(), key) {
		a.Metrics.RateLimited(metrics.LimitAddress)
		return partner.Partner{}, tooMany(wait)
	}
	p, err := a.Partners.Authenticate(r.Context(), key)
	if key != "" && err != nil && fault.From(err).Code == fault.AccessDenied {
		a.Guesses.Failed(from)
	}
	return p, err
}
