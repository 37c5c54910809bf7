package contract

import (
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The formats of strings that the contract has beyond those of JSON Schema, and stricter versions of two of
// those. Each error is a predicate: what the named member must be.
var formats = map[string]func(string) error{
	"date":             checkDate,
	"email":            checkEmail,
	"external-user-id": checkExternalUserID,
	"moment":           checkMoment,
	"pesel":            checkPESEL,
	"sepa-text":        checkSEPAText,
	"single-line":      checkSingleLine,
	"web-address":      checkWebAddress,
}

// registerFormats teaches the formats to a compiler. A format says nothing about values that are no strings.
func registerFormats(c *jsonschema.Compiler) {
	for name, check := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok {
				return check(s)
			}
			return nil
		}})
	}
	c.AssertFormat()
}

var (
	errDate         = errors.New("must be a date (YYYY-MM-DD)")
	errMoment       = errors.New("must be a time with its offset, such as 2025-08-05T10:33:54.730Z, or a date (YYYY-MM-DD)")
	errEmail        = errors.New("must be an email address")
	errControl      = errors.New("must not contain control characters")
	errUnseen       = errors.New("must not contain invisible characters, such as those that change the direction of writing")
	errBlank        = errors.New("must not be blank")
	errIDCharacters = errors.New(`must not contain any of the characters / ? # % \`)
	errIDSpace      = errors.New("must not begin or end with a space")
	errIDDots       = errors.New(`must not be "." or ".."`)
	errIDReserved   = errors.New("must not be a reserved word: " + strings.Join(reservedIDs, ", "))
	errPESELCheck   = errors.New("must have a right check digit")
	errSEPAText     = errors.New("must consist of characters of the SEPA Latin set: a-z A-Z 0-9 / - ? : ( ) . , ' + and space")
	errWebAddress   = errors.New("must be an http or https address, such as https://example.com/hooks")
)

// reservedIDs are the words that stand where an externalUserId stands in other paths.
var reservedIDs = []string{"balances", "transactions", "verification", "kyc-files", "poa-files", "suspend", "unsuspend"}

// checkDate takes a calendar date of ISO 8601, YYYY-MM-DD.
func checkDate(s string) error {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return errDate
	}
	return nil
}

// Moment reads a time of ISO 8601 with its offset, as RFC 3339 has it, or a date, which is its first moment in
// UTC. A "+" that was not percent-encoded arrives as a space and is taken for what it was. Microseconds
// count; a finer time is the next one of them. What is older than 1970 is as old as 1970: nothing is older.
func Moment(s string) (time.Time, error) {
	const offset = len("+00:00")
	if at := len(s) - offset; at > 0 && s[at] == ' ' {
		s = s[:at] + "+" + s[at+1:]
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t, err = time.Parse(time.RFC3339Nano, s)
	}
	if err != nil {
		return time.Time{}, errMoment
	}
	if first := time.Unix(0, 0); t.Before(first) {
		t = first
	}
	if cut := t.Truncate(time.Microsecond); cut.Before(t) {
		t = cut.Add(time.Microsecond)
	}
	return t.UTC(), nil
}

// checkMoment takes what Moment reads.
func checkMoment(s string) error {
	_, err := Moment(s)
	return err
}

// checkSingleLine takes any text in any script that has no line break or other control character, says what it shows,
// and does not consist of spaces. That a text is empty is for minLength to say.
func checkSingleLine(s string) error {
	switch {
	case strings.ContainsFunc(s, isControl):
		return errControl
	case strings.ContainsFunc(s, isUnseen):
		return errUnseen
	case s != "" && strings.TrimSpace(s) == "":
		return errBlank
	default:
		return nil
	}
}

// checkSEPAText takes what every bank in SEPA takes (EPC217-08, 1.4). That a text is empty is for minLength to say.
func checkSEPAText(s string) error {
	if strings.ContainsFunc(s, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && !strings.ContainsRune("/-?:().,'+ ", c)
	}) {
		return errSEPAText
	}
	if s != "" && strings.TrimSpace(s) == "" {
		return errBlank
	}
	return nil
}

// isControl reports control characters and the two line separators that Unicode has beside them.
func isControl(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }

// isUnseen reports characters that people do not see: with them a name would read otherwise than it is compared. The
// joiners of Persian, of Indian scripts and of emoji are not among them, nor are the signs before numbers.
func isUnseen(r rune) bool {
	return unicode.Is(unicode.Cf, r) && !unicode.In(r, unicode.Join_Control, unicode.Prepended_Concatenation_Mark)
}

// checkExternalUserID holds the rules for a partner's own id of a user, which must fit into a path.
func checkExternalUserID(s string) error {
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	switch {
	case strings.ContainsFunc(s, isControl):
		return errControl
	case strings.ContainsAny(s, `/?#%\`):
		return errIDCharacters
	case unicode.IsSpace(first) || unicode.IsSpace(last):
		return errIDSpace
	case s == "." || s == "..":
		return errIDDots
	}
	for _, word := range reservedIDs {
		if s == word {
			return errIDReserved
		}
	}
	return nil
}

// checkEmail looks whether mail could go there (RFC 5321 and, for other scripts, RFC 6531): a local part
// without quotes, and a domain of at least two labels. Whether it does go there only a mail can tell.
func checkEmail(s string) error {
	local, domain, ok := strings.Cut(s, "@")
	labels := strings.Split(domain, ".")
	if !ok || len(local) > 64 || len(domain) > 253 || len(labels) < 2 {
		return errEmail
	}
	for _, atom := range strings.Split(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool {
			return isControl(r) || isUnseen(r) || unicode.IsSpace(r) || strings.ContainsRune(`()<>[]:;,\"`, r)
		}) {
			return errEmail
		}
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool {
				return r != '-' && !unicode.In(r, unicode.L, unicode.M, unicode.Nd)
			}) {
			return errEmail
		}
	}
	return nil
}

// checkWebAddress takes the base of webhook URLs: absolute, http or https, without user, query or fragment.
// Where it may lead is decided when it is connected to.
func checkWebAddress(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsAny(s, "?#") || strings.ContainsFunc(s, unicode.IsSpace) {
		return errWebAddress
	}
	return nil
}

// peselWeights are the weights of a PESEL's first ten digits; the eleventh makes their sum a multiple of 10.
const peselWeights = "1379137913"

// checkPESEL checks the last digit of a Polish identification number, which the contract's pattern says has eleven.
// The birth date in it is not compared: what it says of the century, and of corrected dates, is for people to judge.
func checkPESEL(s string) error {
	if len(s) != len(peselWeights)+1 || strings.Trim(s, "0123456789") != "" { // every digit is one byte
		return nil // the pattern's to say
	}
	sum := int(s[len(peselWeights)] - '0')
	for i, weight := range peselWeights {
		sum += int(weight-'0') * int(s[i]-'0')
	}
	if sum%10 != 0 || strings.Trim(s, "0") == "" {
		return errPESELCheck
	}
	return nil
}
