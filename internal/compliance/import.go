package compliance

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance/watchlist"
	"kontor/internal/db"
	"kontor/internal/job"
)

// How lists are stored.
const (
	partSize    = 256 << 10 // bytes
	partsAtOnce = 16        // in one transaction
	abandoned   = 24 * time.Hour
	fewestLeft  = 80 // per cent of the entries of the list before
)

// rescreenDelay is how long after an import the users are screened again: by then every node has the list, and
// requests that were judged by the old one have ended.
const rescreenDelay = time.Minute

// Why an import is refused. The errors wrap these.
var (
	ErrSameList  = errors.New("this very file is in use already")
	ErrOlderList = errors.New("the file is older than the list in use")
	ErrFewer     = errors.New("the file has far fewer persons than the list in use; it may be cut off")
)

var (
	insertPart = db.NewInsert("screening_part", "list_id uuid, number bigint, content bytes, created_at bigint")
	insertList = db.NewInsert("screening_list", `id uuid, source text, format text, list_date text, hash text, entities bigint,
		skipped bigint, parts bigint, number bigint, imported_at bigint`)
	// What an import that did not end has left goes with the content of the list before.
	deleteParts = db.NewCommand(`
		DELETE FROM screening_part WHERE list_id IN (SELECT id FROM screening_list WHERE source = $1 AND number < $2)
			OR (created_at < $3 AND list_id NOT IN (SELECT id FROM screening_list))`)
)

// Import reads a list from its published file and puts it into use on all nodes: at once here, within seconds
// elsewhere. A minute later all users are screened again. Memory is needed for one entry at a time; what an
// import leaves that does not end is never in use. fewer accepts a list that has lost more than a fifth of its
// persons, which is otherwise taken for a file that is cut off. Errors wrap ErrSameList, ErrOlderList, ErrFewer.
func (s *Service) Import(ctx context.Context, source string, file io.Reader, fewer bool) (Watchlist, error) {
	p := &packer{service: s, ctx: ctx, list: clock.NewID()}
	z := gzip.NewWriter(p)
	sum, err := watchlist.Read(source, file, func(e watchlist.Entity) error {
		if err := json.MarshalWrite(z, e); err != nil {
			return err
		}
		_, err := z.Write([]byte{'\n'})
		return err
	})
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = p.flush(true)
	}
	if err != nil {
		return Watchlist{}, err
	}
	l := Watchlist{
		ID: p.list, Source: source, Format: sum.Format, Date: sum.Date, Hash: sum.Hash, Entities: int64(sum.Entities),
		Skipped: int64(sum.Skipped), ImportedAt: s.Clock.Now(), parts: p.number,
	}
	if l.Date == "" {
		l.Date = l.ImportedAt.UTC().Format(time.DateOnly)
	}
	l.Unnamed, l.Places = int64(sum.Unnamed), sum.Places
	err = s.DB.Update(ctx, func(tx *db.Tx) error { return s.use(ctx, tx, &l, fewer) })
	if err != nil {
		return Watchlist{}, err
	}
	return l, s.Load(ctx)
}

// use puts a list whose content is stored into the place of the one before.
func (s *Service) use(ctx context.Context, tx *db.Tx, l *Watchlist, fewer bool) error {
	all, err := Lists(tx)
	if err != nil {
		return err
	}
	l.number = 1
	for _, now := range all {
		if now.Source != l.Source {
			continue
		}
		switch {
		case now.Hash == l.Hash:
			return fmt.Errorf("%w: %s", ErrSameList, now.Version())
		case l.Date < now.Date:
			return fmt.Errorf("%w: it is of %s, the list in use is %s", ErrOlderList, l.Date, now.Version())
		case !fewer && 100*l.Entities < fewestLeft*now.Entities:
			return fmt.Errorf("%w: %d, and before %d", ErrFewer, l.Entities, now.Entities)
		}
		l.number = now.number + 1
	}
	tx.Write(insertList, l.ID, l.Source, l.Format, l.Date, l.Hash, l.Entities, l.Skipped, l.parts, l.number, l.ImportedAt)
	tx.Write(deleteParts, l.Source, l.number, time.Now().Add(-abandoned))
	job.Enqueue(tx, 0, RescreenJob, l.ID, s.Clock.Now().Add(rescreenDelay))
	return audit.Write(tx, audit.Entry{
		Actor: audit.Actor(ctx), Action: "screening.import", Object: l.ID.String(), Details: map[string]any{
			"source": l.Source, "format": l.Format, "date": l.Date, "hash": l.Hash, "entities": l.Entities, "skipped": l.Skipped,
			"unnamed": l.Unnamed, "unnamedPlaces": l.Places,
		},
	})
}

// packer stores what is written to it in parts.
type packer struct {
	service *Service
	ctx     context.Context
	list    clock.ID
	number  int64
	buffer  bytes.Buffer
}

// Write stores parts when there are enough of them.
func (p *packer) Write(content []byte) (int, error) {
	n, err := p.buffer.Write(content)
	if err == nil && p.buffer.Len() >= partSize*partsAtOnce {
		err = p.flush(false)
	}
	return n, err
}

// flush stores the whole parts of what has come so far, and at the end the rest.
func (p *packer) flush(end bool) error {
	var parts [][]byte
	for p.buffer.Len() >= partSize || end && p.buffer.Len() > 0 {
		parts = append(parts, bytes.Clone(p.buffer.Next(partSize)))
	}
	err := p.service.DB.Update(p.ctx, func(tx *db.Tx) error {
		for i, part := range parts {
			tx.Write(insertPart, p.list, p.number+int64(i)+1, part, time.Now())
		}
		return nil
	})
	p.number += int64(len(parts))
	return err
}
