package market

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"kontor/internal/money"
)

//go:embed data/markets.json
var embedded embed.FS

const sourcesFile = "markets.json"

// Bounds of what an operator can choose.
const (
	leastPoll = time.Second
	mostAge   = 10 * time.Minute
)

// The currencies in which a source can quote.
const (
	euro   = "eur"
	dollar = "usd" // turned into EUR by the reference rate of the European Central Bank
)

// Source is a public place where prices are asked for.
type Source struct {
	Name    string            `json:"name"`
	Format  string            `json:"format"` // of its answers: kraken, coinbase, bitstamp, binance
	Quote   string            `json:"quote"`  // what its prices are in: eur or usd
	URL     string            `json:"url"`    // {symbol}: one request for each market; {symbols}: one for all
	Markets map[string]string `json:"markets"`
}

// Sources are what a Feed asks, and how it judges the answers.
type Sources struct {
	Poll      time.Duration // between two questions
	MaxAge    time.Duration // of a price
	Tolerance money.Percent // by how much a price may be apart from the median
	Reference string        // address of the daily reference rates
	All       []Source
}

type sourcesData struct {
	PollSeconds      int64    `json:"pollSeconds"`
	MaxAgeSeconds    int64    `json:"maxAgeSeconds"`
	TolerancePercent string   `json:"tolerancePercent"`
	Reference        string   `json:"reference"`
	Sources          []Source `json:"sources"`
}

// LoadSources reads the sources: those in an operator's folder of data files, if it has the file markets.json, or
// the built-in ones. Errors name what is wrong.
func LoadSources(dir string) (Sources, error) {
	text, err := fs.ReadFile(embedded, "data/"+sourcesFile)
	if err == nil && dir != "" {
		own, ownErr := os.ReadFile(filepath.Join(dir, sourcesFile))
		if ownErr == nil {
			text = own
		} else if !errors.Is(ownErr, fs.ErrNotExist) {
			err = ownErr
		}
	}
	if err != nil {
		return Sources{}, fmt.Errorf("market: %w", err)
	}
	var data sourcesData
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &data, json.RejectUnknownMembers(true)); err != nil {
		return Sources{}, fmt.Errorf("market: %s: %w", sourcesFile, err)
	}
	s := Sources{
		Poll: time.Duration(data.PollSeconds) * time.Second, MaxAge: time.Duration(data.MaxAgeSeconds) * time.Second,
		Reference: data.Reference, All: data.Sources,
	}
	if s.Tolerance, err = money.ParsePercent(data.TolerancePercent); err != nil {
		return Sources{}, fmt.Errorf("market: %s: tolerancePercent %q: %w", sourcesFile, data.TolerancePercent, err)
	}
	if err := s.check(); err != nil {
		return Sources{}, fmt.Errorf("market: %s: %w", sourcesFile, err)
	}
	return s, nil
}

func (s Sources) check() error {
	if s.Poll < leastPoll || s.MaxAge < s.Poll || s.MaxAge > mostAge {
		return fmt.Errorf("pollSeconds must be at least 1, and maxAgeSeconds between that and %d", mostAge/time.Second)
	}
	names := map[string]bool{}
	for _, source := range s.All {
		switch {
		case source.Name == "" || names[source.Name]:
			return fmt.Errorf("source %q: it has no name, or that of another one", source.Name)
		case formats[source.Format] == nil:
			return fmt.Errorf("source %s: format %q must be one of %v", source.Name, source.Format, slices.Sorted(maps.Keys(formats)))
		case source.Quote != euro && source.Quote != dollar:
			return fmt.Errorf("source %s: quote %q must be eur or usd", source.Name, source.Quote)
		}
		names[source.Name] = true
		if err := checkAddress(source.URL); err != nil {
			return fmt.Errorf("source %s: %w", source.Name, err)
		}
	}
	if err := checkAddress(s.Reference); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	return nil
}

// checkAddress wants https, except on this machine, where a proxy of the operator's may be.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || ip == nil || !ip.IsLoopback()) || u.Hostname() == "" {
		return fmt.Errorf("%q is not an https address", address)
	}
	return nil
}
