package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"kontor/internal/money"
)

// Decimal is an amount of a request as it stood on the wire: a JSON string or a JSON number, read without a
// float. Its currency is known later, so it becomes an amount by Amount.
type Decimal struct {
	text   string
	number bool
}

// NewDecimal returns an amount that is written as a JSON string, such as "10.50".
func NewDecimal(text string) Decimal { return Decimal{text: text} }

// Amount reads the value in a currency: exactly, by the rules for strings or for numbers, whichever it was.
// It returns the errors of money.Parse and money.ParseNumber. After CheckBody none of them can occur, and
// the amount is greater than zero.
func (d Decimal) Amount(c money.Currency) (money.Amount, error) {
	if d.number {
		return money.ParseNumber(d.text, c)
	}
	return money.Parse(d.text, c)
}

// String returns the text as it was written, without quotes.
func (d Decimal) String() string { return d.text }

// UnmarshalJSON keeps the text of a JSON string or number. null changes nothing; anything else is an error.
func (d *Decimal) UnmarshalJSON(raw []byte) error {
	switch jsontext.Value(raw).Kind() {
	case 'n':
		return nil
	case '0':
		*d = Decimal{text: string(raw), number: true}
		return nil
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return fmt.Errorf("read decimal: %w", err)
		}
		*d = Decimal{text: string(text)}
		return nil
	default:
		return errors.New("a decimal must be a JSON string or number")
	}
}

// MarshalJSON writes the value in the form in which it was read.
func (d Decimal) MarshalJSON() ([]byte, error) {
	if d.number {
		return []byte(d.text), nil
	}
	return jsontext.AppendQuote(nil, d.text)
}

// Number is an exact decimal that an answer or event carries as a JSON number, such as the text of
// money.Amount.Number or money.Rate.String.
type Number string

// MarshalJSON writes the number exactly as its text is. A text that is not a JSON number is an error.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := jsontext.Value(n); v.Kind() != '0' || !v.IsValid() {
		return nil, fmt.Errorf("%q is not a JSON number", string(n))
	}
	return []byte(n), nil
}

// UnmarshalJSON keeps the text of a JSON number. null changes nothing; anything else is an error.
func (n *Number) UnmarshalJSON(raw []byte) error {
	switch jsontext.Value(raw).Kind() {
	case 'n':
	case '0':
		*n = Number(raw)
	default:
		return errors.New("not a JSON number")
	}
	return nil
}

// unknownScale judges the decimals of an amount whose currency is wrong: the most that any currency has.
const unknownScale = 8

const notDecimal = `must be a decimal number, such as "10.50"`

// amountFault says what is wrong with an amount in this currency, or "".
func amountFault(value any, c money.Currency) string {
	var a money.Amount
	var err error
	switch v := value.(type) {
	case json.Number:
		a, err = money.ParseNumber(v.String(), c)
	case string:
		a, err = money.Parse(v, c)
	default:
		return "" // missing or of the wrong type, which the schema says
	}
	switch {
	case errors.Is(err, money.ErrScale):
		return "can have at most " + strconv.Itoa(c.Scale) + " decimal places"
	case errors.Is(err, money.ErrRange):
		return "is too large"
	case errors.Is(err, money.ErrNegative):
		return "must be greater than 0"
	case err != nil:
		return notDecimal
	case a.Sign() <= 0:
		return "must be greater than 0"
	default:
		return ""
	}
}
