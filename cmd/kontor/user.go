package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/page"
	"kontor/internal/user"
)

// userCommand looks at users and freezes them.
type userCommand struct {
	List     userList     `cmd:"" help:"List a partner's users, the newest first."`
	Show     userShow     `cmd:"" help:"Show a user's state, and why the user is frozen."`
	Freeze   userFreeze   `cmd:"" help:"Freeze a user: nothing goes out, and what arrives waits. The partner cannot lift it."`
	Unfreeze userUnfreeze `cmd:"" help:"Lift the freeze of a user. A suspension by the partner stays."`
}

type userList struct {
	store
	Partner int64  `help:"Id of the partner." required:""`
	Status  string `help:"Only users in this state, such as FROZEN or UNDER_REVIEW."`
	Email   string `help:"Only users with this address."`
	Limit   int    `help:"How many at most." default:"50"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// listedUser names nobody: personal data are for those who decide about a user, in the console.
type listedUser struct {
	User         string  `json:"externalUserId"`
	ID           string  `json:"userId"`
	Model        string  `json:"model"`
	Status       string  `json:"status"`
	Verification string  `json:"verificationStatus"`
	Suspended    *string `json:"suspendedAt"`
	Frozen       *string `json:"frozenAt"`
	FreezeReason string  `json:"freezeReason,omitempty"`
	Created      *string `json:"createdAt"`
	Activated    *string `json:"activatedAt"`
}

func listed(u user.User) listedUser {
	return listedUser{
		User: u.ExternalID, ID: u.ID.String(), Model: u.Model, Status: u.Status(), Verification: u.Verification,
		Suspended: jsonTime(u.SuspendedAt), Frozen: jsonTime(u.FrozenAt), Created: jsonTime(u.CreatedAt),
		Activated: jsonTime(u.ActivatedAt),
	}
}

// Run prints one line for each user.
func (c userList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	return c.reading(ctx, log, func(a *app.App) error {
		rows := [][]string{{"USER", "ID", "MODEL", "STATUS", "VERIFICATION", "CREATED"}}
		all := []listedUser{}
		err := a.DB.View(ctx, func(r db.Reader) error {
			found, err := user.List(r, c.Partner, user.Filter{Status: c.Status, Email: c.Email, Range: page.Range{Limit: c.Limit}})
			if err != nil {
				return err
			}
			for _, s := range found {
				rows = append(rows, []string{s.ExternalID, s.ID.String(), s.Model, s.Status(), s.Verification, when(s.CreatedAt)})
				all = append(all, listed(s.User))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, all)
		}
		return printTable(out, rows...)
	})
}

// oneUser names a user.
type oneUser struct {
	store
	Partner int64  `help:"Id of the partner." required:""`
	User    string `arg:"" help:"externalUserId of the user." name:"user"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// print tells a user's state.
func (c oneUser) print(out io.Writer, u user.User, reason string) error {
	told := listed(u)
	told.FreezeReason = reason
	if c.JSON {
		return printJSON(out, told)
	}
	return printTable(out,
		[]string{"user", told.User}, []string{"id", told.ID}, []string{"model", told.Model},
		[]string{"status", told.Status}, []string{"verification", told.Verification},
		[]string{"suspended", when(u.SuspendedAt)}, []string{"frozen", when(u.FrozenAt)},
		[]string{"reason", orDash(reason)}, []string{"created", when(u.CreatedAt)}, []string{"activated", when(u.ActivatedAt)})
}

type userShow struct{ oneUser }

// Run prints the user.
func (c userShow) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.reading(ctx, log, func(a *app.App) error {
		var u user.User
		var reason string
		err := a.DB.View(ctx, func(r db.Reader) (err error) {
			if u, err = user.Find(r, c.Partner, c.User); err == nil {
				reason, err = user.FreezeReason(r, u)
			}
			return err
		})
		if err != nil {
			return err
		}
		return c.print(out, u, reason)
	})
}

// marking is what freeze and unfreeze have in common.
type marking struct {
	oneUser
	person
	Reason string `help:"Why; kept in the audit log." required:""`
}

// mark changes the mark of a user and prints what the user is now.
func (c marking) mark(ctx context.Context, out io.Writer, log *slog.Logger, change func(s *user.Service, tx *db.Tx, id clock.ID, actor string) (user.User, error)) error {
	return c.with(ctx, log, func(a *app.App) error {
		var u user.User
		var reason string
		err := a.DB.Update(ctx, func(tx *db.Tx) error {
			found, err := user.Find(tx, c.Partner, c.User)
			if err != nil {
				return err
			}
			u, err = change(a.API.Users, tx, found.ID, audit.Operator(c.name(ctx)))
			if err != nil {
				return err
			}
			reason, err = user.FreezeReason(tx, u)
			return err
		})
		if err != nil {
			return err
		}
		return c.print(out, u, reason)
	})
}

type userFreeze struct{ marking }

// Run freezes.
func (c userFreeze) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.mark(ctx, out, log, func(s *user.Service, tx *db.Tx, id clock.ID, actor string) (user.User, error) {
		return s.Freeze(tx, c.Partner, id, actor, c.Reason)
	})
}

type userUnfreeze struct{ marking }

// Run lifts a freeze.
func (c userUnfreeze) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.mark(ctx, out, log, func(s *user.Service, tx *db.Tx, id clock.ID, actor string) (user.User, error) {
		return s.Unfreeze(tx, c.Partner, id, actor, c.Reason)
	})
}
