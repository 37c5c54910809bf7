package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"kontor/internal/catalog"
	"kontor/internal/contract"
	"kontor/internal/db"
	"kontor/internal/exchange"
	"kontor/internal/fault"
	"kontor/internal/httpapi/oas"
	"kontor/internal/money"
	"kontor/internal/partner"
)

// SandboxGetWebhook tells where the partner's webhooks go.
func (a *api) SandboxGetWebhook(w http.ResponseWriter, r *http.Request) {
	read(a, w, r, "sandboxGetWebhook", func(rd db.Reader, p partner.Partner) (oas.SandboxWebhook, error) {
		now, err := a.Partners.Find(rd, p.ID)
		return oas.SandboxWebhook{BaseUrl: optional(now.Settings.Text("webhook.baseUrl"))}, err
	})
}

// SandboxSetWebhook changes where the partner's webhooks go.
func (a *api) SandboxSetWebhook(w http.ResponseWriter, r *http.Request) {
	raw, err := readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var body oas.SandboxWebhook
	if err := a.validate(r, "sandboxSetWebhook", raw, &body); err != nil {
		a.fail(w, r, err)
		return
	}
	p, err := a.Partners.Set(r.Context(), caller(r).ID, map[string]string{"webhook.baseUrl": value(body.BaseUrl)})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.Retarget(p.ID)
	a.answer(w, r, http.StatusOK, oas.SandboxWebhook{BaseUrl: optional(p.Settings.Text("webhook.baseUrl"))})
}

// SandboxSetRates pins prices for the partner.
func (a *api) SandboxSetRates(w http.ResponseWriter, r *http.Request) {
	raw, err := readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	var body oas.SandboxRates
	if err := a.validate(r, "sandboxSetRates", raw, &body); err != nil {
		a.fail(w, r, err)
		return
	}
	changes, err := a.pinChanges(body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	p, err := a.Partners.Set(r.Context(), caller(r).ID, changes)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := oas.SandboxRates{}
	for slug, rate := range pins(p) {
		out[slug] = nil
		if rate != exchange.Away {
			number := contract.Number(rate.String())
			out[slug] = &number
		}
	}
	a.answer(w, r, http.StatusOK, out)
}

// pinChanges are the settings that pin what a body names, and nothing else. P403 names everything that cannot be
// pinned.
func (a *api) pinChanges(body oas.SandboxRates) (map[string]string, error) {
	changes := map[string]string{}
	for _, e := range a.Catalog.Currencies() {
		if e.Kind != catalog.Fiat {
			changes[pinned+e.Code] = ""
		}
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(body)) {
		setting := pinned + strings.ToLower(name)
		text := away
		if number := body[name]; number != nil {
			rate, err := money.ParseRate(string(*number))
			if err != nil {
				problems = append(problems, name+" must be a price above 0 with at most 18 decimal places")
			}
			text = rate.String()
		}
		given, known := changes[setting]
		switch {
		case !known:
			problems = append(problems, name+" must be the slug of a coin")
		case given != "":
			problems = append(problems, name+" must be given once")
		}
		changes[setting] = text
	}
	if len(problems) > 0 {
		return nil, fault.Invalid(problems...)
	}
	return changes, nil
}
