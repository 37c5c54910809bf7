package httpapi

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-chi/chi/v5"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
	"kontor/internal/idempotency"
	"kontor/internal/partner"
	"kontor/internal/vault"
)

func testAPI(t *testing.T, d *db.DB) *api {
	t.Helper()
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	con, err := contract.Load(cat.Currency)
	if err != nil {
		t.Fatal(err)
	}
	return &api{Config: Config{DB: d, Catalog: cat, Contract: con, Keys: idempotency.New(v), Log: slog.New(slog.DiscardHandler)}}
}

// send makes the same request of partner 1, under the same idempotency key, each time.
func send(handler http.HandlerFunc) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/v1/sandbox/user/x/activate", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "key")
	r = r.WithContext(context.WithValue(r.Context(), partnerKey, &partner.Partner{ID: 1}))
	w := httptest.NewRecorder()
	router := chi.NewRouter()
	router.Post("/v1/sandbox/user/{externalUserId}/activate", handler)
	router.ServeHTTP(w, r)
	return w
}

// TestSecretAnswersAreMadeAgain shows that an answer with a secret is replayed although it was never stored.
func TestSecretAnswersAreMadeAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a, object := testAPI(t, d), clock.NewID()
		call := func() *httptest.ResponseRecorder {
			return send(func(w http.ResponseWriter, r *http.Request) {
				change(a, w, r, "sandboxActivateUser",
					func(*db.Tx, partner.Partner, struct{}) (result, error) {
						return result{status: 200, body: map[string]string{"cvv": "123"}, object: object, secret: true}, nil
					},
					func(_ db.Reader, p partner.Partner, made clock.ID) (any, error) {
						if p.ID != 1 || made != object {
							t.Errorf("made again from object %s of partner %d", made, p.ID)
						}
						return map[string]string{"cvv": "123"}, nil
					})
			})
		}
		first, second := call(), call()
		if first.Code != 200 || second.Code != 200 || first.Body.String() != second.Body.String() {
			t.Errorf("answered %d %s, then %d %s", first.Code, first.Body, second.Code, second.Body)
		}
		if first.Header().Get("Idempotent-Replayed") != "" || second.Header().Get("Idempotent-Replayed") != "true" {
			t.Error("a replay is not marked as one, or a first answer is")
		}
		var stored []byte
		err := d.View(t.Context(), func(r db.Reader) error {
			return r.Row(db.NewQuery(`SELECT answer FROM idempotency WHERE partner_id = 1`)).Scan(&stored)
		})
		if err != nil || len(stored) != 0 {
			t.Errorf("stored %q, %v; want nothing", stored, err)
		}
	})
}

// unreadable is a database that, while it is set, commits but answers no question.
type unreadable struct{ atomic.Bool }

func (u *unreadable) Inject(_ context.Context, c db.Call) db.Fault {
	if u.Load() && c.Point == db.AtAcquire {
		return db.Fault{Failure: db.Refuse}
	}
	return db.Fault{}
}

func (*unreadable) Committed(context.Context) {}

// TestRefusalIsNotToldWhileTheKeyCannotBeLookedUp repeats a request that has taken the money. To find it refused says
// nothing as long as nobody can tell whether that is because of itself: a partner would take it for the outcome.
func TestRefusalIsNotToldWhileTheKeyCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	for _, kind := range []db.Engine{db.SQLite, db.Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			down := &unreadable{}
			d, err := db.Open(t.Context(), dbtest.Target(t, kind), db.WithInjector(down))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			a := testAPI(t, d)
			call := func(refusal error) *httptest.ResponseRecorder {
				return send(func(w http.ResponseWriter, r *http.Request) {
					change(a, w, r, "sandboxActivateUser", func(*db.Tx, partner.Partner, struct{}) (result, error) {
						return result{status: 200, body: map[string]string{}, lasting: true}, refusal
					})
				})
			}
			if first := call(nil); first.Code != http.StatusOK {
				t.Fatalf("at first: %d %s", first.Code, first.Body)
			}
			for name, refusal := range map[string]error{"refused": fault.New(fault.InsufficientFunds), "not refused": nil} {
				down.Store(true)
				if again := call(refusal); !strings.Contains(again.Body.String(), `"P501"`) || again.Header().Get("Retry-After") == "" {
					t.Errorf("%s by the function, and not to be looked up: %d %s", name, again.Code, again.Body)
				}
				down.Store(false)
				if again := call(refusal); again.Code != http.StatusOK || again.Header().Get("Idempotent-Replayed") != "true" {
					t.Errorf("%s by the function: %d %s, not the first answer", name, again.Code, again.Body)
				}
			}
		})
	}
}
