package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"kontor/internal/fault"
)

func TestSpansOfARequestBelongTogether(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	tracer, err := newTracer(t.Context(), sdk.WithSyncer(spans))
	if err != nil {
		t.Fatal(err)
	}
	if end := tracer.Transaction(t.Context(), "view"); end != nil {
		t.Error("a transaction of no request is followed")
	}
	ctx, request := tracer.Begin(WithRequest(t.Context(), "the-request"), "POST")
	tracer.Transaction(ctx, "update")(2, fault.New(fault.InsufficientFunds).Wrap(errors.New("secret")))
	tracer.Transaction(ctx, "view")(1, errors.New("secret"))
	Fail(ctx, fault.UnknownException)
	request.End("POST", "/v1/transfer", 400, 7)

	got := spans.GetSpans()
	if len(got) != 3 {
		t.Fatalf("%d spans", len(got))
	}
	for i, name := range []string{"database update", "database view", "POST /v1/transfer"} {
		s := got[i]
		attributes := map[string]string{}
		for _, a := range s.Attributes {
			attributes[string(a.Key)] = a.Value.String()
		}
		if s.Name != name || attributes["kontor.request_id"] != "the-request" || s.SpanContext.TraceID() != got[2].SpanContext.TraceID() {
			t.Errorf("span %q, want %q of the request: %v", s.Name, name, attributes)
		}
		if i < 2 && s.Parent.SpanID() != got[2].SpanContext.SpanID() {
			t.Errorf("span %q is not below the request", name)
		}
		text, err := json.Marshal(s)
		if err != nil || bytes.Contains(text, []byte("secret")) {
			t.Errorf("span %q holds the text of an error (%v)", name, err)
		}
	}
	if got[0].Status.Code != 0 || got[2].Status.Code != 1 {
		t.Errorf("states are %v and %v: a refusal is not a failure", got[0].Status, got[2].Status)
	}
}

func TestCollectorIsFoundByTheEnvironment(t *testing.T) {
	for _, name := range endpoints {
		t.Setenv(name, "")
	}
	if tracer, err := Start(t.Context(), slog.New(slog.DiscardHandler)); tracer != nil || err != nil {
		t.Fatalf("without a collector: %v, %v", tracer, err)
	}
	received := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte("the-request")) && bytes.Contains(body, []byte("kontor")) {
			received <- r.URL.Path
		}
	}))
	defer collector.Close()
	t.Setenv(endpoints[0], collector.URL)
	tracer, err := Start(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Begin(WithRequest(t.Context(), "the-request"), "GET")
	span.End("GET", "/healthz", 200, 0)
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case path := <-received:
		if path != "/v1/traces" {
			t.Errorf("sent to %s", path)
		}
	default:
		t.Error("nothing arrived before the end")
	}
}

func TestNoTracerCostsNothing(t *testing.T) { // alone, because it counts allocations
	var off *Tracer
	ctx := WithRequest(t.Context(), "id")
	allocations := testing.AllocsPerRun(100, func() {
		_, span := off.Begin(ctx, "GET")
		if off.Transaction(ctx, "view") != nil {
			t.Error("it follows")
		}
		span.End("GET", "/healthz", 200, 0)
	})
	if err := off.Close(ctx); err != nil || allocations > 0 {
		t.Errorf("%v allocations, %v", allocations, err)
	}
}

func TestLinesBearTheRequest(t *testing.T) {
	t.Parallel()
	line := func(write func(log *slog.Logger)) (attributes map[string]any) {
		t.Helper()
		var out bytes.Buffer
		write(slog.New(LogHandler(slog.NewJSONHandler(&out, nil))))
		if err := json.Unmarshal(out.Bytes(), &attributes); err != nil {
			t.Fatal(err)
		}
		return attributes
	}
	ctx := WithRequest(context.Background(), "the-request")
	for name, got := range map[string]map[string]any{
		"plain":           line(func(log *slog.Logger) { log.InfoContext(ctx, "m", "a", 1) }),
		"with attributes": line(func(log *slog.Logger) { log.With("a", 1).ErrorContext(ctx, "m") }),
	} {
		if got["request_id"] != "the-request" || got["a"] == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := line(func(log *slog.Logger) { log.Info("m") }); got["request_id"] != nil {
		t.Errorf("a line of no request has one: %v", got)
	}
}
