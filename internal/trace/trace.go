// Package trace joins what one request leaves behind, by the request's id: its log lines, and, when a collector
// is configured, its spans in OpenTelemetry. Spans name routes by their pattern; they hold no path, body, error
// text or amount.
//
// A nil Tracer follows nothing and costs nothing.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"kontor/internal/fault"
)

// endpoints are the variables of OpenTelemetry that name a collector.
var endpoints = []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}

// Tracer makes spans.
type Tracer struct {
	provider *trace.TracerProvider
	tracer   api.Tracer
}

// Start makes the Tracer that OpenTelemetry's environment variables describe; nil when none of them names a
// collector. Spans are sent by OTLP over HTTP, in the background: a collector that is away costs spans, which
// is logged, and no time.
func Start(ctx context.Context, log *slog.Logger) (*Tracer, error) {
	configured := false
	for _, name := range endpoints {
		configured = configured || os.Getenv(name) != ""
	}
	if !configured {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("tracing", "error", err) }))
	return newTracer(ctx, trace.WithBatcher(exporter))
}

func newTracer(ctx context.Context, spans trace.TracerProviderOption) (*Tracer, error) {
	service, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "kontor")), resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithFromEnv()) // last: OTEL_SERVICE_NAME wins
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	provider := trace.NewTracerProvider(spans, trace.WithResource(service))
	return &Tracer{provider: provider, tracer: provider.Tracer("kontor")}, nil
}

// Close sends what is waiting.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Span is a request that is being followed.
type Span struct{ span api.Span }

// Begin begins to follow a request. A trace that the caller says it belongs to is not continued: partners do
// not decide what the operator's collector gets.
func (t *Tracer) Begin(ctx context.Context, method string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	ctx, span := t.tracer.Start(ctx, method, api.WithSpanKind(api.SpanKindServer), api.WithNewRoot(),
		api.WithAttributes(attribute.String("kontor.request_id", Request(ctx)), attribute.String("http.request.method", method)))
	return ctx, &Span{span}
}

// End ends the request's span, now that its route, its partner and its answer are known.
func (s *Span) End(method, route string, status int, partner int64) {
	if s == nil {
		return
	}
	s.span.SetName(strings.TrimSpace(method + " " + route))
	s.span.SetAttributes(attribute.String("http.route", route), attribute.Int("http.response.status_code", status),
		attribute.Int64("kontor.partner", partner))
	s.span.End()
}

// Fail marks the request's span as failed by the platform's fault, with the code of the error. The status of
// the answer does not tell: the contract has 400 for these as well.
func Fail(ctx context.Context, code fault.Code) {
	span := api.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("error.type", string(code)))
	span.SetStatus(codes.Error, "")
}

// Transaction follows a transaction of the database within a request that is followed. Those of the workers,
// which poll several times a second, are not.
func (t *Tracer) Transaction(ctx context.Context, kind string) (end func(attempts int, err error)) {
	if t == nil || !api.SpanFromContext(ctx).IsRecording() {
		return nil
	}
	_, span := t.tracer.Start(ctx, "database "+kind, api.WithAttributes(attribute.String("kontor.request_id", Request(ctx))))
	return func(attempts int, err error) {
		span.SetAttributes(attribute.Int("kontor.attempts", attempts))
		var refusal *fault.Error
		if errors.As(err, &refusal) {
			span.SetAttributes(attribute.String("error.type", string(refusal.Code)))
			if refusal.Code == fault.ServiceUnavailable {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}
