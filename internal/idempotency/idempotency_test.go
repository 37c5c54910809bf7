package idempotency

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/fault"
	"kontor/internal/vault"
)

func keys(t *testing.T, d *db.DB) *Keys {
	t.Helper()
	v, err := vault.Open(t.Context(), d, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return New(v)
}

func request(t *testing.T, k *Keys, key, body string) Request {
	t.Helper()
	r, err := k.NewRequest(1, key, "POST", "/v1/transfer", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func store(t *testing.T, k *Keys, d *db.DB, r Request, a Answer) error {
	t.Helper()
	return d.Update(t.Context(), func(tx *db.Tx) error {
		k.Store(tx, r, a)
		return nil
	})
}

func TestAnswerIsReplayedToTheSameRequestOnly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := keys(t, d)
		first, object := request(t, k, "key", "{1}"), clock.NewID()
		if a, err := k.Replay(t.Context(), d, first); a != nil || err != nil {
			t.Errorf("before the first use: %v, %v", a, err)
		}
		if err := store(t, k, d, first, Answer{Status: 201, Body: []byte("{a}"), Object: object, Lasting: true}); err != nil {
			t.Fatal(err)
		}
		if err := store(t, k, d, first, Answer{Status: 201}); !Used(err) {
			t.Errorf("the second use of a key: %v", err)
		}
		a, err := k.Replay(t.Context(), d, first)
		if err != nil || a.Status != 201 || string(a.Body) != "{a}" || a.Object != object {
			t.Errorf("replayed %+v, %v", a, err)
		}
		_, err = k.Replay(t.Context(), d, request(t, k, "key", "{2}"))
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.IdempotencyConflict || f.ObjectID != object.String() {
			t.Errorf("another request under the key: %v", err)
		}
	})
}

func TestAfterADayOnlyKeysThatMovedMoneyAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := keys(t, d)
		start := time.Now()
		money, other, object := request(t, k, "money", ""), request(t, k, "other", ""), clock.NewID()
		if err := errors.Join(
			store(t, k, d, money, Answer{Status: 201, Body: []byte("{m}"), Object: object, Lasting: true}),
			store(t, k, d, other, Answer{Status: 201, Body: []byte("{o}")}),
		); err != nil {
			t.Fatal(err)
		}
		k.now = func() time.Time { return start.Add(Keep + time.Minute) }
		check := func() {
			t.Helper()
			var f *fault.Error
			if _, err := k.Replay(t.Context(), d, money); !errors.As(err, &f) || f.Code != fault.IdempotencyConflict || f.ObjectID != object.String() {
				t.Errorf("the old key that moved money: %v", err)
			}
		}
		check()
		if n, err := k.Sweep(t.Context(), d); n != 2 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		if n, err := k.Sweep(t.Context(), d); n != 0 || err != nil {
			t.Errorf("swept %d again, %v", n, err)
		}
		check()
		if err := store(t, k, d, money, Answer{}); !Used(err) {
			t.Errorf("a key that moved money is free again: %v", err)
		}
		if err := store(t, k, d, other, Answer{Status: 201}); err != nil {
			t.Errorf("the other key is not free: %v", err)
		}
	})
}

func TestOldKeyIsFreeBeforeItWasSwept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := keys(t, d)
		start := time.Now()
		r := request(t, k, "key", "")
		if err := store(t, k, d, r, Answer{Status: 201}); err != nil {
			t.Fatal(err)
		}
		k.now = func() time.Time { return start.Add(Keep + time.Minute) }
		if a, err := k.Replay(t.Context(), d, r); a != nil || err != nil {
			t.Errorf("%v, %v", a, err)
		}
		if err := store(t, k, d, r, Answer{Status: 201}); err != nil {
			t.Error(err)
		}
	})
}

func TestSecretAnswersAreNotStored(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := keys(t, d)
		r, object := request(t, k, "key", ""), clock.NewID()
		if err := store(t, k, d, r, Answer{Status: 200, Body: []byte("4111…"), Object: object, Secret: true}); err != nil {
			t.Fatal(err)
		}
		a, err := k.Replay(t.Context(), d, r)
		if err != nil || !a.Secret || len(a.Body) != 0 || a.Object != object {
			t.Errorf("replayed %+v, %v: want the object, without the stored body", a, err)
		}
	})
}

func TestRacerWaitsForTheFirstRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &Keys{running: map[scope]chan struct{}{}}
		r := Request{Partner: 1, Key: "key"}
		leave, err := k.Enter(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := k.Enter(t.Context(), Request{Partner: 2, Key: "key"}); err != nil {
			t.Errorf("another partner waits: %v", err)
		} else {
			other()
		}
		entered := make(chan error)
		go func() {
			leave, err := k.Enter(context.Background(), r)
			if err == nil {
				leave()
			}
			entered <- err
		}()
		synctest.Wait()
		select {
		case <-entered:
			t.Fatal("the racer did not wait")
		default:
		}
		leave()
		if err := <-entered; err != nil {
			t.Errorf("the racer got %v", err)
		}
		leave, _ = k.Enter(t.Context(), r)
		defer leave()
		if _, err := k.Enter(t.Context(), r); fault.From(err).Code != fault.ServiceUnavailable {
			t.Errorf("after 10 s the racer got %v, want P501", err)
		}
	})
}
