package event

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"kontor/internal/db"
)

// Target is where one partner's events go and how they are authenticated.
type Target struct {
	BaseURL  string          // events go to BaseURL + "/" + the path of their type; empty: nowhere
	URLs     map[Type]string // complete URLs of single event types; they win over BaseURL
	Disabled map[Type]bool   // event types that are not sent
	Token    string          // the Authorization header, as it stands
	Secrets  [][]byte        // signing secrets in raw bytes, newest first; each makes a signature

	Concurrency   int // attempts at a time, at most maxConcurrency; 0: 8
	RatePerSecond int // attempts per second; 0: 500
}

// What a lane may do when its partner has chosen nothing, and at most.
const (
	defaultConcurrency = 8
	maxConcurrency     = 64
	defaultRate        = 500
)

func (t Target) concurrency() int {
	if t.Concurrency == 0 {
		return defaultConcurrency
	}
	return min(t.Concurrency, maxConcurrency)
}

func (t Target) rate() int {
	if t.RatePerSecond == 0 {
		return defaultRate
	}
	return t.RatePerSecond
}

// Targets finds a partner's target. An error means that it cannot be known at the moment: the events wait.
// A partner who is to get nothing more has a Target without URLs.
type Targets interface {
	WebhookTarget(r db.Reader, partner int64) (Target, error)
}

// paths are the contract's paths below a partner's base URL.
var paths = map[Type]string{
	UserStatus:          "webhook/user/status",
	KYCFile:             "webhook/kyc-files/status",
	POAVerification:     "webhook/poa-verification/status",
	KYCVerification:     "webhook/kyc-verification/status",
	Wallet:              "create-wallet-webhook",
	HighRisk:            "user-manual-verification-status-webhook",
	Transfer:            "transfer-webhook",
	IBANStatus:          "iban-status-webhook",
	PartnerSEPATransfer: "partner-sepa-transfer-webhook",
	SEPATransfer:        "sepa-transfer-webhook",
	SEPADeposit:         "sepa-deposit-webhook",
	CryptoWithdrawal:    "crypto-withdrawal-webhook",
	CryptoDeposit:       "crypto-deposit-webhook",
	Exchange:            "exchange-webhook",
	CardTransaction:     "card-transaction-webhook",
	OrderStatus:         "order-status-webhook",
	PaymentLink:         "payment-link-webhook",
	Card3DS:             "card-3ds-webhook",
	CardActivation:      "card-activation-webhook",
	URLChanged:          "webhook/url-changed",
}

// Types answers the event types, sorted by name.
func Types() []Type { return slices.Sorted(maps.Keys(paths)) }

// HasRoute tells whether a type's events go where the partner's settings lead them. A notice does not.
func (t Type) HasRoute() bool { return t != URLChanged }

const healthPath = "webhook/health" // below the base URL

// route is the way of an event type's events.
type route struct {
	address string
	host    string // what fails and recovers as one: scheme, host and port of the address
	refusal string // why there is no address
}

// routes answers the way of each event type.
func (t Target) routes() map[Type]route {
	all := make(map[Type]route, len(paths))
	for kind := range paths {
		if !kind.HasRoute() {
			continue
		}
		address, refusal := t.resolve(kind)
		all[kind] = route{address, hostOf(address), refusal}
	}
	return all
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// resolve answers the URL for an event type, or why there is none.
func (t Target) resolve(kind Type) (address, refusal string) {
	if t.Disabled[kind] {
		return "", "disabled"
	}
	if own := t.URLs[kind]; own != "" {
		return own, ""
	}
	path, known := paths[kind]
	if t.BaseURL == "" || !known {
		return "", "no webhook URL is set"
	}
	address, err := url.JoinPath(t.BaseURL, path)
	if err != nil {
		return "", "the webhook URL is not valid"
	}
	return address, ""
}
