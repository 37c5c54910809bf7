package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/document/documenttest"
	"kontor/internal/event"
	"kontor/internal/identity"
	"kontor/internal/rail/idcheck/provider"
	"kontor/internal/user"
)

const providerKey = "provider-test-key"

var providerSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmn"))

// outside is an identity provider.
type outside struct {
	t *testing.T

	mu      sync.Mutex
	away    bool
	asked   int               // requests while it was away
	fresh   string            // what it says of a check that it has just got
	checks  map[string]string // what it says now, by id
	started []string          // the checks that it got, in words
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+providerKey {
		o.t.Errorf("the key is %q", r.Header.Get("Authorization"))
	}
	if o.away {
		o.asked++
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/v1/checks/")
	if r.Method == http.MethodPost && r.URL.Path == "/v1/checks" {
		id = r.Header.Get("Idempotency-Key")
		o.checks[id] = o.fresh
		o.started = append(o.started, o.read(r))
	}
	said, known := o.checks[id]
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	io.WriteString(w, `{"id":"`+id+`",`+said+`}`)
}

// read reads a form in words.
func (o *outside) read(r *http.Request) string {
	form, err := r.MultipartReader()
	if err != nil {
		o.t.Error(err)
		return ""
	}
	var words []string
	for {
		part, err := form.NextPart()
		if err != nil { // io.EOF, or what makes the words wrong
			return strings.Join(words, "\n")
		}
		words = append(words, o.part(part))
	}
}

func (o *outside) part(part *multipart.Part) string {
	content, err := io.ReadAll(part)
	if err != nil {
		o.t.Error(err)
	}
	if part.FormName() != "check" {
		return part.FormName() + " " + part.FileName() + " " + part.Header.Get("Content-Type") + " " + string(content[:5])
	}
	var check struct {
		Person   struct{ FirstName, LastName, BirthDate, Country string }
		Document struct{ Type, Number string }
		Files    []struct{ Name, Side string }
	}
	if err := json.Unmarshal(content, &check); err != nil {
		o.t.Error(err)
	}
	text, err := json.Marshal(check)
	if err != nil {
		o.t.Error(err)
	}
	return string(text)
}

// says sets what the provider says of all checks from now on.
func (o *outside) says(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away, o.fresh = false, what
	for id := range o.checks {
		o.checks[id] = what
	}
}

func (o *outside) count() (started, asked int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.started), o.asked
}

// checked is a program with a provider, and a user whose check has begun.
type checked struct {
	*testing.T
	app     *app.App
	url     string
	clock   *clock.Manual
	outside *outside
	partner int64
	attempt clock.ID
}

