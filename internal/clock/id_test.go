package clock_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"kontor/internal/clock"
)

const sample = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"

func TestNewIDIsAscendingVersion7(t *testing.T) {
	t.Parallel()
	previous := clock.NewID()
	for range 10_000 {
		id := clock.NewID()
		if bytes.Compare(id[:], previous[:]) <= 0 {
			t.Fatalf("%s came after %s", id, previous)
		}
		previous = id
	}
	if s := previous.String(); len(s) != 36 || s[14] != '7' || !strings.ContainsRune("89ab", rune(s[19])) {
		t.Errorf("%s is not a UUID of version 7", s)
	}
	if previous.IsZero() || !(clock.ID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	id, err := clock.ParseID(sample)
	if err != nil || id.String() != sample {
		t.Fatalf("got %s, %v", id, err)
	}
	if upper, err := clock.ParseID(strings.ToUpper(sample)); err != nil || upper != id {
		t.Errorf("upper case: got %s, %v", upper, err)
	}
	for _, text := range []string{
		"",
		"none",
		strings.ReplaceAll(sample, "-", ""),
		"{" + sample + "}",
		"urn:uuid:" + sample,
		" " + sample,
		sample + "0",
		strings.Replace(sample, "0190a1b2-", "0190a1b-2", 1),
		strings.Replace(sample, "a1b2", "a1g2", 1),
		strings.Repeat("-", 36),
		strings.Repeat("é", 18),
	} {
		if got, err := clock.ParseID(text); err == nil || !got.IsZero() {
			t.Errorf("ParseID(%q): got %s, %v; want an error", text, got, err)
		}
	}
}

func TestIDInJSON(t *testing.T) {
	t.Parallel()
	id := clock.NewID()
	text, err := json.Marshal(map[clock.ID]clock.ID{id: id})
	if want := `{"` + id.String() + `":"` + id.String() + `"}`; err != nil || string(text) != want {
		t.Fatalf("got %s, %v; want %s", text, err, want)
	}
	var back map[clock.ID]clock.ID
	if err := json.Unmarshal(text, &back); err != nil || back[id] != id {
		t.Errorf("%s reads back as %v, %v", text, back, err)
	}
	kept := id
	if err := json.Unmarshal([]byte(`"none"`), &kept); err == nil || kept != id {
		t.Errorf("a text that is no id: %v, and the id became %s", err, kept)
	}
}
