package httpapi

import (
	"net/http"

	"kontor/internal/db"
	"kontor/internal/httpapi/oas"
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
