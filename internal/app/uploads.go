package app

import (
	"path/filepath"
	"strings"

	"kontor/internal/blob"
	"kontor/internal/db"
	"kontor/internal/document/pdfpage"
	"kontor/internal/identity"
	"kontor/internal/job"
	"kontor/internal/partner"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// proofRules tells identity a partner's setting.
type proofRules struct{ partners *partner.Service }

func (p proofRules) ProofRule(r db.Reader, id int64) (string, error) {
	found, err := p.partners.Find(r, id)
	return found.Settings.Text("poa.required"), err
}

// newUploads makes the service that keeps users' files.
func newUploads(cfg Config, d *db.DB, v *vault.Vault, users *user.Service, jobs *job.Runner, partners *partner.Service) *identity.Uploads {
	return identity.NewUploads(identity.UploadConfig{
		DB: d, Vault: v, Clock: cfg.Clock, Users: users, Jobs: jobs, Log: cfg.Log, Rules: proofRules{partners},
		Blobs:   blob.NewFolder(cfg.documents(), v, "document", "content"),
		Pages:   pdfpage.NewDrawer(cfg.PDFProgram...),
		Staging: cfg.Environment == partner.Staging, Delay: cfg.SandboxDelay,
	})
}

// documents is the folder of users' documents: the one that is set, or one beside the SQLite file.
func (c Config) documents() string {
	if c.Documents != "" || strings.Contains(c.Database, "://") {
		return c.Documents
	}
	return filepath.Join(filepath.Dir(c.Database), "documents")
}