// beginCheck uploads a user's documents and has them checked.
func beginCheck(t *testing.T, kind db.Engine, o *outside) *checked {
	t.Helper()
	o.t, o.checks = t, map[string]string{}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	p, err := provider.New(provider.Config{
		URL: server.URL + "/v1", Key: providerKey, Secret: providerSecret, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &checked{T: t, outside: o, clock: clock.NewManual(afterFixture)}
	cfg := config(dbtest.Target(t, kind))
	cfg.Clock, cfg.Documents, cfg.IdentityProvider = c.clock, t.TempDir(), p
	c.app = open(t, cfg)
	c.url = serve(t, c.app, app.Roles{API: true, Worker: true})
	made, err := c.app.Partners.Create(t.Context(), map[string]string{"legalName": "Test Partner"})
	if err != nil {
		t.Fatal(err)
	}
	c.partner = made.ID
	c.update(func(tx *db.Tx) error {
		_, _, err := c.app.API.Users.Create(tx, c.partner, user.New{ExternalID: "user", Model: user.KYC, Person: user.Person{
			FirstName: "Muster", LastName: "Nichtgelistet", Country: "LT", BirthDate: "1980-01-01",
		}})
		return err
	})
	for _, name := range []string{"front.pdf", "selfie.pdf"} {
		up, err := c.app.Uploads.Store(t.Context(), c.partner, name, bytes.NewReader(documenttest.PDF(documenttest.Pages(1)...)))
		if err != nil {
			t.Fatal(err)
		}
		c.update(func(tx *db.Tx) error {
			return c.app.Uploads.AddFiles(tx, c.partner, "user", []identity.Upload{up}, nil)
		})
	}
	c.update(func(tx *db.Tx) error {
		st, err := c.app.API.Identity.Request(tx, c.partner, "user", identity.Claims{DocumentType: identity.Passport, DocumentNumber: "TEST1"})
		c.attempt = st.Attempt.ID
		return err
	})
	return c
}

func (c *checked) update(fn func(tx *db.Tx) error) {
	c.Helper()
	if err := c.app.DB.Update(c.Context(), fn); err != nil {
		c.Fatal(err)
	}
}

// state tells where the check stands, in words.
func (c *checked) state() string {
	c.Helper()
	var st identity.Status
	err := c.app.DB.View(c.Context(), func(r db.Reader) error {
		u, err := user.Find(r, c.partner, "user")
		if err == nil {
			st, err = c.app.API.Identity.FindStatus(r, u)
		}
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
	return strings.TrimSpace(st.User.Verification + " " + st.Attempt.Status + " " + st.Attempt.Reason)
}

// becomes waits until the check stands somewhere, and lets an interval of business time pass with each look.
func (c *checked) becomes(state string, pass time.Duration) {
	c.Helper()
	eventually(c.T, state, func() bool {
		c.clock.Advance(pass)
		return c.state() == state
	})
}

var countEvents = db.NewQuery(`SELECT COUNT(*) FROM event WHERE partner_id = $1 AND type = $2`)

// told counts the webhooks about the check, and those about the activation.
func (c *checked) told() (checks, activations int) {
	c.Helper()
	err := c.app.DB.View(c.Context(), func(r db.Reader) error {
		if err := r.Row(countEvents, c.partner, string(event.KYCVerification)).Scan(&checks); err != nil {
			return err
		}
		return r.Row(countEvents, c.partner, string(event.UserStatus)).Scan(&activations)
	})
	if err != nil {
		c.Fatal(err)
	}
	return checks, activations
}

// call sends a callback, and answers the status.
func (c *checked) call(secret, said string) int {
	body := `{"id":"` + strconv.FormatInt(c.partner, 10) + "-" + c.attempt.String() + `",` + said + `}`
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		c.Error(err)
		return 0
	}
	now := time.Now()
	signature, err := signer.Sign("c-1", now, []byte(body))
	if err != nil {
		c.Error(err)
		return 0
	}
	r, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.url+"/v1/identity-provider/callback", strings.NewReader(body))
	if err != nil {
		c.Error(err)
		return 0
	}
	r.Header.Set(standardwebhooks.HeaderWebhookID, "c-1")
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Error(err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

const (
	checkRuns    = "NOT_VERIFIED VERIFICATION"
	checkIsGood  = "VERIFIED SUCCESSFUL"
	saidPending  = `"status":"pending"`
	saidAccepted = `"status":"accepted"`
	saidRefused  = `"status":"refused","reason":"FACE_MISMATCH"`
)

// eachEngine runs a test on both engines at once.
func eachEngine(t *testing.T, test func(t *testing.T, kind db.Engine)) {
	t.Helper()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

func TestAProviderAnswersAtOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, kind db.Engine) {
		c := beginCheck(t, kind, &outside{fresh: saidRefused})
		c.becomes("NOT_VERIFIED REJECTED_BY_PROVIDER FACE_MISMATCH", 0)
		want := `{"Person":{"FirstName":"Muster","LastName":"Nichtgelistet","BirthDate":"1980-01-01","Country":"LT"},` +
			`"Document":{"Type":"PASSPORT","Number":"TEST1"},"Files":[{"Name":"1.pdf","Side":"FRONT"},{"Name":"2.pdf","Side":"SELFIE"}]}` +
			"\nfile 1.pdf application/pdf %PDF-\nfile 2.pdf application/pdf %PDF-"
		c.outside.mu.Lock()
		defer c.outside.mu.Unlock()
		if !slices.Equal(c.outside.started, []string{want}) {
			t.Errorf("the provider got\n%s", strings.Join(c.outside.started, "\n"))
		}
	})
}

// A provider that is away is waited for; then one whose callback is lost is asked again, without the documents.
func TestAProviderIsAwayAndThenSlow(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, kind db.Engine) {
		c := beginCheck(t, kind, &outside{away: true})
		eventually(t, "the provider is asked twice", func() bool {
			c.clock.Advance(time.Minute)
			_, asked := c.outside.count()
			return asked > 1
		})
		if got := c.state(); got != checkRuns {
			t.Errorf("while it is away: %s", got)
		}
		c.outside.says(saidPending)
		eventually(t, "the provider gets the check", func() bool {
			c.clock.Advance(time.Minute)
			started, _ := c.outside.count()
			return started > 0
		})
		if got := c.state(); got != checkRuns {
			t.Errorf("while it is pending: %s", got)
		}
		c.outside.says(saidAccepted)
		c.becomes(checkIsGood, time.Hour)
		if started, _ := c.outside.count(); started != 1 {
			t.Errorf("%d checks were started", started)
		}
	})
}

func TestAProviderCallsBack(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, kind db.Engine) {
		c := beginCheck(t, kind, &outside{fresh: saidPending})
		eventually(t, "the provider gets the check", func() bool {
			started, _ := c.outside.count()
			return started > 0
		})
		forged := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret, not the provider's"))
		if status := c.call(forged, saidAccepted); status != http.StatusUnauthorized || c.state() != checkRuns {
			t.Errorf("a forged callback is answered %d: %s", status, c.state())
		}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if status := c.call(providerSecret, saidAccepted); status != http.StatusNoContent {
					t.Errorf("one of two callbacks is answered %d", status)
				}
			})
		}
		both.Wait()
		for _, said := range []string{saidAccepted, saidRefused} { // again, and too late
			if status := c.call(providerSecret, said); status != http.StatusNoContent || c.state() != checkIsGood {
				t.Errorf("after the end a callback is answered %d: %s", status, c.state())
			}
		}
		// PENDING, VERIFICATION, SUCCESSFUL; ACTIVE.
		if checks, activations := c.told(); checks != 3 || activations != 1 {
			t.Errorf("told of the check %d times, of the activation %d times", checks, activations)
		}
		c.attempt = clock.NewID()
		if status := c.call(providerSecret, saidRefused); status != http.StatusNoContent || c.state() != checkIsGood {
			t.Errorf("a callback of no check is answered %d: %s", status, c.state())
		}
	})
}
