package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/fault"
	"kontor/internal/partner"
	"kontor/internal/trace"
)

type contextKey int

const partnerKey contextKey = iota

// withRawPath makes the router see every path as it was sent. It would take the decoded one where both look
// alike, and a parameter would then be decoded twice: %2541 would name the user A.
func withRawPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = r.URL.EscapedPath()
		next.ServeHTTP(w, r)
	})
}

const requestIDHeader = "X-Request-Id"

// withRequestID gives every request an id, which joins its answer, its log line and its errors.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := clock.NewID().String()
		w.Header().Set(requestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(trace.WithRequest(r.Context(), id)))
	})
}

// logged writes one line per request, counts it, and makes its span. The route is its pattern, never the path:
// paths can hold what gives access.
func (a *api) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		var who partner.Partner
		ctx, span := a.Tracer.Begin(r.Context(), r.Method)
		r = r.WithContext(context.WithValue(ctx, partnerKey, &who))
		defer func() {
			route, took := chi.RouteContext(r.Context()).RoutePattern(), time.Since(start)
			span.End(r.Method, route, recorder.Status(), who.ID)
			a.Metrics.Request(route, r.Method, recorder.Status(), took)
			a.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("method", r.Method),
				slog.String("route", route),
				slog.Int("status", recorder.Status()),
				slog.Int64("partner", who.ID),
				slog.Duration("took", took),
			)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// recovered answers P500 when a handler panics, and logs where.
func (a *api) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // the server's own sentinel
					panic(v)
				}
				a.Log.ErrorContext(r.Context(), "panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
				a.fail(w, r, fault.New(fault.UnknownException))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// withTimeout bounds how long a request may wait for the database.
func withTimeout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// stagingOnly hides the sandbox's controls where money is real.
func (a *api) stagingOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.Environment == partner.Production && strings.HasPrefix(r.URL.Path, "/v1/sandbox/") {
			a.fail(w, r, fault.New(fault.NotFound))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authenticated finds the partner by the API key, or refuses with P401, and with P429 who guesses. Closed
// partners are let pass, for limited to hold them to their rate too.
func (a *api) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := a.identify(r)
		if err != nil && fault.From(err).Code == fault.PartnerNotFound {
			err = nil
		}
		if err == nil && a.Environment == partner.Production && !p.Admits(clientAddress(r, p.TrustedProxies())) {
			err = fault.Denied(fault.AddressRefused)
		}
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if who, ok := r.Context().Value(partnerKey).(*partner.Partner); ok {
			*who = p
		}
		next.ServeHTTP(w, r.WithContext(audit.As(r.Context(), audit.Partner(p.ID))))
	})
}

// caller is the partner whose request this is.
func caller(r *http.Request) partner.Partner {
	return *r.Context().Value(partnerKey).(*partner.Partner)
}

// methodNotAllowed answers P405 with the methods that the route has.
func (a *api) methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	methods := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	return func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		allowed := slices.DeleteFunc(slices.Clone(methods), func(m string) bool {
			if m == http.MethodHead {
				m = http.MethodGet // answers HEAD too
			}
			return !routes.Match(chi.NewRouteContext(), m, path)
		})
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.fail(w, r, fault.New(fault.MethodNotAllowed))
	}
}
