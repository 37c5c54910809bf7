package market_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/money"
	"kontor/internal/rail/market"
)

// The published forms: the members of each source's documentation, of the same types, with prices of the
// test's own. docs/exchange.md says where each form was confirmed.
const (
	// Kraken, REST API, "Get Ticker Information" (GET /0/public/Ticker). a and b: price, whole lot volume, lot volume;
	// c: price, lot volume; v, p, t, l, h: today, last 24 hours; o: today's opening price.
	krakenForm = `{"error":[],"result":{` +
		`"XXBTZEUR":{"a":["57010.00000","1","1.000"],"b":["57000.00000","2","2.000"],"c":["57005.10000","0.00067643"],` +
		`"v":["4083.67001100","4412.73601799"],"p":["57089.41771","57101.13205"],"t":[34619,38907],` +
		`"l":["56868.30000","56666.10000"],"h":["57305.70000","57800.00000"],"o":"57153.00000"},` +
		`"POLEUR":{"a":["0.21460000","7040","7040.000"],"b":["0.21440000","512","512.000"],"c":["0.21450000","93.24009320"],` +
		`"v":["41203.51800000","77310.20911200"],"p":["0.21398811","0.21502240"],"t":[143,262],` +
		`"l":["0.21210000","0.21210000"],"h":["0.21620000","0.21890000"],"o":"0.21510000"}}}`
	// Coinbase Exchange, REST API, "Get product ticker" (GET /products/{product_id}/ticker).
	coinbaseForm = `{"trade_id":86326522,"price":"57012.39","size":"0.00698254","time":"2026-03-01T12:00:00.420683Z",` +
		`"bid":"57010.00","ask":"57020.00","volume":"1543.20142581","rfq_volume":"62.310000","conversions_volume":"0.00"}`
	// Bitstamp, HTTP API, "Ticker" (GET /api/v2/ticker/{market_symbol}/).
	bitstampForm = `{"ask":"57012","bid":"57008","high":"57800","last":"57012","low":"56600","market_type":"SPOT","open":"57100",` +
		`"open_24":"57100","percent_change_24":"-0.15","side":"0","timestamp":"1772366400","volume":"213.26801100","vwap":"57089"}`
	// Binance, Spot REST API, "Symbol order book ticker" (GET /api/v3/ticker/bookTicker), which answers a list when it is
	// asked by symbols.
	binanceForm = `[{"symbol":"BTCEUR","bidPrice":"57014.10000000","bidQty":"0.43100000","askPrice":"57015.90000000",` +
		`"askQty":"9.00000000"},{"symbol":"ETHEUR","bidPrice":"2310.07000000","bidQty":"9.00000000",` +
		`"askPrice":"2310.08000000","askQty":"1.22500000"}]`
	// European Central Bank, euro foreign exchange reference rates (eurofxref-daily.xml), with two of its currencies.
	ecbForm = `<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender>
		<gesmes:name>European Central Bank</gesmes:name>
	</gesmes:Sender>
	<Cube>
		<Cube time='2026-02-27'>
			<Cube currency='USD' rate='1.2500'/>
			<Cube currency='JPY' rate='182.36'/>
		</Cube>
	</Cube>
</gesmes:Envelope>`
)

// venue answers as all sources together.
type venue struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]string // by path
	age     string            // header of all answers
	before  func(path string) // is called before each answer; may be nil
}

func newVenue(t *testing.T, answers map[string]string) *venue {
	t.Helper()
	v := &venue{answers: answers}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		body, ok := v.answers[r.URL.Path]
		age, before := v.age, v.before
		v.mu.Unlock()
		if before != nil {
			before(r.URL.Path)
		}
		if age != "" {
			w.Header().Set("Age", age)
		}
		if !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(v.Close)
	return v
}

func (v *venue) set(path, body string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers[path] = body
}

// onRequest has something happen before each answer.
func (v *venue) onRequest(do func(path string)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.before = do
}

