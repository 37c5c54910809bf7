package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost is what one try of a password costs: the parameters of argon2id (RFC 9106). They stand beside each
// password, so that raising them leaves the older ones valid.
type Cost struct {
	KiB     uint32 // memory
	Passes  uint32
	Threads uint8
}

// DefaultCost takes 64 MiB and some tenths of a second: the second recommendation of RFC 9106, section 4.
var DefaultCost = Cost{KiB: 64 << 10, Passes: 3, Threads: 4}

// What a stored password may ask of the machine at most, should somebody write into the database.
var highestCost = Cost{KiB: 1 << 20, Passes: 20, Threads: 16}

const (
	saltSize = 16
	keySize  = 32

	minPassword = 12
	maxPassword = 256 // characters
)

// setupError says what an officer must do otherwise to set up an account.
type setupError string

func (e setupError) Error() string { return string(e) }

// errPassword says what a password must be.
var errPassword = setupError(fmt.Sprintf("a password has %d to %d characters", minPassword, maxPassword))

// checkPassword judges a new password. Length is what counts (NIST SP 800-63B, section 3.1.1).
func checkPassword(password, name string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password), n < minPassword, n > maxPassword:
		return errPassword
	case strings.Contains(strings.ToLower(password), name):
		return setupError("the password must not contain the name")
	case strings.Trim(password, password[:1]) == "":
		return setupError("the password must not be one character repeated")
	}
	return nil
}

// hashPassword answers a password as it is stored, in the usual text form: $argon2id$v=19$m=…,t=…,p=…$salt$key.
func hashPassword(password string, c Cost) string {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.KiB, c.Passes, c.Threads,
		enc.EncodeToString(salt), enc.EncodeToString(derive(password, salt, c)))
}

func derive(password string, salt []byte, c Cost) []byte {
	return argon2.IDKey([]byte(norm.NFKC.String(password)), salt, c.Passes, c.KiB, c.Threads, keySize)
}

// isPassword tells whether a password is the stored one. Another stored form than ours is an error.
func isPassword(stored, password string) (bool, error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, errors.New("console: a stored password is of no known form")
	}
	var c Cost
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.KiB, &c.Passes, &c.Threads); err != nil {
		return false, fmt.Errorf("console: the parameters of a stored password: %w", err)
	}
	if c.KiB < 8 || c.Passes < 1 || c.Threads < 1 ||
		c.KiB > highestCost.KiB || c.Passes > highestCost.Passes || c.Threads > highestCost.Threads {
		return false, fmt.Errorf("console: a stored password has the parameters %s", parts[3])
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("console: the salt of a stored password: %w", err)
	}
	key, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("console: a stored password: %w", err)
	}
	return subtle.ConstantTimeCompare(key, derive(password, salt, c)) == 1, nil
}
