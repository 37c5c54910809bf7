//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"kontor/internal/adjustment"
	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/money"
	"kontor/internal/partner"
	"kontor/internal/sepa"
	"kontor/internal/transfer"
	"kontor/internal/user"
	"kontor/internal/vault"
)

const (
	perCommit = 20          // users who are opened in one transaction
	userCents = 100_000_000 // what each user has to begin with
	atATime   = 8           // such transactions at a time
)

// world is data to measure on: partners with active users who have money.
type world struct {
	place
	partners []partnerAccess
}

// partnerAccess is what the load generator knows of a partner.
type partnerAccess struct {
	id    int64
	key   string
	users []string // externalUserIds

	transfers []clock.ID // those that gave the users their money
}

// newWorld makes data and leaves nothing undone in them: each user is active, has money, and was told of.
func (e *engine) newWorld(ctx context.Context, partners, users int) (*world, error) {
	p, err := e.newPlace(ctx, "")
	if err != nil {
		return nil, err
	}
	w := &world{place: p, partners: make([]partnerAccess, partners)}
	err = w.with(ctx, func(a *app.App) error {
		// One after the other: whatever the audit log tells of would only wait for its head.
		for i := range w.partners {
			if err := w.partners[i].open(ctx, a, users); err != nil {
				return err
			}
		}
		group, opening := errgroup.WithContext(ctx)
		group.SetLimit(atATime)
		for i := range w.partners {
			w.partners[i].populate(opening, a, group, users)
		}
		if err := group.Wait(); err != nil {
			return err
		}
		return errors.Join(settle(ctx, a), analyze(ctx, a))
	})
	return w, err
}

var analyzeAll = db.NewCommand("ANALYZE")

// analyze makes the statistics that PostgreSQL makes by itself a minute after its tables were filled, and that a
// copy of a database brings along. Without them it plans as if the tables were empty.
func analyze(ctx context.Context, a *app.App) error {
	if a.DB.Engine() != db.Postgres {
		return nil
	}
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		tx.Write(analyzeAll)
		return nil
	})
}

// with opens the data in this process. No server may have them open for long after that.
func (p place) with(ctx context.Context, f func(*app.App) error) error {
	key, err := p.masterKey()
	if err != nil {
		return err
	}
	a, err := app.Open(ctx, app.Config{
		Database: p.target(), MasterKey: key, Environment: partner.Staging, Bank: sepa.SandboxBank,
		Clock: clock.System(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return errors.Join(f(a), a.Close())
}

func (p place) masterKey() ([]byte, error) {
	return vault.LoadOrCreateFile(filepath.Join(p.folder, "master.key"))
}

// open opens a partner who has the money of its future users, and whose requests are not limited.
func (p *partnerAccess) open(ctx context.Context, a *app.App, users int) error {
	made, err := a.Partners.Create(ctx, map[string]string{
		"legalName": "Test Partner", "rateLimit": "0", "sepaLevel": "2", "locks.perMinute": "10000", "webhook.ratePerSecond": "100000", "webhook.concurrency": "32",
	})
	if err != nil {
		return err
	}
	p.id = made.ID
	if _, p.key, err = a.Partners.IssueKey(ctx, p.id); err != nil {
		return err
	}
	given, err := a.Adjustments.Propose(ctx, adjustment.Proposal{
		Partner: p.id, Amount: euros(a, int64(users)*userCents), Reason: "benchmark", By: "bench",
	})
	if err != nil {
		return err
	}
	_, err = a.Adjustments.Approve(ctx, given.ID, "bench, too")
	return err
}

func euros(a *app.App, cents int64) money.Amount {
	euro, _ := a.Catalog.Currency("eur")
	return money.New(cents, euro)
}

// populate opens the partner's users, several transactions at a time.
func (p *partnerAccess) populate(ctx context.Context, a *app.App, group *errgroup.Group, users int) {
	p.transfers = make([]clock.ID, users)
	for i := range users {
		p.users = append(p.users, fmt.Sprintf("user-%d", i))
	}
	for first := 0; first < users; first += perCommit {
		end := min(first+perCommit, users)
		group.Go(func() error {
			some := p.users[first:end]
			if err := create(ctx, a, p.id, some); err != nil {
				return err
			}
			if err := activate(ctx, a, p.id, some); err != nil {
				return err
			}
			return fund(ctx, a, p.id, some, p.transfers[first:end])
		})
	}
}

// create opens users.
func create(ctx context.Context, a *app.App, id int64, users []string) error {
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		for _, u := range users {
			if _, _, err := a.API.Users.Create(tx, id, user.New{ExternalID: u, Model: user.KYC, Person: person}); err != nil {
				return err
			}
		}
		return nil
	})
}

var person = user.Person{
	Email: "user@test.example", Phone: "+37060000000", FirstName: "Test", LastName: "User", Street: "Test Street",
	StreetNumber: "1", City: "Vilnius", PostCode: "01100", Country: "LT", Citizenship: "LT", Nationality: "LT",
	BirthCountry: "LT", BirthDate: "1990-01-01", DocumentType: "PASSPORT", DocumentNumber: "A1234567",
}

// activate verifies users.
func activate(ctx context.Context, a *app.App, id int64, users []string) error {
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		tx.Locked()
		for _, u := range users {
			if _, err := a.API.Identity.Activate(tx, id, u, person.DocumentNumber); err != nil {
				return err
			}
		}
		return nil
	})
}

// fund gives each of the users an amount of the partner's money.
func fund(ctx context.Context, a *app.App, id int64, users []string, made []clock.ID) error {
	for i, u := range users {
		err := a.DB.Update(ctx, func(tx *db.Tx) error {
			t, err := a.API.Transfers.Create(tx, id, transfer.Create{Destination: u, Amount: euros(a, userCents), Fiat: true})
			made[i] = t.ID
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle runs the workers until no event waits.
func settle(ctx context.Context, a *app.App) error {
	return workUntil(ctx, a, func(r db.Reader) (bool, error) {
		waiting, err := event.ReadBacklog(r)
		return waiting.Pending == 0, err
	})
}

// workUntil runs the workers until something is so.
func workUntil(ctx context.Context, a *app.App, done func(db.Reader) (bool, error)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, nil, app.Roles{Worker: true}) }()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case err := <-ended:
			return errors.Join(err, ctx.Err())
		case <-again.C:
		}
		ready := false
		err := a.DB.View(ctx, func(r db.Reader) (err error) {
			ready, err = done(r)
			return err
		})
		if err == nil && !ready {
			continue
		}
		stop()
		return errors.Join(err, <-ended)
	}
}
