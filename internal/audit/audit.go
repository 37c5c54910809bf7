// Package audit is the log of what was changed on the platform's side: partners, their settings and keys, and
// who did it. An entry is written by the transaction that makes the change: neither exists without the other.
//
// The log only grows. Entries are numbered from 1 without gaps, the table refuses changes, and each entry's
// hash covers its content and the hash before it. Verify finds an entry that was changed, removed, put
// elsewhere or added past the program. It cannot find that somebody with full access to the database
// computed the whole rest of the chain anew: for that, keep the newest hash (kontor audit list) elsewhere.
//
// Entries hold ids, names of settings and their values; never secrets, nor data of persons.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// System is the actor of what the program does by itself.
const System = "system"

// Operator is the actor of what a person does with the program's own commands.
func Operator(osUser string) string { return "operator:" + osUser }

// Partner is the actor of what a partner's program does through the API.
func Partner(id int64) string { return "partner:" + strconv.FormatInt(id, 10) }

type actorKey struct{}

// As answers a context in which an actor is at work.
func As(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// Actor tells who is at work in a context; System when nobody was named.
func Actor(ctx context.Context) string {
	if actor, ok := ctx.Value(actorKey{}).(string); ok {
		return actor
	}
	return System
}

// Entry is a change to be recorded.
type Entry struct {
	Actor   string
	Action  string // what was done, as noun and verb: "partner.set"
	Partner int64  // whom it concerns; the operator's own affairs are partner 0
	Object  string // the id of what was changed; empty: the partner itself
	Details any    // becomes a JSON object; nil is an empty one
}

// Recorded is an entry of the log.
type Recorded struct {
	Number   int64 // from 1, without gaps
	At       time.Time
	Actor    string
	Action   string
	Partner  int64
	Object   string
	Details  string // JSON, canonical (RFC 8785)
	Previous string // hash of the entry before, in hexadecimal; empty for the first
	Hash     string // in hexadecimal
}

var (
	lockHead    = db.NewQuery(`SELECT number, hash FROM audit_head WHERE id = 1 FOR UPDATE`)
	advanceHead = db.NewCommand(`UPDATE audit_head SET number = $1, hash = $2 WHERE id = 1`)
	insertEntry = db.NewInsert("audit_entry", `number bigint, at bigint, actor text, action text, partner_id bigint,
		object text, details text, previous text, hash text`)
)

// Write records a change in the transaction that makes it. It makes the transaction an explicit one
// (db.Tx.Locked) and keeps all others from writing entries until the commit: call it last.
func Write(tx *db.Tx, e Entry) error {
	details, err := canonical(e.Details)
	if err != nil {
		return fmt.Errorf("audit: details of %s: %w", e.Action, err)
	}
	tx.Locked()
	r := Recorded{Actor: e.Actor, Action: e.Action, Partner: e.Partner, Object: e.Object, Details: details}
	if err := tx.Row(lockHead).Scan(&r.Number, &r.Previous); err != nil {
		return fmt.Errorf("audit: the head of the log: %w", err)
	}
	r.Number++
	r.At = clock.FromMicros(clock.Micros(time.Now())) // after the wait for the head: times follow the numbers
	if r.Hash, err = r.digest(); err != nil {
		return fmt.Errorf("audit: %s: %w", e.Action, err)
	}
	tx.Write(insertEntry, r.Number, r.At, r.Actor, r.Action, r.Partner, r.Object, r.Details, r.Previous, r.Hash)
	tx.Write(advanceHead, r.Number, r.Hash)
	return nil
}

func canonical(details any) (string, error) {
	if details == nil {
		return "{}", nil
	}
	text, err := json.Marshal(details)
	if err != nil {
		return "", err
	}
	value := jsontext.Value(text)
	if err := value.Canonicalize(); err != nil {
		return "", err
	}
	return string(value), nil
}

// digest computes an entry's hash: SHA-256 over the JSON array (RFC 8785, so without spaces) of eight strings:
// previous hash, number, microseconds since 1970, actor, action, partner, object, details; in hexadecimal.
func (r Recorded) digest() (string, error) {
	content, err := json.Marshal([]string{
		r.Previous, strconv.FormatInt(r.Number, 10), strconv.FormatInt(clock.Micros(r.At), 10), r.Actor, r.Action,
		strconv.FormatInt(r.Partner, 10), r.Object, r.Details,
	})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}
