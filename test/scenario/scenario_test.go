package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	files := readAll(t)
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			shared := start(t, engine)
			for _, f := range files {
				t.Run(f.path, func(t *testing.T) {
					t.Parallel()
					p := shared
					if f.Deployment != nil {
						p = f.Deployment.start(t, engine)
					}
					newRun(t, p, f).play(t)
				})
			}
		})
	}
}

// run is one scenario on one engine.
type run struct {
	file    *file
	callers map[string]*caller // "" and, when the scenario has one, "other"
	vars    vars
}

func newRun(t *testing.T, p *platform, f *file) *run {
	t.Helper()
	r := &run{file: f, vars: vars{}, callers: map[string]*caller{"": p.newCaller(t, f.Settings)}}
	if f.Given.Other != nil || slices.ContainsFunc(f.Steps, func(s *step) bool { return s.As == "other" }) {
		r.callers["other"] = p.newCaller(t, f.Settings)
	}
	return r
}

func (r *run) play(t *testing.T) {
	t.Helper()
	r.callers[""].prepare(t, r.file.Given)
	if other := r.file.Given.Other; other != nil {
		r.callers["other"].prepare(t, *other)
	}
	for i, s := range r.file.Steps {
		name := fmt.Sprintf("step %d (%s)", i+1, s.Call)
		if s.Operator != nil {
			name = fmt.Sprintf("step %d (the operator)", i+1)
		} else if s.That != "" {
			name = fmt.Sprintf("step %d, which %s (%s)", i+1, s.That, s.Call)
		}
		if err := r.step(t, s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for as, c := range r.callers {
		undelivered := 0
		if as == "" {
			undelivered = r.file.Undelivered
		}
		c.finish(t, undelivered)
	}
}

// step makes the calls of a step and checks the answers and the webhooks.
func (r *run) step(t *testing.T, s *step) error {
	t.Helper()
	c := r.callers[s.As]
	maps.Copy(r.vars, vars{"key": c.key, "webhook": c.url})
	if s.Operator != nil {
		if err := s.Operator.run(t.Context(), c, r.vars); err != nil {
			return err
		}
		return r.await(t, s, c)
	}
	variants, err := s.variants(r.vars)
	if err != nil {
		return err
	}
	if s.Parallel > 0 {
		if err := r.race(t.Context(), s, c, variants); err != nil {
			return err
		}
		return r.await(t, s, c)
	}
	for _, v := range variants {
		maps.Copy(r.vars, v)
		err := r.eventually(t.Context(), s, c)
		if err == nil {
			err = r.await(t, s, c)
		}
		if err != nil && len(v) > 0 {
			err = fmt.Errorf("with %s: %w", show(v), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// request is a call with everything filled in.
type request struct {
	method, path string
	headers      http.Header
	body         []byte
}

func (s *step) request(v vars) (request, error) {
	text, err := v.text(s.Call)
	if err != nil {
		return request{}, err
	}
	method, path, _ := strings.Cut(text, " ")
	if _, err := url.Parse(path); err != nil {
		return request{}, err
	}
	q := request{method: method, path: strings.TrimSpace(path), headers: http.Header{}}
	for name, n := range s.Headers {
		if q.headers[name], err = v.texts(&n); err != nil {
			return request{}, err
		}
	}
	if s.Files != nil {
		return q, q.attach(s.Files, s.CutOff, v)
	}
	q.body, err = s.payload(v)
	return q, err
}

// texts are a header's values: none for null, several for a list.
func (v vars) texts(n *yaml.Node) ([]string, error) {
	value, err := v.value(n)
	switch value := value.(type) {
	case nil:
		return nil, err
	case []any:
		var all []string
		for _, item := range value {
			all = append(all, fmt.Sprint(item))
		}
		return all, err
	default:
		return []string{fmt.Sprint(value)}, err
	}
}

// eventually makes the call of a step, again and again where it says so, until the answer is as it should be.
func (r *run) eventually(ctx context.Context, s *step, c *caller) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		known := maps.Clone(r.vars)
		err := r.once(ctx, s, c)
		if err == nil || !s.Eventually {
			return err
		}
		r.vars = known
		select {
		case <-again.C:
		case <-late:
			return err
		}
	}
}

// once makes the call of a step that has one.
func (r *run) once(ctx context.Context, s *step, c *caller) error {
	q, err := s.request(r.vars)
	if err != nil {
		return err
	}
	a, err := c.send(ctx, q.method, q.path, q.headers, q.body)
	if err != nil {
		return err
	}
	if a.status != s.Status {
		return fmt.Errorf("status %d, want %d: %s", a.status, s.Status, a.body)
	}
	return s.judge(a, r.vars)
}

// judge compares an answer with what the step says of it.
func (s *step) judge(a *answer, v vars) error {
	var diffs []string
	for _, part := range []struct {
		want    *yaml.Node
		partial bool
	}{{&s.Answer, false}, {&s.AnswerContains, true}} {
		if part.want.IsZero() {
			continue
		}
		want, err := v.value(part.want)
		if err != nil {
			return err
		}
		diffs = append(diffs, match(want, a.json, v, part.partial)...)
	}
	for name, n := range s.AnswerHeaders {
		want, err := v.value(&n)
		if err != nil {
			return err
		}
		var got any
		if a.header.Values(name) != nil {
			got = a.header.Get(name)
		}
		diffs = append(diffs, match(map[string]any{name: want}, map[string]any{name: got}, v, false)...)
	}
	for _, words := range s.Page {
		want, err := v.text(words)
		if err != nil {
			return err
		}
		if !a.isPage() || !strings.Contains(string(a.body), want) {
			diffs = append(diffs, fmt.Sprintf("the page does not say %q", want))
		}
	}
	if len(diffs) > 0 {
		return fmt.Errorf("%s\nin the answer %d %s", strings.Join(diffs, "\n"), a.status, a.body)
	}
	return nil
}

// race makes a step's calls at once and counts the answers.
func (r *run) race(ctx context.Context, s *step, c *caller, variants []vars) error {
	var requests []request
	for i := range s.Parallel {
		for _, variant := range variants {
			v := maps.Clone(r.vars)
			maps.Copy(v, variant)
			v["i"] = json.Number(strconv.Itoa(i + 1))
			q, err := s.request(v)
			if err != nil {
				return err
			}
			requests = append(requests, q)
		}
	}
	answers, failures := make([]*answer, len(requests)), make([]error, len(requests))
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i, q := range requests {
		all.Go(func() {
			<-begin
			answers[i], failures[i] = c.send(ctx, q.method, q.path, q.headers, q.body)
		})
	}
	close(begin)
	all.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return s.count(answers, r.vars)
}

// count judges the answers to parallel calls.
func (s *step) count(answers []*answer, v vars) error {
	statuses, codes, replayed := map[int]int{}, map[string]int{}, 0
	var first *answer
	for _, a := range answers {
		statuses[a.status]++
		if a.header.Get("Idempotent-Replayed") == "true" {
			replayed++
		}
		if a.status >= 300 {
			codes[a.code()]++
			continue
		}
		if err := s.judge(a, v); err != nil {
			return err
		}
		if first == nil {
			first = a
		}
		if s.Identical && !bytes.Equal(first.body, a.body) {
			return fmt.Errorf("answers differ: %s and %s", first.body, a.body)
		}
	}
	if !maps.Equal(statuses, s.Statuses) || !maps.Equal(codes, s.Codes) || replayed != s.Replayed {
		return fmt.Errorf("statuses %v, codes %v, %d replayed; want %v, %v, %d",
			statuses, codes, replayed, s.Statuses, s.Codes, s.Replayed)
	}
	return nil
}
