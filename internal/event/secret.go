package event

import (
	"bytes"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// secretsKept is how long the secret members of a body are kept when it is not delivered before, in business time.
const secretsKept = 10 * time.Minute

// masked stands where a secret member was.
const masked = `"***"`

// secretMembers are the members that the contract marks with x-secret, as paths.
var secretMembers = map[Type][]string{
	SEPATransfer:   {"user.documentNumber", "user.pesel"},
	Card3DS:        {"code"},
	CardActivation: {"code"},
}

func (t Type) hasSecrets() bool { return len(secretMembers[t]) > 0 }

// mask puts *** into the secret members of a body. It is how the log shows a body, and what it keeps of one that
// was delivered or has become too old.
func mask(kind Type, body []byte) ([]byte, error) {
	return rewrite(kind, body, func(value jsontext.Value) jsontext.Value {
		if value.Kind() == 'n' { // nothing to hide
			return value
		}
		return jsontext.Value(masked)
	})
}

// withoutMasked leaves out what mask has put in: a receiver gets a secret or none.
func withoutMasked(kind Type, body []byte) ([]byte, error) {
	return rewrite(kind, body, func(value jsontext.Value) jsontext.Value {
		if string(value) == masked {
			return nil
		}
		return value
	})
}

// rewrite replaces the values of the secret members, or leaves the members out where change answers nil.
// Everything else stays as it is, the order of members and the spelling of numbers too.
func rewrite(kind Type, body []byte, change func(jsontext.Value) jsontext.Value) ([]byte, error) {
	if !kind.hasSecrets() {
		return body, nil
	}
	var out bytes.Buffer
	options := []jsontext.Options{jsontext.PreserveRawStrings(true)}
	r := rewriter{jsontext.NewDecoder(bytes.NewReader(body), options...), jsontext.NewEncoder(&out, options...), secretMembers[kind], change}
	if err := r.value(""); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

type rewriter struct {
	from   *jsontext.Decoder
	to     *jsontext.Encoder
	paths  []string
	change func(jsontext.Value) jsontext.Value
}

// value copies the next value, whose members' paths begin with prefix.
func (r rewriter) value(prefix string) error {
	if r.from.PeekKind() != '{' {
		v, err := r.from.ReadValue()
		if err != nil {
			return err
		}
		return r.to.WriteValue(v)
	}
	if err := r.token(); err != nil {
		return err
	}
	for r.from.PeekKind() == '"' {
		if err := r.member(prefix); err != nil {
			return err
		}
	}
	return r.token()
}

func (r rewriter) token() error {
	t, err := r.from.ReadToken()
	if err != nil {
		return err
	}
	return r.to.WriteToken(t)
}

func (r rewriter) member(prefix string) error {
	name, err := r.from.ReadToken()
	if err != nil {
		return err
	}
	path := prefix + name.String()
	if !slices.Contains(r.paths, path) {
		if err := r.to.WriteToken(name); err != nil {
			return err
		}
		return r.value(path + ".")
	}
	title := name.String() // the token does not outlive the next read
	value, err := r.from.ReadValue()
	if err != nil {
		return err
	}
	if value = r.change(value); value == nil {
		return nil
	}
	if err := r.to.WriteToken(jsontext.String(title)); err != nil {
		return err
	}
	return r.to.WriteValue(value)
}