func (v *venue) sources(t *testing.T) market.Sources {
	t.Helper()
	two, err := money.ParsePercent("2")
	if err != nil {
		t.Fatal(err)
	}
	return market.Sources{
		Poll: time.Second, MaxAge: time.Minute, Tolerance: two, Reference: v.URL + "/ecb",
		All: []market.Source{
			{Name: "kraken", Format: "kraken", Quote: "eur", URL: v.URL + "/kraken?pair={symbols}", Markets: map[string]string{"btc": "XXBTZEUR", "pol": "POLEUR"}},
			{Name: "coinbase", Format: "coinbase", Quote: "eur", URL: v.URL + "/coinbase/{symbol}", Markets: map[string]string{"btc": "BTC-EUR"}},
			{Name: "bitstamp", Format: "bitstamp", Quote: "eur", URL: v.URL + "/bitstamp/{symbol}/", Markets: map[string]string{"btc": "btceur"}},
			{Name: "binance", Format: "binance", Quote: "eur", URL: v.URL + "/binance?symbols={symbols}", Markets: map[string]string{"btc": "BTCEUR"}},
			{Name: "dollars", Format: "coinbase", Quote: "usd", URL: v.URL + "/coinbase/{symbol}", Markets: map[string]string{"pol": "POL-USD"}},
		},
	}
}

func everything() map[string]string {
	return map[string]string{
		"/kraken": krakenForm, "/coinbase/BTC-EUR": coinbaseForm, "/bitstamp/btceur/": bitstampForm, "/binance": binanceForm,
		"/ecb": ecbForm, "/coinbase/POL-USD": strings.NewReplacer("57010.00", "0.2680", "57020.00", "0.2690", "57012.39", "0.2682").Replace(coinbaseForm),
	}
}

type feedTest struct {
	*market.Feed
	venue   *venue
	sources market.Sources
	clock   *clock.Manual
}

func newFeedTest(t *testing.T) *feedTest {
	t.Helper()
	v := newVenue(t, everything())
	c := clock.NewManual(began)
	sources := v.sources(t)
	return &feedTest{
		Feed:  market.NewFeed(market.FeedConfig{Sources: sources, Catalog: loadCatalog(t), Clock: c, Log: slog.New(slog.DiscardHandler)}),
		venue: v, sources: sources, clock: c,
	}
}

// poll asks all sources once and answers how many of them failed.
func (f *feedTest) poll(t *testing.T) (failed int) {
	t.Helper()
	if f.PollReference(t.Context()) != nil {
		failed++
	}
	for _, s := range f.sources.All {
		if f.Poll(t.Context(), s) != nil {
			failed++
		}
	}
	return failed
}

// price is a price, or "closed".
func (f *feedTest) price(slug string) string {
	if p, ok := f.Prices()[slug]; ok {
		return p.String()
	}
	return "closed"
}

func (f *feedTest) want(t *testing.T, when, slug, price string) {
	t.Helper()
	if got := f.price(slug); got != price {
		t.Errorf("%s: %s is %s, want %s", when, slug, got, price)
	}
}

func TestFeedTakesTheMedianOfItsSources(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	f.want(t, "before the first question", "btc", "closed")
	f.want(t, "before the first question", "eur", "1")
	if failed := f.poll(t); failed > 0 {
		t.Fatalf("%d sources were not understood", failed)
	}
	f.want(t, "middles 57005, 57010, 57015, 57015", "btc", "57012.5")
	f.want(t, "0.2145, and 0.2685 USD at 1.25", "pol", "0.21465")
	f.want(t, "without a source", "eth", "closed")
}

func TestFeedRejectsAnOutlier(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	f.venue.set("/bitstamp/btceur/", strings.NewReplacer(`"57008"`, `"570.08"`, `"57012"`, `"570.12"`).Replace(bitstampForm))
	f.poll(t)
	f.want(t, "with one of four a hundred times too low", "btc", "57015")
}

