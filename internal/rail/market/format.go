package market

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kontor/internal/money"
)

// ticker is what a source says of a market: the best prices at which somebody buys and sells, and, of a source that
// tells, when that was.
type ticker struct {
	bid, ask string
	at       time.Time
}

// middle is the price between the two. An error when they are no prices, the wrong way round, or so far apart that the
// price between them says nothing.
func (t ticker) middle(tolerance money.Percent) (*big.Rat, error) {
	bid, err := money.ParseRate(t.bid)
	if err != nil {
		return nil, fmt.Errorf("bid: %w", err)
	}
	ask, err := money.ParseRate(t.ask)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if bid.Cmp(ask) > 0 {
		return nil, errors.New("the bid is above the ask")
	}
	middle := new(big.Rat).Add(bid.Rat(), ask.Rat())
	middle.Quo(middle, big.NewRat(2, 1))
	apart := new(big.Rat).Sub(ask.Rat(), bid.Rat())
	if apart.Cmp(new(big.Rat).Mul(middle, tolerance.Rat())) > 0 {
		return nil, errors.New("bid and ask are too far apart")
	}
	return middle, nil
}

// format is how a source answers: tickers by its own symbols. A source that is asked for one market at a time does
// not repeat the symbol, which is handed over.
type format func(body []byte, symbol string) (map[string]ticker, error)

// formats are the published forms of public tickers.
var formats = map[string]format{
	"kraken":   readKraken,
	"coinbase": readCoinbase,
	"bitstamp": readBitstamp,
	"binance":  readBinance,
}

// readKraken reads GET /0/public/Ticker of Kraken's REST API: bid and ask are arrays that begin with the price.
func readKraken(body []byte, _ string) (map[string]ticker, error) {
	var answer struct {
		Error  []string `json:"error"`
		Result map[string]struct {
			Ask []string `json:"a"`
			Bid []string `json:"b"`
		} `json:"result"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Error) > 0 {
		return nil, fmt.Errorf("it answers %s", strings.Join(answer.Error, ", "))
	}
	all := map[string]ticker{}
	for symbol, r := range answer.Result {
		if len(r.Ask) > 0 && len(r.Bid) > 0 {
			all[symbol] = ticker{bid: r.Bid[0], ask: r.Ask[0]}
		}
	}
	return all, nil
}

// readCoinbase reads GET /products/{id}/ticker of Coinbase Exchange.
func readCoinbase(body []byte, symbol string) (map[string]ticker, error) {
	var answer struct {
		Bid string `json:"bid"`
		Ask string `json:"ask"`
	}
	err := json.Unmarshal(body, &answer)
	return map[string]ticker{symbol: {bid: answer.Bid, ask: answer.Ask}}, err
}

// readBitstamp reads GET /api/v2/ticker/{pair}/ of Bitstamp. Its timestamp is in seconds.
func readBitstamp(body []byte, symbol string) (map[string]ticker, error) {
	var answer struct {
		Bid       string `json:"bid"`
		Ask       string `json:"ask"`
		Timestamp string `json:"timestamp"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	at, err := strconv.ParseInt(answer.Timestamp, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	return map[string]ticker{symbol: {answer.Bid, answer.Ask, time.Unix(at, 0)}}, nil
}

// readBinance reads GET /api/v3/ticker/bookTicker of Binance's Spot API.
func readBinance(body []byte, _ string) (map[string]ticker, error) {
	var answer []struct {
		Symbol string `json:"symbol"`
		Bid    string `json:"bidPrice"`
		Ask    string `json:"askPrice"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	all := map[string]ticker{}
	for _, t := range answer {
		all[t.Symbol] = ticker{bid: t.Bid, ask: t.Ask}
	}
	return all, nil
}

// addresses are the requests that ask for all markets of a source, each with the symbol it asks for, if it is one.
func (s Source) addresses() map[string]string {
	all := map[string]string{}
	var symbols []string
	for _, symbol := range s.Markets {
		if strings.Contains(s.URL, "{symbol}") {
			all[strings.ReplaceAll(s.URL, "{symbol}", url.PathEscape(symbol))] = symbol
			continue
		}
		symbols = append(symbols, symbol)
	}
	if len(symbols) > 0 {
		list := strings.Join(symbols, ",")
		if s.Format == "binance" {
			list = `["` + strings.Join(symbols, `","`) + `"]`
		}
		all[strings.ReplaceAll(s.URL, "{symbols}", url.QueryEscape(list))] = ""
	}
	return all
}

// reference is what the European Central Bank publishes on each of its working days.
type reference struct {
	day    time.Time
	dollar money.Rate // USD for one EUR
}

// readReference reads the daily euro foreign exchange reference rates (eurofxref-daily.xml).
func readReference(body []byte) (reference, error) {
	var envelope struct {
		Days []struct {
			Time  string `xml:"time,attr"`
			Rates []struct {
				Currency string `xml:"currency,attr"`
				Rate     string `xml:"rate,attr"`
			} `xml:"Cube"`
		} `xml:"Cube>Cube"`
	}
	if err := xml.Unmarshal(body, &envelope); err != nil {
		return reference{}, err
	}
	for _, d := range envelope.Days {
		day, err := time.Parse(time.DateOnly, d.Time)
		if err != nil {
			return reference{}, err
		}
		for _, r := range d.Rates {
			if strings.EqualFold(r.Currency, dollar) {
				rate, err := money.ParseRate(r.Rate)
				return reference{day, rate}, err
			}
		}
	}
	return reference{}, errors.New("it has no rate of the dollar")
}
