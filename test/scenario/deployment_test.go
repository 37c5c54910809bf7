package scenario

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"kontor/internal/app"
	"kontor/internal/db"
	"kontor/internal/money"
)

// catalogFile is the built-in catalogue of currencies.
const catalogFile = "../../internal/catalog/data/currencies.json"

// start runs a program that is deployed like this.
func (d *deployment) start(t *testing.T, engine db.Engine) *platform {
	t.Helper()
	chosen := app.Config{Clock: &ahead{}}
	var err error
	if d.Guard != "" {
		if chosen.ExchangeGuard, err = money.ParsePercent(d.Guard); err != nil {
			t.Fatalf("guard: %v", err)
		}
	}
	if len(d.Currencies) > 0 {
		chosen.CatalogDir = d.catalog(t)
	}
	return startWith(t, engine, chosen)
}

// catalog makes a folder with the currencies of the deployment.
func (d *deployment) catalog(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(catalogFile)
	if err != nil {
		t.Fatal(err)
	}
	var data struct {
		Currencies []map[string]any `json:"currencies"`
	}
	if err := json.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	left := maps.Clone(d.Currencies)
	for _, c := range data.Currencies {
		slug, _ := c["code"].(string)
		for name, value := range left[slug] {
			c[name] = value
		}
		delete(left, slug)
	}
	if len(left) > 0 {
		t.Fatalf("unknown currencies: %v", left)
	}
	if text, err = json.Marshal(data); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "currencies.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
