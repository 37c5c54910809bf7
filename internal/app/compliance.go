package app

import (
	"kontor/internal/compliance"
	"kontor/internal/db"
	"kontor/internal/partner"
	"kontor/internal/vault"
)

// newCompliance makes the service, without those who need it themselves.
func newCompliance(cfg Config, a *App, v *vault.Vault) *compliance.Service {
	return compliance.NewService(compliance.Config{
		DB: a.DB, Vault: v, Clock: cfg.Clock, Log: cfg.Log, Sandbox: cfg.Environment == partner.Staging,
		HighRisk: a.Catalog.HighRisk,
		FourEyes: func(r db.Reader, id int64) (bool, error) {
			p, err := a.Partners.Find(r, id)
			return err == nil && p.Settings.Text("fourEyes") == "on", err
		},
	})
}