func TestFeedHasNoPriceWhenItsSourcesAreSplit(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	f.poll(t)
	f.venue.set("/kraken", strings.ReplaceAll(krakenForm, "570", "670"))
	f.venue.set("/coinbase/BTC-EUR", strings.ReplaceAll(coinbaseForm, "570", "670"))
	f.poll(t)
	f.want(t, "two against two", "btc", "closed")
	if got := f.Last()["btc"].String(); got != "57015" { // of the three that agreed when one had moved
		t.Errorf("the last price is %s, want the last right one", got)
	}
	f.venue.set("/kraken", strings.NewReplacer("0.21460000", "0.31460000", "0.21440000", "0.31440000").Replace(krakenForm))
	f.poll(t)
	f.want(t, "one against one", "pol", "closed")
}

func TestFeedForgetsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	f.poll(t)
	f.clock.Advance(time.Minute)
	f.want(t, "at the maximum age", "btc", "57012.5")
	f.clock.Advance(time.Microsecond)
	f.want(t, "a microsecond later", "btc", "closed")
	f.venue.set("/coinbase/BTC-EUR", `{"message":"NotFound"}`)
	f.venue.set("/binance", `{"code":-1121,"msg":"Invalid symbol."}`)
	f.venue.set("/bitstamp/btceur/", `<html>busy</html>`)
	if failed := f.poll(t); failed != 3 {
		t.Errorf("%d sources failed, want 3", failed)
	}
	f.want(t, "with one source", "btc", "closed")
	f.venue.set("/bitstamp/btceur/", bitstampForm)
	if failed := f.poll(t); failed != 3 {
		t.Errorf("with a source that stands still %d failed, want 3", failed)
	}
	f.want(t, "with a source that stands still", "btc", "closed")
	f.venue.set("/bitstamp/btceur/", strings.Replace(bitstampForm, "1772366400", "1772366430", 1))
	f.poll(t)
	f.want(t, "with two sources again", "btc", "57007.5")
}

// TestSlowAnswersAreAsOldAsTheQuestion lets half a minute pass while each answer is on its way.
func TestSlowAnswersAreAsOldAsTheQuestion(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	f.sources.All = f.sources.All[:2]
	f.venue.onRequest(func(string) { f.clock.Advance(30 * time.Second) })
	f.poll(t) // asked after 30 s, and after a minute
	f.want(t, "when both are known", "btc", "57010")
	f.clock.Advance(time.Microsecond)
	f.want(t, "a minute after the first was asked", "btc", "closed")
}

func TestWhatLayInACacheIsThatOld(t *testing.T) {
	t.Parallel()
	for age, price := range map[string]string{"59": "57012.5", "60": "57012.5", "61": "closed", "-5": "57012.5", "soon": "57012.5", "4294967295": "closed"} {
		f := newFeedTest(t)
		f.venue.age = age
		f.poll(t)
		f.want(t, "Age: "+age, "btc", price)
	}
}

// TestSourceThatNeverAnswersHoldsNobodyUp gives up on it, and takes the others.
func TestSourceThatNeverAnswersHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	f.SetPatience(time.Second) // enough for the others, on whatever machine
	over := make(chan struct{})
	f.venue.onRequest(func(path string) {
		if path == "/bitstamp/btceur/" {
			<-over
		}
	})
	failed := f.poll(t)
	close(over)
	if failed != 1 {
		t.Errorf("%d sources failed, want 1", failed)
	}
	f.want(t, "without the silent one", "btc", "57015")
}

