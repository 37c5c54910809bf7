package scenario

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// file is one scenario.
type file struct {
	path        string // below this folder, without the extension
	Name        string
	Why         string
	Deployment  *deployment // when the scenario has a program of its own
	Settings    map[string]string
	Given       given
	Undelivered int
	Steps       []*step
}

// deployment is what an operator has chosen for a program.
type deployment struct {
	Guard      string                       // kontor serve --exchange-guard; none: off
	Currencies map[string]map[string]string // more members of currencies in currencies.json, by slug
}

// given is what exists before the first step.
type given struct {
	Waiting, Active []string
	Funds           map[string]string
	Other           *given
}

// step is one call, or several at once, with what must follow.
type step struct {
	That           string
	Operator       *command // instead of a call
	Call           string
	As             string
	Headers        map[string]yaml.Node
	Body           yaml.Node
	Raw            *string
	RawHex         string `yaml:"rawHex"`
	Files          []upload
	CutOff         bool `yaml:"cutOff"`
	Each           []yaml.Node
	Status         int
	Answer         yaml.Node
	AnswerContains yaml.Node            `yaml:"answerContains"`
	AnswerHeaders  map[string]yaml.Node `yaml:"answerHeaders"`
	Page           []string             // what a page for people says, in place of an answer
	Events         []expected
	Eventually     bool

	Parallel  int
	Statuses  map[int]int
	Codes     map[string]int
	Identical bool
	Replayed  int
}

// expected is a webhook that must arrive.
type expected struct {
	Event string
	Path  string
	Times int
	Body  yaml.Node
}

// readAll reads every scenario below this folder.
func readAll(t *testing.T) []*file {
	t.Helper()
	var all []*file
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		f.path = strings.TrimSuffix(filepath.ToSlash(path), ".yaml")
		all = append(all, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no scenarios found: the test reads the wrong folder")
	}
	return all
}

// parse reads a scenario strictly: a member that is misspelt would otherwise check nothing.
func parse(text []byte) (*file, error) {
	f := &file{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(f); err != nil {
		return nil, err
	}
	if f.Name == "" || len(f.Steps) == 0 {
		return nil, errors.New("a scenario has a name and steps")
	}
	for i, s := range f.Steps {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return f, nil
}

// check refuses steps that would look as if they checked something.
func (s *step) check() error {
	bodies := 0
	for _, given := range []bool{!s.Body.IsZero(), s.Raw != nil, s.RawHex != "", s.Files != nil} {
		if given {
			bodies++
		}
	}
	total := 0
	for _, n := range s.Statuses {
		total += n
	}
	switch {
	case s.Operator != nil:
		return s.Operator.check(s)
	case len(strings.Fields(s.Call)) != 2 && !strings.HasPrefix(s.Call, "${"):
		return fmt.Errorf("call %q is not a method and a path", s.Call)
	case bodies > 1:
		return errors.New("body, raw, rawHex and files exclude each other")
	case s.As != "" && s.As != "other":
		return fmt.Errorf("as %q: there is only other", s.As)
	case s.Parallel == 0 && (s.Status == 0 || s.Answer.IsZero() && s.AnswerContains.IsZero() && s.Page == nil):
		return errors.New("a step says its status and its answer")
	case s.Parallel == 0 && (s.Statuses != nil || s.Codes != nil || s.Identical || s.Replayed != 0):
		return errors.New("statuses, codes, identical and replayed belong to parallel calls")
	case s.Eventually && (s.Parallel > 0 || !strings.HasPrefix(s.Call, "GET ") && s.Status < 400):
		return errors.New("eventually belongs to single calls of GET, and to refusals, which change nothing")
	case s.Parallel > 0 && (s.Status != 0 || total != s.Parallel*max(len(s.Each), 1)):
		return fmt.Errorf("the statuses of %d parallel calls must count them all", s.Parallel)
	case !s.Answer.IsZero() && !s.AnswerContains.IsZero():
		return errors.New("answer and answerContains exclude each other")
	}
	for _, f := range s.Files {
		if _, known := fixtures[f.Of]; !known && !strings.HasPrefix(f.Of, "${") {
			return fmt.Errorf("there is no file %q", f.Of)
		}
	}
	for i, e := range s.Events {
		if e.Event == "" || e.Body.IsZero() {
			return fmt.Errorf("event %d has no name or no body", i+1)
		}
	}
	return nil
}

// payload is the request's body; nil without one.
func (s *step) payload(v vars) ([]byte, error) {
	switch {
	case s.Raw != nil:
		text, err := v.text(*s.Raw)
		return []byte(text), err
	case s.RawHex != "":
		return hex.DecodeString(strings.Join(strings.Fields(s.RawHex), ""))
	case s.Body.IsZero():
		return nil, nil
	}
	body, err := v.value(&s.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(body)
}

// variants are the names that each run of the step has: one run, or one for each entry of each.
func (s *step) variants(v vars) ([]vars, error) {
	if len(s.Each) == 0 {
		return []vars{{}}, nil
	}
	var all []vars
	for i := range s.Each {
		entry, err := v.value(&s.Each[i])
		if err != nil {
			return nil, err
		}
		if named, ok := entry.(map[string]any); ok {
			all = append(all, named)
		} else {
			all = append(all, vars{"each": entry})
		}
	}
	return all, nil
}
