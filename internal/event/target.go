package event

import (
	"maps"
	"net/url"
	"slices"

	"kontor/internal/db"
)

// Target is where one partner's events go and how they are authenticated.
type Target struct {
	BaseURL  string          // events go to BaseURL + "/" + the path of their type; empty: nowhere
	URLs     map[Type]string // complete URLs of single event types; they win over BaseURL
	Disabled map[Type]bool   // event types that are not sent
	Token    string          // the Authorization header, as it stands
	Secrets  [][]byte        // signing secrets in raw bytes, newest first; each makes a signature
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
}

// Types answers the event types, sorted by name.
func Types() []Type { return slices.Sorted(maps.Keys(paths)) }

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