func TestDollarsNeedAFreshReference(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	f.sources.All = []market.Source{f.sources.All[0], f.sources.All[4]}
	f.clock.Advance(5 * 24 * time.Hour) // the reference is of two days before the start
	f.poll(t)
	f.want(t, "with a reference of last week", "pol", "closed")
	f.venue.set("/ecb", strings.ReplaceAll(ecbForm, "2026-02-27", "2026-03-06"))
	f.poll(t)
	f.want(t, "with one of today", "pol", "0.21465")
	f.venue.set("/ecb", strings.ReplaceAll(ecbForm, "2026-02-27", "2026-03-07"))
	if failed := f.poll(t); failed != 1 {
		t.Errorf("a reference of tomorrow: %d failures, want 1", failed)
	}
	f.venue.set("/ecb", strings.ReplaceAll(ecbForm, "USD", "XAU"))
	if failed := f.poll(t); failed != 1 {
		t.Errorf("a reference without the dollar: %d failures, want 1", failed)
	}
}

func TestAnswersThatAreNoPricesDoNotCount(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"zero":          `{"bid":"0","ask":"1"}`,
		"negative":      `{"bid":"-1","ask":"1"}`,
		"crossed":       `{"bid":"57020","ask":"57010"}`,
		"a number":      `{"bid":57010,"ask":57020}`,
		"nothing":       `{}`,
		"too long":      `{"bid":"57010","ask":"57020","more":"` + strings.Repeat("x", 1<<20) + `"}`,
		"not a decimal": `{"bid":"57,010","ask":"57,020"}`,
		"far apart":     `{"bid":"56000","ask":"58000"}`,
		"one side":      `{"bid":"0.01","ask":"57020"}`,
	} {
		f := newFeedTest(t)
		f.venue.set("/coinbase/BTC-EUR", answer)
		if failed := f.poll(t); failed != 1 {
			t.Errorf("%s: %d sources failed, want 1", name, failed)
		}
		f.want(t, name, "btc", "57010")
	}
}

func TestFeedRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	f := newFeedTest(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { f.Run(ctx); close(ended) }()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for f.price("btc") != "57012.5" {
		<-again.C
	}
	stop()
	<-ended
}

func TestSourcesOfTheOperator(t *testing.T) {
	t.Parallel()
	builtIn, err := market.LoadSources("")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]int{}
	for _, s := range builtIn.All {
		for slug := range s.Markets {
			covered[slug]++
		}
	}
	for _, e := range loadCatalog(t).Currencies() {
		if e.Code != "eur" && covered[e.Code] < 2 {
			t.Errorf("%s has %d sources, want 2 or more", e.Code, covered[e.Code])
		}
	}
	if same, err := market.LoadSources(t.TempDir()); err != nil || len(same.All) != len(builtIn.All) {
		t.Errorf("a folder without the file: %v, %v", same, err)
	}
	good := `{"pollSeconds":5,"maxAgeSeconds":30,"tolerancePercent":"1","reference":"https://ecb.example/x.xml","sources":[` +
		`{"name":"a","format":"kraken","quote":"eur","url":"https://a.example/{symbols}","markets":{"btc":"B"}}]}`
	for changed, says := range map[string]string{
		good: "",
		strings.Replace(good, `"kraken"`, `"carrier pigeon"`, 1):                      "format",
		strings.Replace(good, `"eur"`, `"chf"`, 1):                                    "quote",
		strings.Replace(good, `https://a.`, `http://a.`, 1):                           "https",
		strings.Replace(good, `https://ecb.`, `ftp://ecb.`, 1):                        "reference",
		strings.Replace(good, `"pollSeconds":5`, `"pollSeconds":0`, 1):                "pollSeconds",
		strings.Replace(good, `"maxAgeSeconds":30`, `"maxAge":30`, 1):                 "maxAge",
		strings.Replace(good, `"tolerancePercent":"1"`, `"tolerancePercent":"-1"`, 1): "tolerancePercent",
		strings.Replace(good, `https://a.example`, `http://127.0.0.1:9`, 1):           "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "markets.json"), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := market.LoadSources(dir)
		if (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want an error about %q for\n%s", err, says, changed)
		}
	}
}
