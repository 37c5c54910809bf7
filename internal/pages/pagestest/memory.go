// Package pagestest has verifications in memory, for tests of the pages alone.
package pagestest

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"kontor/internal/fault"
	"kontor/internal/pages"
)

// Memory holds verifications by their links.
type Memory struct {
	mu     sync.Mutex
	all    map[pages.Link]*pages.Verification
	counts map[pages.Link]int // submissions that began a check
	fail   error
}

// New makes an empty Memory.
func New() *Memory {
	return &Memory{all: map[pages.Link]*pages.Verification{}, counts: map[pages.Link]int{}}
}

// Put sets a verification.
func (m *Memory) Put(l pages.Link, v pages.Verification) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[l] = &v
}

// Fail makes every call end with the error; nil ends that.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Submitted tells how many checks a link began.
func (m *Memory) Submitted(l pages.Link) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[l]
}

// Find implements pages.Verifications.
func (m *Memory) Find(_ context.Context, l pages.Link) (pages.Verification, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.all[l]
	switch {
	case m.fail != nil:
		return pages.Verification{}, m.fail
	case v == nil:
		return pages.Verification{}, fault.New(fault.InvalidUser)
	}
	found := *v
	found.Stored = slices.Clone(v.Stored)
	return found, nil
}

func (m *Memory) change(l pages.Link, change func(*pages.Verification) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.all[l]
	switch {
	case m.fail != nil:
		return m.fail
	case v == nil:
		return fault.New(fault.InvalidUser)
	case v.State != pages.Open:
		return pages.ErrEnded
	}
	return change(v)
}

// Consent implements pages.Verifications.
func (m *Memory) Consent(_ context.Context, l pages.Link) error {
	return m.change(l, func(v *pages.Verification) error {
		v.Consented = true
		return nil
	})
}

// Describe implements pages.Verifications. Machine-readable lines are right when they contain "<<".
func (m *Memory) Describe(_ context.Context, l pages.Link, d pages.Document) error {
	return m.change(l, func(v *pages.Verification) error {
		if d.MRZ != "" && !strings.Contains(d.MRZ, "<<") {
			return pages.ErrMRZ
		}
		if d.Type != v.Document.Type {
			v.Stored = nil
		}
		v.Document, v.Described = d, true
		return nil
	})
}

// Store implements pages.Verifications. What begins with "bad" is no picture.
func (m *Memory) Store(_ context.Context, l pages.Link, side pages.Side, _ string, content io.Reader) error {
	const most = 5_242_880
	text, err := io.ReadAll(io.LimitReader(content, most+1))
	switch {
	case err != nil:
		return err
	case len(text) > most:
		return fault.New(fault.FileTooLarge)
	case strings.HasPrefix(string(text), "bad"):
		return fault.New(fault.InvalidFileType)
	}
	return m.change(l, func(v *pages.Verification) error {
		if !slices.Contains(v.Stored, side) {
			v.Stored = append(v.Stored, side)
		}
		return nil
	})
}

// Submit implements pages.Verifications.
func (m *Memory) Submit(_ context.Context, l pages.Link, outcome string) error {
	return m.change(l, func(v *pages.Verification) error {
		wanted := 3
		if v.Document.Type == pages.Passport {
			wanted = 2
		}
		if !v.Consented || !v.Described || len(v.Stored) < wanted {
			return fault.New(fault.KycNotCompleted)
		}
		m.counts[l]++
		v.State = pages.Checking
		if outcome == "ACCEPT" {
			v.State = pages.Accepted
		}
		if reason, ok := strings.CutPrefix(outcome, "REJECT-"); ok {
			v.State, v.Reason = pages.Refused, reason
		}
		return nil
	})
}
