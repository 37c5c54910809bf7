package event_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/event"
)

// verifier is a receiver's check in JavaScript, with the library that Standard Webhooks publishes for it.
const verifier = `
const { Webhook } = require("standardwebhooks");
const { secret, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
new Webhook(secret).verify(body, headers);
`

// A library that is not ours, in another language, verifies deliveries, and with either secret while one is
// being rotated.
func TestForeignLibraryVerifiesSignatures(t *testing.T) {
	t.Parallel()
	install := exec.Command("make", "--no-print-directory", "-C", "../..", "tools/node_modules/.package-lock.json")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm packages of tools/package.json: %v\n%s", err, out)
	}
	w, r, object := newWorld(t, dbtest.Open(t, db.SQLite)), receive(t, nil), clock.NewID()
	old := []byte("an older secret, 24 byte")
	w.targets[1] = event.Target{BaseURL: r.url, Secrets: [][]byte{secret, old}}
	w.run()
	w.write(object, 1)
	got := r.next()
	if body := name(object, 1); got.body != body {
		t.Fatalf("%s arrived, want %s", got.body, body)
	}
	for _, key := range [][]byte{secret, old} {
		if out, err := verifyInNode(key, got.body, got.header); err != nil {
			t.Errorf("refused: %v\n%s", err, out)
		}
	}
	if out, err := verifyInNode(secret, got.body+" ", got.header); err == nil || !strings.Contains(out, "No matching signature") {
		t.Errorf("another body: %v, %s", err, out)
	}
	stale := got.header.Clone()
	stale.Set("webhook-timestamp", strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10))
	if _, err := verifyInNode(secret, got.body, stale); err == nil {
		t.Error("another time is taken")
	}
}

func verifyInNode(key []byte, body string, header http.Header) (string, error) {
	headers := map[string]string{}
	for name := range header {
		headers[strings.ToLower(name)] = header.Get(name)
	}
	input, err := json.Marshal(map[string]any{
		"secret": "whsec_" + base64.StdEncoding.EncodeToString(key), "body": body, "headers": headers,
	})
	if err != nil {
		return "", err
	}
	node := exec.Command("node", "-e", verifier)
	node.Dir = "../../tools"
	node.Stdin = strings.NewReader(string(input))
	out, err := node.CombinedOutput()
	return string(out), err
}
