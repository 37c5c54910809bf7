package compliance

import (
	"context"
	"errors"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
)

// RescreenJob is the job that screens all users again. Its object is the list that came into use.
const RescreenJob = "compliance-rescreen"

// rescreenBatch is how many users are screened between two notes of how far the walk has come.
const rescreenBatch = 100

// Position is a user's place in the walk: by partner ascending, then from the newest user to the oldest. The zero
// value is the beginning.
type Position struct {
	Partner int64
	At      time.Time // when the user was created
	User    clock.ID
}

// Candidate is a user to be screened again.
type Candidate struct {
	Subject
	At time.Time // when the user was created
}

// Population knows the users.
type Population interface {
	// Next answers users behind a position, in the order of the walk, at most limit of them; none at the end.
	// It may leave out users whom nobody has to watch: those who were never accepted and are not under review,
	// and deleted ones.
	Next(ctx context.Context, after Position, limit int) ([]Candidate, error)
}

var (
	selectSource = db.NewQuery(`SELECT source FROM screening_list WHERE id = $1`)
	selectRun    = db.NewQuery(`SELECT partner_id, user_at, user_id, screened, cases, finished_at FROM screening_run WHERE list_id = $1`)
	insertRun    = db.NewInsert("screening_run", `list_id uuid, partner_id bigint, user_at bigint, user_id uuid, screened bigint,
		cases bigint, started_at bigint, finished_at bigint`)
	updateRun = db.NewCommand(`
		UPDATE screening_run SET partner_id = $2, user_at = $3, user_id = $4, screened = $5, cases = $6, finished_at = $7
		WHERE list_id = $1`)
)

// Progress is how far the screening after a change of the lists has come.
type Progress struct {
	Position
	Screened   int64
	Cases      int64     // opened, or added to
	FinishedAt time.Time // zero while it goes on
}

// FindProgress reads how far the screening because of a list has come; false before it has begun.
func FindProgress(r db.Reader, list clock.ID) (p Progress, begun bool, err error) {
	err = r.Row(selectRun, list).Scan(&p.Partner, &p.At, &p.User, &p.Screened, &p.Cases, &p.FinishedAt)
	if errors.Is(err, db.ErrNoRows) {
		return Progress{}, false, nil
	}
	return p, err == nil, err
}

// Rescreen is the handler of RescreenJob. It screens everybody once for each list that came into use, and opens
// a case for what is new, with the user frozen in the same transaction, unless it is the countries of high risk that have
// changed. It goes on where an earlier run stopped;
// what that run did after its last note is done again, and finds nothing new.
func (s *Service) Rescreen(ctx context.Context, j job.Job) error {
	if err := s.Load(ctx); err != nil {
		return err
	}
	var p Progress
	var source string
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		err := tx.Row(selectSource, j.Object).Scan(&source)
		if err != nil {
			return err
		}
		var begun bool
		if p, begun, err = FindProgress(tx, j.Object); err == nil && !begun {
			tx.Write(insertRun, j.Object, p.Partner, p.At, p.User, 0, 0, s.Clock.Now(), time.Time{})
		}
		return err
	})
	again := s.rescreen
	if source == riskSource {
		again = s.rerate
	}
	for err == nil && p.FinishedAt.IsZero() {
		if err = ctx.Err(); err == nil {
			err = s.rescreenBatch(ctx, j.Object, &p, again)
		}
	}
	return err
}

// screenAgain screens a user again, and tells whether a case was opened or added to.
type screenAgain func(ctx context.Context, sub Subject) (opened bool, err error)

func (s *Service) rescreenBatch(ctx context.Context, list clock.ID, p *Progress, again screenAgain) error {
	batch, err := s.population.Next(ctx, p.Position, rescreenBatch)
	if err != nil {
		return err
	}
	for _, c := range batch {
		opened, err := again(ctx, c.Subject)
		if err != nil {
			return err
		}
		p.Position = Position{Partner: c.Partner, At: c.At, User: c.User}
		p.Screened++
		if opened {
			p.Cases++
		}
	}
	if len(batch) == 0 {
		p.FinishedAt = s.Clock.Now()
		s.Log.Info("all users were screened again", "list", list.String(), "screened", p.Screened, "cases", p.Cases)
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		tx.Write(updateRun, list, p.Partner, p.At, p.User, p.Screened, p.Cases, p.FinishedAt)
		return nil
	})
}

// rescreen looks for a user on the lists; countries, age and other users have not changed with them.
func (s *Service) rescreen(ctx context.Context, sub Subject) (opened bool, err error) {
	l := s.lists.Load()
	return s.again(ctx, sub, Result{ListVersion: l.version, Findings: s.listed(l, sub)}, true)
}

// again opens a case on what a later look at a user found and no earlier one did, and stops the user if asked to.
func (s *Service) again(ctx context.Context, sub Subject, r Result, stop bool) (opened bool, err error) {
	if !r.Flagged() {
		return false, nil
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		fresh, err := unknown(tx, sub, r)
		if opened = err == nil && fresh.Flagged(); !opened {
			return err
		}
		_, err = s.open(tx, sub, Rescreening, fresh, stop)
		return err
	})
	return opened, err
}
