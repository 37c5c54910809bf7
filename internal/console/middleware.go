package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/fault"
	"kontor/internal/trace"
	"kontor/internal/web"
)

type contextKey int

const visitKey contextKey = iota

// visit is what is known of a request: who is signed in.
type visit struct {
	officer Account // without a name: nobody
	token   string
}

func visitOf(r *http.Request) *visit {
	v, _ := r.Context().Value(visitKey).(*visit)
	if v == nil {
		return &visit{}
	}
	return v
}

// officer is who is signed in.
func officer(r *http.Request) Account { return visitOf(r).officer }

// followed gives a request its id, counts it, makes its span, and writes one line about it. The route is its
// pattern, never the path: that of a set-up link gives access.
func (c *console) followed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, id := time.Now(), clock.NewID().String()
		w.Header().Set("X-Request-Id", id)
		recorder, who := middleware.NewWrapResponseWriter(w, r.ProtoMajor), &visit{}
		ctx, span := c.Tracer.Begin(trace.WithRequest(r.Context(), id), r.Method)
		r = r.WithContext(context.WithValue(ctx, visitKey, who))
		defer func() {
			route, took := chi.RouteContext(r.Context()).RoutePattern(), time.Since(start)
			span.End(r.Method, route, recorder.Status(), 0)
			c.Metrics.Request(route, r.Method, recorder.Status(), took)
			c.Log.LogAttrs(r.Context(), slog.LevelInfo, "console request",
				slog.String("method", r.Method),
				slog.String("route", route),
				slog.Int("status", recorder.Status()),
				slog.String("officer", who.officer.Name),
				slog.Duration("took", took),
			)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// recovered answers a page when a handler panics, and logs where.
func (c *console) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler { //nolint:errorlint // the server's own sentinel
					panic(v)
				}
				c.fail(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
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

// secured refuses writes that other sites ask a browser for, and sets the headers that keep pages safe.
func (c *console) secured(next http.Handler) http.Handler {
	return web.Secure(next, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.fail(w, r, errForeign) }))
}

func withLimit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// withOfficer finds who is signed in.
func (c *console) withOfficer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		if cookie, err := r.Cookie(sessionCookie); err == nil {
			a, ok, err := c.Accounts.Officer(r.Context(), cookie.Value)
			if err != nil {
				c.fail(w, r, err)
				return
			}
			if ok {
				v.officer, v.token = a, cookie.Value
				r = r.WithContext(audit.As(r.Context(), a.Actor()))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// guarded lets a route only be used by those who are signed in and have its right.
func (c *console) guarded(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := officer(r)
		switch {
		case a.Name == "":
			c.askToSignIn(w, r)
			return
		case !a.May(route.right):
			c.fail(w, r, errForbidden)
			return
		}
		if err := route.do(w, r); err != nil {
			c.fail(w, r, err)
		}
	})
}

// problem is an error that a page shows.
type problem struct {
	status      int
	title, text string
}

func (p problem) Error() string { return p.title }

var (
	errNotFound  = problem{http.StatusNotFound, "Not found", "There is nothing at this address. It may have been mistyped, or what was here is gone."}
	errMethod    = problem{http.StatusMethodNotAllowed, "Not possible", "This address does not do that."}
	errForbidden = problem{http.StatusForbidden, "Not for your role", "Your role does not allow this. An admin can change it."}
	errForeign   = problem{http.StatusForbidden, "Refused", "This form was sent from another site, so nothing was done. Open the console and do it there."}
	errTooLarge  = problem{http.StatusRequestEntityTooLarge, "Too large", "The form holds more than this page takes. Nothing was stored."}
	errForm      = problem{http.StatusBadRequest, "Not readable", "The form could not be read. Nothing was stored."}
	errBusy      = problem{http.StatusServiceUnavailable, "Try again in a moment", "The database does not answer now. It is not known whether what you did was stored: look before you repeat it."}
	errInternal  = problem{http.StatusInternalServerError, "Something went wrong", "The program failed here. What happened is in its log, under the number below."}
)

// fail answers an error as a page.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p problem
	if !errors.As(err, &p) {
		p = errInternal
		if fault.From(err).Code == fault.ServiceUnavailable {
			p = errBusy
		}
		c.failed(r, "console request failed", err)
	}
	c.render(w, r, p.status, problemPage(c.frame(r, p.title, ""), p, w.Header().Get("X-Request-Id")))
}

// render writes a page.
func (c *console) render(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	if err := web.Render(w, r, status, page); err != nil {
		c.failed(r, "console page failed", err)
		http.Error(w, errInternal.text, http.StatusInternalServerError)
	}
}

// failed logs what kept a request from its page. That the browser went away meanwhile is no error of the program.
func (c *console) failed(r *http.Request, what string, err error) {
	level := slog.LevelError
	if errors.Is(r.Context().Err(), context.Canceled) {
		level = slog.LevelInfo
	}
	c.Log.Log(r.Context(), level, what, "error", err)
}

// led leads the browser to a page that tells what was done, unless that failed.
func led(w http.ResponseWriter, r *http.Request, path, word string, err error) error {
	if err == nil {
		see(w, r, path+"?done="+word)
	}
	return err
}

// see leads the browser on to a page; after a form was sent, with GET.
func see(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// form reads a form that was sent.
func form(r *http.Request) error {
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil:
		return errForm
	}
	return nil
}

// peer is the address of the connection's other end.
func peer(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr()
}
