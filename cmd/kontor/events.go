package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"kontor/internal/app"
	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/page"
)

// tailEvery is how often events tail looks for more.
const tailEvery = 500 * time.Millisecond

// errRetention refuses nodes that would remove every event at once.
var errRetention = errors.New("--events-retention must be more than 0")

// eventsCommand reads the event log of a partner and has events sent again.
type eventsCommand struct {
	List   eventsList   `cmd:"" help:"List a partner's events, the newest first."`
	Show   eventsShow   `cmd:"" help:"Show an event: its body, with secrets masked, and every attempt to deliver it."`
	Resend eventsResend `cmd:"" help:"Have an event sent again, or all of a range that failed or were delivered. A running node does it."`
	Tail   eventsTail   `cmd:"" help:"Print a partner's events as they happen, until Ctrl-C."`
	Listen eventsListen `cmd:"" help:"As a partner's developer: forward the events of a running sandbox to a receiver on this machine, until Ctrl-C."`
}

// eventFilter are the flags that say which events.
type eventFilter struct {
	Partner int64  `required:"" help:"Id of the partner."`
	Event   string `help:"Only this type, such as p2p-transfer."`
	Status  string `help:"Only this state: PENDING, DELIVERED, FAILED." enum:",PENDING,DELIVERED,FAILED" default:""`
	Object  string `help:"Only events about this object."`
	From    string `help:"Only from this time on, such as 2025-08-05T10:33:54Z or 2025-08-05."`
	To      string `help:"Only before this time."`
}

func (c eventFilter) filter(limit int) (event.Filter, error) {
	f := event.Filter{Type: event.Type(c.Event), Status: c.Status, Range: page.Range{Limit: limit}}
	if c.Event != "" && !slices.Contains(event.Types(), f.Type) {
		return f, fmt.Errorf("there is no event %q; there are %v", c.Event, event.Types())
	}
	var err error
	if c.Object != "" {
		if f.Object, err = clock.ParseID(c.Object); err != nil {
			return f, errors.New("--object must be an id")
		}
	}
	for flag, moment := range map[string]struct {
		text string
		into *time.Time
	}{"--from": {c.From, &f.From}, "--to": {c.To, &f.To}} {
		if moment.text == "" {
			continue
		}
		if *moment.into, err = contract.Moment(moment.text); err != nil {
			return f, fmt.Errorf("%s %w", flag, err)
		}
	}
	return f, nil
}

type eventsList struct {
	place
	eventFilter
	Limit int  `help:"How many events." default:"50"`
	JSON  bool `name:"json" help:"Print JSON."`
}

// listedEvent is an event as the commands print it in JSON, with the names of the API.
type listedEvent struct {
	ID        string `json:"id"`
	Event     string `json:"event"`
	ObjectID  string `json:"objectId"`
	Sequence  *int64 `json:"sequence"`
	Status    string `json:"status"`
	CreatedAt string `json:"createdAt"`
	Attempts  int64  `json:"attempts"`
}

func listEvent(e event.Entry) listedEvent {
	l := listedEvent{e.ID.String(), string(e.Type), e.Object.String(), nil, e.Status, clock.Format(e.CreatedAt), e.Attempts}
	if e.Sequence > 0 {
		l.Sequence = &e.Sequence
	}
	return l
}

// Run prints events, one line each.
func (c eventsList) Run(ctx context.Context, out io.Writer) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	filter, err := c.filter(c.Limit)
	if err != nil {
		return err
	}
	d, err := c.open(ctx)
	if err != nil {
		return err
	}
	var found []event.Entry
	err = d.View(ctx, func(r db.Reader) (err error) {
		found, err = event.List(r, c.Partner, filter)
		return err
	})
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	rows, listed := [][]string{{"TIME", "SEQUENCE", "EVENT", "STATUS", "ATTEMPTS", "ID", "OBJECT"}}, []listedEvent{}
	for _, e := range found {
		rows = append(rows, eventRow(e))
		listed = append(listed, listEvent(e))
	}
	switch {
	case c.JSON:
		return printJSON(out, listed)
	case len(found) == 0:
		_, err = fmt.Fprintln(out, "no events")
		return err
	}
	return printTable(out, rows...)
}

func eventRow(e event.Entry) []string {
	sequence := "-"
	if e.Sequence > 0 {
		sequence = strconv.FormatInt(e.Sequence, 10)
	}
	return []string{when(e.CreatedAt), sequence, string(e.Type), e.Status, strconv.FormatInt(e.Attempts, 10), e.ID.String(), e.Object.String()}
}

