//go:build linux

package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// kind is what an operation does.
type kind string

const (
	create   kind = "create"   // a user
	activate kind = "activate" // a user
	deposit  kind = "deposit"  // euros that arrive for a user
	transfer kind = "transfer" // between users and the partner
)

// operation is one thing that a partner's program wants, however often it has to ask for it.
type operation struct {
	kind        kind
	key         string // Idempotency-Key
	path        string
	body        []byte
	source      string // externalUserIds; empty: the partner
	destination string
	cents       int64
	reference   string

	// What came of it, guarded by the world.
	settled  bool
	refused  bool   // for want of funds: nothing happened
	id       string // of what it made
	answer   []byte
	unknown  int  // attempts whose outcome was unknown
	replayed bool // the answer that settled it was a repetition
}

func (o *operation) String() string {
	return fmt.Sprintf("%s %s %s (key %s)", o.kind, o.path, o.body, o.key)
}

// answer is what the program said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// member is a member of the answer's object that is a text, or nothing.
func (a answer) member(name string) string {
	var members map[string]any
	if json.Unmarshal(a.body, &members) != nil {
		return ""
	}
	text, _ := members[name].(string)
	return text
}

// partnerProgram calls the API.
type partnerProgram struct {
	client *http.Client
	apiKey string
}

func newPartnerProgram(apiKey string) *partnerProgram {
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	return &partnerProgram{&http.Client{Transport: transport, Timeout: 40 * time.Second}, apiKey}
}

func (p *partnerProgram) call(ctx context.Context, method, url, key string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("x-api-key", p.apiKey)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text}, err
}

func newUser(id string) []byte {
	return encode(map[string]any{
		"externalUserId": id, "email": "test@example.com", "phone": "+37060000000", "firstName": "Test",
		"lastName": "User", "street": "Test Street", "number": "1", "city": "Vilnius", "postCode": "LT-01100",
		"country": "LT", "citizenship": "LT", "nationality": "LT", "birthCountry": "LT", "birthDate": "1990-01-31",
		"hasAcceptedP100Tc": true,
	})
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // the test's own values always marshal
	}
	return text
}

// euros writes cents as the API does where amounts are strings.
func euros(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
