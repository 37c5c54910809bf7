package httpapi

import (
	"net/http"
	"strconv"

	"kontor/internal/clock"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/partner"
)

// ListEvents answers a page of the partner's event log.
func (a *api) ListEvents(w http.ResponseWriter, r *http.Request, _ oas.ListEventsParams) {
	read(a, w, r, "listEvents", func(rd db.Reader, p partner.Partner) (oas.EventPage, error) {
		query := r.URL.Query()
		filter := event.Filter{Type: event.Type(query.Get("event")), Status: query.Get("status")}
		if query.Has("objectId") {
			var err error
			if filter.Object, err = clock.ParseID(query.Get("objectId")); err != nil {
				return oas.EventPage{}, err
			}
		}
		l, err := a.listing(r, "events", string(filter.Type), filter.Status, filter.Object.String())
		if err != nil {
			return oas.EventPage{}, err
		}
		filter.Range = l.Range
		filter.Limit++ // one more tells whether there is another page
		found, err := event.List(rd, p.ID, filter)
		if err != nil {
			return oas.EventPage{}, err
		}
		out := oas.EventPage{Events: []oas.Event{}}
		for _, e := range found[:min(len(found), l.Limit)] {
			out.Events = append(out.Events, oas.Event{
				Id: e.ID.String(), Event: oas.EventType(e.Type), ObjectId: e.Object.String(), Sequence: sequence(e),
				Status: oas.EventStatus(e.Status), CreatedAt: clock.Format(e.CreatedAt), Attempts: int(e.Attempts),
			})
		}
		if len(found) > l.Limit {
			out.NextCursor, err = a.next(l, found[l.Limit-1].Position(), true)
		}
		return out, err
	})
}

// sequence is null until the event has one.
func sequence(e event.Entry) *int {
	if e.Sequence == 0 {
		return nil
	}
	n := int(e.Sequence)
	return &n
}

// GetEvent answers an event with its body and its attempts.
func (a *api) GetEvent(w http.ResponseWriter, r *http.Request, eventID string) {
	readFrom(a, w, r, a.DB.Snapshot, "getEvent", func(rd db.Reader, p partner.Partner) (oas.EventDetails, error) {
		id, err := eventWithID(eventID)
		if err != nil {
			return oas.EventDetails{}, err
		}
		e, err := a.Events.Find(rd, p.ID, id)
		if err != nil {
			return oas.EventDetails{}, err
		}
		out := oas.EventDetails{
			Id: e.ID.String(), Event: oas.EventType(e.Type), ObjectId: e.Object.String(), Sequence: sequence(e.Entry),
			Status: oas.EventStatus(e.Status), CreatedAt: clock.Format(e.CreatedAt), Body: e.Body,
			Attempts: []oas.EventAttempt{},
		}
		for _, t := range e.Tries {
			out.Attempts = append(out.Attempts, oas.EventAttempt{
				Time: clock.Format(t.At), Status: t.Outcome, DurationMs: int(t.Took.Milliseconds()), Answer: t.Answer,
			})
		}
		return out, nil
	})
}

// eventWithID reads the id of an event from the path; what is no id is no event's.
func eventWithID(text string) (clock.ID, error) {
	id, err := clock.ParseID(text)
	if err != nil {
		return id, fault.New(fault.EventNotFound)
	}
	return id, nil
}

// RedeliverEvent has an event sent again.
func (a *api) RedeliverEvent(w http.ResponseWriter, r *http.Request, eventID string, _ oas.RedeliverEventParams) {
	change(a, w, r, "redeliverEvent", func(tx *db.Tx, p partner.Partner, _ struct{}) (result, error) {
		id, err := eventWithID(eventID)
		if err != nil {
			return result{}, err
		}
		count, err := a.Events.Redeliver(tx, p.ID, id)
		return result{status: http.StatusAccepted, body: oas.Redelivery{Events: int(count)}, object: id}, err
	})
}

// RedeliverEvents has the events of a range sent again.
func (a *api) RedeliverEvents(w http.ResponseWriter, r *http.Request, _ oas.RedeliverEventsParams) {
	change(a, w, r, "redeliverEvents", func(tx *db.Tx, p partner.Partner, body oas.RedeliverEvents) (result, error) {
		from, err := contract.Moment(body.From)
		if err != nil {
			return result{}, err
		}
		until := a.Clock.Now()
		if body.To != nil {
			if until, err = contract.Moment(*body.To); err != nil {
				return result{}, err
			}
			if until.Before(from) {
				return result{}, fault.Invalid("from must not be later than to")
			}
		}
		status := event.Failed
		if body.Status != nil {
			status = string(*body.Status)
		}
		count, err := a.Events.RedeliverRange(tx, p.ID, status, from, until)
		return result{status: http.StatusAccepted, body: oas.Redelivery{Events: int(count)}}, err
	})
}

// SandboxListEvents answers events in the order of their sequence, for a receiver on a developer's machine.
func (a *api) SandboxListEvents(w http.ResponseWriter, r *http.Request, _ oas.SandboxListEventsParams) {
	readFrom(a, w, r, a.DB.Snapshot, "sandboxListEvents", func(rd db.Reader, p partner.Partner) (oas.SandboxEvents, error) {
		out := oas.SandboxEvents{Events: []oas.SandboxEvent{}}
		last, err := event.Last(rd, p.ID)
		query := r.URL.Query()
		out.Last = int(last)
		if err != nil || !query.Has("after") {
			return out, err
		}
		after, err := strconv.ParseInt(query.Get("after"), 10, 64)
		if err != nil {
			return out, err
		}
		limit := defaultLimit
		if query.Has("limit") {
			if limit, err = strconv.Atoi(query.Get("limit")); err != nil {
				return out, err
			}
		}
		found, err := a.Events.After(rd, p.ID, after, limit)
		for _, e := range found {
			out.Events = append(out.Events, oas.SandboxEvent{
				Id: e.ID.String(), Event: oas.EventType(e.Type), Path: a.Contract.Webhook(string(e.Type)).Path,
				Sequence: int(e.Sequence), CreatedAt: clock.Format(e.CreatedAt), Body: e.Body,
			})
		}
		return out, err
	})
}
