package console

import (
	"errors"
	"net/http"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/user"
)

// mark is user.Service's Freeze or Unfreeze.
type mark func(tx *db.Tx, partner int64, id clock.ID, actor, reason string) (user.User, error)

func (c *console) freeze(w http.ResponseWriter, r *http.Request) error {
	return c.mark(w, r, c.Users.Freeze, "frozen")
}

func (c *console) unfreeze(w http.ResponseWriter, r *http.Request) error {
	return c.mark(w, r, c.Users.Unfreeze, "unfrozen")
}

// mark sets or lifts the operator's mark on a user, for the reason in the form.
func (c *console) mark(w http.ResponseWriter, r *http.Request, set mark, word string) error {
	if err := form(r); err != nil {
		return err
	}
	reason := reasonOf(r)
	var u user.User
	err := c.DB.Update(r.Context(), func(tx *db.Tx) (err error) {
		if u, err = c.userOf(tx, r); err != nil {
			return err
		}
		_, err = set(tx, u.Partner, u.ID, officer(r).Actor(), reason)
		return err
	})
	var refused user.ReasonError
	switch {
	case errors.As(err, &refused):
		return c.userAgain(w, r, http.StatusBadRequest, sentence(err), reason)
	case err != nil && fault.From(err).Code == fault.InvalidUser:
		return c.userAgain(w, r, http.StatusConflict, "The user was deleted, and cannot be marked any more.", reason)
	case err != nil:
		return err
	}
	see(w, r, userPath(u.Partner, u.ID)+"?done="+word)
	return nil
}
