package db

import (
	"context"
	"errors"
	"fmt"

	"kontor/internal/fault"
)

// Kind tells what sort of constraint was violated.
type Kind string

// The kinds of constraints.
const (
	Unique     Kind = "unique"
	Check      Kind = "check"
	ForeignKey Kind = "foreign key"
	NotNull    Kind = "not null"
	Immutable  Kind = "immutable"
)

// ConstraintError says that a guard of the schema refused a change. Name is the constraint's name, the
// same on both engines.
type ConstraintError struct {
	Kind  Kind
	Name  string
	Cause error
}

func (e *ConstraintError) Error() string {
	return fmt.Sprintf("db: %s constraint %q violated: %v", e.Kind, e.Name, e.Cause)
}

func (e *ConstraintError) Unwrap() error { return e.Cause }

// Violates tells whether err is, or wraps, a violation of the named constraint.
func Violates(err error, name string) bool {
	var c *ConstraintError
	return errors.As(err, &c) && c.Name == name
}

// outcomes is the one table from a constraint to the error a partner sees. A unique key that is not
// here is an optimistic collision: the Update runs again and reads what the winner wrote.
var outcomes = map[string]fault.Code{
	"account_funds":         fault.InsufficientFunds,
	"account_open":          fault.InvalidUser,
	"account_range":         fault.AmountOutOfRange,
	"users_external_id_key": fault.UserExists,
}

// accountCurrent is the check of a move that was decided on an outdated revision of its account; see Tx.Rely. It
// comes before account_funds, also by name, which is the order in which PostgreSQL checks.
const accountCurrent = "account_current"

// final are unique keys whose violation the caller of Update handles itself, on the first attempt.
var final = map[string]bool{
	"idempotency_pkey":     true, // httpapi replays the stored answer
	"ledger_transfer_pkey": true, // a posting that a repeated job already made

	"sandbox_bank_message_pkey": true, // a message that the sandbox's bank has taken
	"bank_file_out_pkey":        true, // a message for which another run has staged a file
	"bank_file_in_digest_key":   true, // a file that another run has taken
	"bank_file_in_message_key":  true, // a message that another run has taken
}

// stale are checks that only an outdated read can violate: running again mends it.
var stale = map[string]bool{
	accountCurrent:       true,
	"account_receivable": true,
	"sepa_day_limit":     true,
}

// transient marks an engine's request to repeat the transaction: deadlock, serialisation failure, busy.
type transient struct{ cause error }

func (e *transient) Error() string { return "db: transaction must be repeated: " + e.cause.Error() }
func (e *transient) Unwrap() error { return e.cause }

// retryable tells whether another attempt can succeed, and whether to wait a moment before it.
func retryable(err error) (again, backoff bool) {
	var t *transient
	if errors.As(err, &t) {
		return true, true
	}
	var c *ConstraintError
	if !errors.As(err, &c) {
		return false, false
	}
	if _, known := outcomes[c.Name]; known || final[c.Name] {
		return false, false
	}
	return c.Kind == Unique || stale[c.Name], true
}

// partnerError gives an engine's error the code of the table; every other error passes unchanged.
func partnerError(err error) error {
	var c *ConstraintError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault.New(fault.ServiceUnavailable).Wrap(err)
	case errors.As(err, &c):
		if code, ok := outcomes[c.Name]; ok {
			return fault.New(code).Wrap(err)
		}
	}
	return err
}
