package console

import (
	"crypto/rand"
	"encoding/base32"
	"net/url"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/skip2/go-qrcode"
)

// The second factor is a code of six digits for each half minute (RFC 6238, with its defaults, which every
// authenticator app knows).
const (
	codeDigits = otp.DigitsSix
	codePeriod = 30 * time.Second
	codeDrift  = 1  // steps that the officer's clock may be ahead or behind
	secretSize = 20 // bytes; the key of HMAC-SHA-1
)

// newSecret makes a secret in base32, as people can type it.
func newSecret() string {
	raw := make([]byte, secretSize)
	_, _ = rand.Read(raw) // never fails
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
}

// matchCode finds the time step that a code belongs to; only steps behind the last one that was used count, so
// that a code works once.
func matchCode(secret, code string, now time.Time, last int64) (step int64, ok bool) {
	current := now.Unix() / int64(codePeriod/time.Second)
	for s := max(current-codeDrift, last+1); s <= current+codeDrift; s++ {
		right, err := hotp.ValidateCustom(code, uint64(s), secret, hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1})
		if err == nil && right {
			return s, true
		}
	}
	return 0, false
}

// enrolment is the address that an authenticator app reads, in the form that all of them know.
func enrolment(name, secret string) string {
	q := url.Values{"secret": {secret}, "issuer": {"Kontor"}}
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/Kontor:" + name, RawQuery: q.Encode()}).String()
}

// qr answers the enrolment as the dark squares of a picture, row by row, with its quiet zone.
func qr(name, secret string) ([][]bool, error) {
	code, err := qrcode.New(enrolment(name, secret), qrcode.Medium)
	if err != nil {
		return nil, err
	}
	return code.Bitmap(), nil
}
