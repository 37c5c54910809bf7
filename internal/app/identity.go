package app

import (
	"cmp"

	"kontor/internal/identity"
	"kontor/internal/partner"
	"kontor/internal/rail/idcheck"
	"kontor/internal/sepa"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// defaultPagesURL is where a node on a developer's machine serves.
const defaultPagesURL = "http://127.0.0.1:8080"

// newIdentity makes the service that decides who users are.
func newIdentity(cfg Config, a *App, v *vault.Vault, users *user.Service, payments *sepa.Service) (*identity.Service, error) {
	staging := cfg.Environment == partner.Staging
	c := identity.Config{
		DB: a.DB, Vault: v, Clock: cfg.Clock, Catalog: a.Catalog, Users: users, Jobs: a.jobs,
		Checker: idcheck.Builtin{Staging: staging}, Activators: []identity.Activator{payments}, Resumers: []identity.Resumer{payments},
		Documents: a.Uploads, Proofs: a.Uploads, Screener: screener{a.Compliance},
		Staging: staging, Delay: cfg.SandboxDelay, PagesURL: cmp.Or(cfg.PagesURL, defaultPagesURL),
	}
	if cfg.IdentityProvider != nil { // a nil pointer in the interface would be a provider
		c.Provider = cfg.IdentityProvider
	}
	return identity.NewService(c)
}
