package trace

import (
	"context"
	"log/slog"
)

type requestKey struct{}

// WithRequest answers a context in which a request of an id is served.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// Request is the id of the request that is served; empty when there is none.
func Request(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// LogHandler adds the request's id to every log line that is written with the request's context.
func LogHandler(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ slog.Handler }

// Handle writes a line.
func (h handler) Handle(ctx context.Context, line slog.Record) error {
	if id := Request(ctx); id != "" {
		line = line.Clone() // what a record shares with its copies must not be appended to
		line.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs answers a handler for lines with further attributes.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup answers a handler for lines whose attributes stand in a group.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