type eventsShow struct {
	store
	Partner int64  `required:"" help:"Id of the partner."`
	ID      string `arg:"" help:"Id of the event, which deliveries carry in webhook-id."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// listedTry is an attempt. What the receiver answered is the partner's own business and is not printed.
type listedTry struct {
	Time       string `json:"time"`
	Status     string `json:"status"`
	DurationMS int64  `json:"durationMs"`
}

// Run prints one event with its body and its attempts.
func (c eventsShow) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	id, err := clock.ParseID(c.ID)
	if err != nil {
		return errors.New("that is not the id of an event")
	}
	a, err := c.reader(ctx, log)
	if err != nil {
		return err
	}
	var e event.Detail
	err = a.DB.Snapshot(ctx, func(r db.Reader) (err error) {
		e, err = a.API.Events.Find(r, c.Partner, id)
		return err
	})
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	tries, rows := []listedTry{}, [][]string{{"TIME", "STATUS", "MS"}}
	for _, t := range e.Tries {
		tries = append(tries, listedTry{clock.Format(t.At), t.Outcome, t.Took.Milliseconds()})
		rows = append(rows, []string{when(t.At), t.Outcome, strconv.FormatInt(t.Took.Milliseconds(), 10)})
	}
	if c.JSON {
		return printJSON(out, struct {
			listedEvent
			Body     json.RawMessage `json:"body"`
			Attempts []listedTry     `json:"attempts"` // in place of their number
		}{listEvent(e.Entry), e.Body, tries})
	}
	fmt.Fprintf(out, "%s %s about %s, %s\n%s\n\n", e.Type, e.ID, e.Object, e.Status, e.Body)
	return printTable(out, rows...)
}

type eventsResend struct {
	store
	Partner int64  `required:"" help:"Id of the partner."`
	ID      string `arg:"" optional:"" help:"Id of the event. Without it, a range: --from."`
	From    string `help:"Events from this time on, such as 2025-08-05T10:33:54Z or 2025-08-05."`
	To      string `help:"Events before this time; now, when it is left out."`
	Status  string `help:"Which events of the range." enum:"FAILED,DELIVERED" default:"FAILED"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run queues the redelivery.
func (c eventsResend) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if (c.ID == "") == (c.From == "") {
		return errors.New("name one event, or a range with --from")
	}
	var count int64
	err := c.with(ctx, log, func(a *app.App) error {
		return a.DB.Update(ctx, func(tx *db.Tx) (err error) {
			count, err = c.queue(tx, a)
			return err
		})
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out, map[string]int64{"events": count})
	}
	_, err = fmt.Fprintf(out, "%d events will be sent again\n", count)
	return err
}

func (c eventsResend) queue(tx *db.Tx, a *app.App) (int64, error) {
	if c.ID != "" {
		id, err := clock.ParseID(c.ID)
		if err != nil {
			return 0, errors.New("that is not the id of an event")
		}
		return a.API.Events.Redeliver(tx, c.Partner, id)
	}
	f, err := eventFilter{From: c.From, To: c.To}.filter(1)
	if err != nil {
		return 0, err
	}
	if f.To.IsZero() {
		f.To = a.API.Clock.Now()
	}
	return a.API.Events.RedeliverRange(tx, c.Partner, c.Status, f.From, f.To)
}

type eventsTail struct {
	place
	Partner int64 `required:"" help:"Id of the partner."`
	JSON    bool  `name:"json" help:"Print JSON, one event a line."`
}

// Run prints the events that get their number from now on, in the order of their sequence.
func (c eventsTail) Run(ctx context.Context, out io.Writer) error {
	d, err := c.open(ctx)
	if ctx.Err() != nil {
		return nil // Ctrl-C
	}
	if err != nil {
		return err
	}
	return errors.Join(c.follow(ctx, out, d), d.Close())
}

func (c eventsTail) follow(ctx context.Context, out io.Writer, d *db.DB) error {
	last := int64(-1)
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		var found []event.Entry
		err := d.View(ctx, func(r db.Reader) (err error) {
			if last < 0 {
				last, err = event.Last(r, c.Partner)
				return err
			}
			found, err = event.Following(r, c.Partner, last, 200)
			return err
		})
		if ctx.Err() != nil {
			return nil // Ctrl-C
		}
		if err != nil {
			return err
		}
		for _, e := range found {
			if err := c.print(out, e); err != nil {
				return err
			}
			last = e.Sequence
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c eventsTail) print(out io.Writer, e event.Entry) error {
	if c.JSON {
		return printJSON(out, listEvent(e))
	}
	_, err := fmt.Fprintf(out, "%s  %d  %s  %s  %s\n", when(e.CreatedAt), e.Sequence, e.Type, e.ID, e.Object)
	return err
}
