package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/metrics"
)

// sessionCookie holds the session's token. By its prefix a browser takes it only with Secure, for the whole
// host and from nobody else. Chromium and Firefox take Secure cookies over plain HTTP from the loopback interface.
const sessionCookie = "__Host-kontor-console"

const signInPath = "/sign-in"

// What the page of the sign-in may say beforehand: the address holds the word, and never the text.
const (
	toldSetUp = "setup"
	toldEnded = "ended"
)

var told = map[string]string{
	toldSetUp: "Your account is set up. Sign in with your password and the next code that your app shows.",
	toldEnded: "Your session had ended, so nothing of what you sent was stored. Sign in, and you come back to the page where you were.",
}

// signInForm is what the page of the sign-in shows.
type signInForm struct {
	Name, Next, Told, Problem string
}

func (c *console) showSignIn(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if officer(r).Name != "" {
		see(w, r, next)
		return
	}
	c.render(w, r, http.StatusOK, signInPage(c.frame(r, "Sign in", ""), signInForm{Next: next, Told: told[r.URL.Query().Get("told")]}))
}

// askToSignIn leads to the sign-in, and from there back to the page that was asked for.
func (c *console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	next := ""
	switch {
	case r.Method != http.MethodGet:
		next = "?told=" + toldEnded + "&next=" + url.QueryEscape(formPage(r.URL.EscapedPath()))
	case r.URL.RequestURI() != Root:
		next = "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	see(w, r, Root+signInPath+next)
}

// formPage is the page with the form that is sent to a path: forms go to their page's path and what is to be done there,
// but for the list of officers, which has a form in each row.
func formPage(to string) string {
	page := path.Dir(to)
	if path.Dir(page) == Root+"/officers" {
		return path.Dir(page)
	}
	return page
}

// localPath is where to go on after a sign-in: a path of the console, whatever the address says.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, Root+"/") || path.Clean(u.Path) != u.Path || strings.Contains(next, "\\") {
		return Root
	}
	return next
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	if err := form(r); err != nil {
		c.fail(w, r, err)
		return
	}
	f := signInForm{Name: r.PostForm.Get("name"), Next: localPath(r.PostForm.Get("next"))}
	again := func(status int, problem string) {
		f.Problem = problem
		c.render(w, r, status, signInPage(c.frame(r, "Sign in", ""), f))
	}
	from := peer(r)
	if wait := c.Guesses.Wait(from); wait > 0 {
		c.Metrics.RateLimited(metrics.LimitAddress)
		again(http.StatusTooManyRequests, fmt.Sprintf("Too many failed attempts from your address: try again in %s.", wait.Round(time.Second)))
		return
	}
	token, err := c.Accounts.SignIn(r.Context(), f.Name, r.PostForm.Get("password"), code(r))
	var blocked blockedError
	switch {
	case errors.As(err, &blocked):
		c.Guesses.Failed(from)
		c.Metrics.RateLimited(metrics.LimitName)
		again(http.StatusTooManyRequests, sentence(err))
	case errors.Is(err, errRefused) && officer(r).Name == strings.ToLower(strings.TrimSpace(f.Name)): // it was sent twice: the first one's session is here
		c.Guesses.Failed(from)
		see(w, r, f.Next)
	case errors.Is(err, errRefused):
		c.Guesses.Failed(from)
		c.Log.WarnContext(r.Context(), "console sign-in refused", "address", from.String())
		again(http.StatusForbidden, sentence(err))
	case err != nil:
		c.fail(w, r, err)
	default:
		c.welcome(w, r, token)
		see(w, r, f.Next)
	}
}

// welcome gives the browser its new session. One that it had before ends: a session is never taken over from
// before the sign-in.
func (c *console) welcome(w http.ResponseWriter, r *http.Request, token string) {
	if old := visitOf(r).token; old != "" {
		if err := c.Accounts.SignOut(r.Context(), old); err != nil {
			c.Log.WarnContext(r.Context(), "an older session goes on", "error", err)
		}
	}
	http.SetCookie(w, newCookie(token, 0))
	c.Documents.Prepare() // until the officer has found the first PDF
}

func newCookie(token string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// code is the code of the second factor; apps show it with a space in the middle.
func code(r *http.Request) string { return strings.ReplaceAll(r.PostForm.Get("code"), " ", "") }

// sentence writes an error's text as a sentence.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request) {
	if token := visitOf(r).token; token != "" {
		if err := c.Accounts.SignOut(r.Context(), token); err != nil {
			c.fail(w, r, err)
			return
		}
	}
	http.SetCookie(w, newCookie("", -1))
	see(w, r, Root+signInPath)
}

// setupForm is what the page of a set-up link shows.
type setupForm struct {
	Name, Role, Secret, Problem string
	QR                          [][]bool
}

func (c *console) showSetup(w http.ResponseWriter, r *http.Request) {
	c.setupAgain(w, r, http.StatusOK, "")
}

// setupAgain shows the page of a set-up link, with what was wrong.
func (c *console) setupAgain(w http.ResponseWriter, r *http.Request, status int, why string) {
	a, secret, err := c.Accounts.FindSetup(r.Context(), chi.URLParam(r, "token"))
	if errors.Is(err, errNoSetup) {
		c.Guesses.Failed(peer(r))
		c.fail(w, r, problem{http.StatusNotFound, "This link does not work", sentence(err)})
		return
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	picture, err := qr(a.Name, secret)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, status, setupPage(c.frame(r, "Set up your account", ""), setupForm{a.Name, a.Role, secret, why, picture}))
}

func (c *console) setUp(w http.ResponseWriter, r *http.Request) {
	if err := form(r); err != nil {
		c.fail(w, r, err)
		return
	}
	password := r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		c.setupAgain(w, r, http.StatusBadRequest, "The two passwords differ.")
		return
	}
	token, err := c.Accounts.SetUp(r.Context(), chi.URLParam(r, "token"), password, code(r))
	var refused setupError
	switch {
	case errors.As(err, &refused):
		c.setupAgain(w, r, http.StatusBadRequest, sentence(err))
	case errors.Is(err, errNoSetup):
		c.setUpBefore(w, r)
	case err != nil:
		c.fail(w, r, err)
	default:
		c.welcome(w, r, token)
		see(w, r, Root)
	}
}

// setUpBefore answers the form of a link that finds nothing: after a second press of the button the account is there.
func (c *console) setUpBefore(w http.ResponseWriter, r *http.Request) {
	was, err := c.Accounts.WasSetUp(r.Context(), chi.URLParam(r, "token"))
	switch {
	case err != nil:
		c.fail(w, r, err)
	case was:
		see(w, r, Root+signInPath+"?told="+toldSetUp)
	default:
		c.setupAgain(w, r, http.StatusNotFound, "")
	}
}
