//go:build linux

package fault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kontor/internal/pgtest"
)

// deployment is two nodes on one database.
type deployment struct {
	t        *testing.T
	env      []string
	database string
	nodes    [2]*node
}

// deploy starts two nodes at the same time on an empty database.
func deploy(t *testing.T) *deployment {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	d := &deployment{t: t, database: pgtest.NewDatabase(t)}
	d.env = []string{"KONTOR_MASTER_KEY=" + base64.StdEncoding.EncodeToString(key), "KONTOR_DATABASE=" + d.database}
	for i := range d.nodes {
		d.nodes[i] = newNode(t, d.env, "serve")
		d.nodes[i].begin()
	}
	for _, n := range d.nodes {
		n.awaitReady()
	}
	return d
}

// print runs a command that prints JSON and answers one member of it.
func (d *deployment) print(member string, args ...string) string {
	d.t.Helper()
	out, err := tool(d.t, d.env, append(args, "--json")...)
	if err != nil {
		d.t.Fatal(err)
	}
	var members map[string]string
	if err := json.Unmarshal(out, &members); err != nil || members[member] == "" {
		d.t.Fatalf("%v prints %s: %v", args, out, err)
	}
	return members[member]
}

// holder answers the node that holds the partner's lane of webhooks.
func (d *deployment) holder(partner string) *node {
	d.t.Helper()
	conn, err := pgx.Connect(d.t.Context(), d.database)
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var found *node
	err = eventually(d.t, settleLimit, func() error {
		var name string
		err := conn.QueryRow(d.t.Context(), "SELECT node FROM event_lane WHERE partner_id::text = $1", partner).Scan(&name)
		if err != nil {
			return err
		}
		for _, n := range d.nodes {
			if strings.Contains(name, fmt.Sprintf("-%d-", n.pid())) {
				found = n
				return nil
			}
		}
		return fmt.Errorf("the lane is held by %q", name)
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

// TestTwoNodes has partners' programs talk to two nodes of one deployment, and kills the one that delivers
// the webhooks.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	repeatedly(t, 20, twoNodes)
}

func twoNodes(t *testing.T) {
	rng := random(t)
	d := deploy(t)
	r := startReceiver(t)
	partner := d.print("id", "partner", "create", "--set", "legalName=Test Partner", "--set", "rateLimit=0", "--set", "webhook.baseUrl="+r.url)
	w := newWorld(t, r, d.print("apiKey", "key", "issue", partner))
	bases := []string{d.nodes[0].url, d.nodes[1].url}
	w.populate(bases[0], 6, 5_000)

	w.raceForOneKey(bases)
	w.raceForFunds(bases)

	stop := w.load(rng, 8, bases...)
	for range 2 {
		w.progress(100 + rng.IntN(200))
		dead := d.holder(partner)
		dead.kill()
		w.fault(0)
		live := slices.IndexFunc(d.nodes[:], func(n *node) bool { return n.process != nil })
		w.delivers(d.nodes[live].url, "a node died", time.Now())
		w.progress(50)
		dead.start()
	}
	stop()
	w.settle(bases[0])
	w.check(bases[1])
	if _, err := tool(t, d.env, "verify"); err != nil {
		t.Error(err)
	}
}

// raceForOneKey repeats one request at both nodes at once: there is one transfer.
func (w *world) raceForOneKey(bases []string) {
	w.t.Helper()
	const racers = 16
	users := w.usersByName()
	for range 5 {
		o := w.inventTransfer(users[0], users[1], 1)
		var mu sync.Mutex
		var answers []answer
		var group sync.WaitGroup
		for i := range racers {
			group.Go(func() {
				got, err := w.call(context.Background(), http.MethodPost, bases[i%len(bases)]+o.path, o.key, o.body)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					w.t.Error(err)
				}
				answers = append(answers, got)
			})
		}
		group.Wait()
		replayed := 0
		for _, got := range answers {
			if got.status != http.StatusCreated || !bytes.Equal(got.body, answers[0].body) {
				w.t.Errorf("racers with one key got %s and %s", answers[0], got)
			}
			if got.header.Get("Idempotent-Replayed") == "true" {
				replayed++
			}
		}
		if replayed != racers-1 {
			w.t.Errorf("%d of %d racers got a repetition; one of them makes the transfer", replayed, racers)
		}
		w.change(func() { w.acknowledge(o, answers[0], "") })
	}
}

// raceForFunds asks for four times as much as there is, in parts, at both nodes at once.
func (w *world) raceForFunds(bases []string) {
	w.t.Helper()
	const parts, affordable = 40, 10
	others := w.usersByName()
	w.populate(bases[0], 1, affordable*100)
	poor := w.users[len(w.users)-1]
	var all []*operation
	var group sync.WaitGroup
	for i := range parts {
		o := w.inventTransfer(poor, others[i%len(others)], 100)
		all = append(all, o)
		group.Go(func() { w.attempt(context.Background(), bases[i%len(bases)], o) })
	}
	group.Wait()
	made, refused := 0, 0
	for _, o := range all {
		switch {
		case o.refused:
			refused++
		case o.settled:
			made++
		}
	}
	if made != affordable || refused != parts-affordable {
		w.t.Errorf("%d of %d transfers were made and %d refused; the balance covers %d", made, parts, refused, affordable)
	}
}
