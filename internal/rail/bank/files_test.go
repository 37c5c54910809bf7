package bank

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/iban"
	"kontor/internal/job"
	"kontor/internal/ledger"
	"kontor/internal/money"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

const (
	ourAccount   = iban.IBAN("LT121000011101001000")
	otherAccount = iban.IBAN("DE89370400440532013000")
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// exchange is a node with its folders, and the bank's side of them.
type exchange struct {
	*testing.T
	*Files
	told *told
}

// told is a receiver that counts what it is told, and fails on request.
type told struct {
	mu      sync.Mutex
	reports int
	entries []string
	failure error

	contradiction error // what statements that are to be kept are answered with
}

func (r *told) Report(context.Context, []sepa.Status) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports++
	return r.failure
}

func (r *told) ReportBatch(context.Context, clock.ID, bool, string) error { return nil }

func (r *told) KeepStatement(context.Context, sepa.Statement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.contradiction
}

func (r *told) Book(_ context.Context, entries []sepa.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure != nil {
		return r.failure
	}
	for _, e := range entries {
		r.entries = append(r.entries, e.Reference)
	}
	return nil
}

func (r *told) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = err
}

// tells answers the references of what was booked so far.
func (r *told) tells() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.entries, " ")
}

func newExchange(t *testing.T, d *db.DB) *exchange {
	return openExchange(t, d, t.TempDir(), &told{})
}

// openExchange opens a node on a folder that may have been used before, or is used by another node.
func openExchange(t *testing.T, d *db.DB, folder string, to *told) *exchange {
	t.Helper()
	now, log := clock.NewManual(noon), slog.New(slog.NewTextHandler(t.Output(), nil))
	f, err := NewFiles(t.Context(), FilesConfig{
		Account: Account{Holder: "Test Operator", IBAN: ourAccount, BIC: "KNTRLT20XXX"}, Folder: folder, Poll: time.Hour,
		DB: d, Clock: now, Jobs: job.NewRunner(job.Config{DB: d, Clock: now, Node: "test", Log: log}), Log: log, Receiver: to,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &exchange{T: t, Files: f, told: to}
}

// look looks at the inbox as often as it takes for a file to be complete, and takes what is.
func (x *exchange) look() {
	x.Helper()
	for range 2 {
		if err := x.lookIn(x.Context()); err != nil {
			x.Fatal(err)
		}
	}
	if err := x.takeAll(x.Context(), job.Job{Kind: takeFiles}); err != nil {
		x.Fatal(err)
	}
}

// arrive lets the bank put a file into the inbox.
func (x *exchange) arrive(name string, content []byte) {
	x.Helper()
	if err := os.WriteFile(x.in(inboxFolder, name), content, 0o600); err != nil {
		x.Fatal(err)
	}
}

// names lists the files below a folder.
func (x *exchange) names(folder string) (all []string) {
	x.Helper()
	err := filepath.WalkDir(x.in(folder), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		x.Fatal(err)
	}
	return all
}

// want counts the files in the folders.
func (x *exchange) want(inbox, archived, quarantined int) {
	x.Helper()
	got := fmt.Sprint(len(x.names(inboxFolder)), len(x.names(archiveFolder)), len(x.names(quarantineFolder)))
	if want := fmt.Sprint(inbox, archived, 2*quarantined); got != want {
		x.Errorf("files in inbox, archive and quarantine, with reasons: %s, want %s", got, want)
	}
}

// outcomes counts the records of what became of files.
func (x *exchange) outcomes() string {
	x.Helper()
	var all []string
	err := x.db.View(x.Context(), func(r db.Reader) error {
		rows := r.Rows(db.NewQuery(`SELECT outcome FROM bank_file_in WHERE partner_id = $1 ORDER BY id`), ledger.Operator)
		defer rows.Close()
		for rows.Next() {
			var outcome string
			if err := rows.Scan(&outcome); err != nil {
				return err
			}
			all = append(all, outcome)
		}
		return rows.Err()
	})
	if err != nil {
		x.Fatal(err)
	}
	return strings.Join(all, " ")
}

// statement writes a camt.054 with one credit.
func statement(t testing.TB, account iban.IBAN, id, reference string) []byte {
	t.Helper()
	amount := money.New(12_34, iso20022.Euro)
	text, err := iso20022.WriteStatement(iso20022.Statement{
		Kind: iso20022.Notification, MessageID: id, ID: id, CreatedAt: noon, Account: account,
		Entries: []iso20022.Entry{{Reference: reference, Amount: amount, Booked: true, Day: noon}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFileIsTakenWhenItIsComplete(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		whole := statement(t, ourAccount, "M1", "R1")
		for _, name := range []string{".hidden.xml", "camt.xml.part", "camt.xml.TMP", "camt.xml.filepart"} {
			x.arrive(name, whole)
		}
		if err := os.Symlink("/etc/passwd", x.in(inboxFolder, "link.xml")); err != nil {
			t.Fatal(err)
		}
		x.look()
		x.want(5, 0, 0)
		x.arrive("camt.xml", whole[:100])
		if err := x.lookIn(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.arrive("camt.xml", whole)
		if err := x.lookIn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := x.takeAll(t.Context(), job.Job{}); err != nil || x.told.tells() != "" {
			t.Fatalf("a file that grows was taken: %q (%v)", x.told.tells(), err)
		}
		x.look()
		x.want(5, 1, 0)
		if kept := x.names(archiveFolder); x.told.tells() != "R1" || filepath.Base(filepath.Dir(kept[0])) != "2026-03-02" || !strings.HasSuffix(kept[0], "-camt.xml") {
			t.Errorf("booked %q, archived %q", x.told.tells(), kept)
		}
	})
}

func TestFilesAndMessagesAreTakenOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		x.arrive("1.xml", statement(t, ourAccount, "M1", "R1"))
		x.look()
		x.arrive("1.xml", statement(t, ourAccount, "M1", "R1")) // the same again
		x.arrive("2.xml", statement(t, ourAccount, "M1", "R1")) // under another name
		x.look()
		x.want(0, 3, 0)
		x.arrive("3.xml", statement(t, ourAccount, "M1", "R3")) // another content under the same id
		x.look()
		x.want(0, 3, 1)
		x.arrive("1.xml", statement(t, ourAccount, "M4", "R4")) // banks use names again
		x.look()
		x.want(0, 4, 1)
		if got := x.told.tells(); got != "R1 R4" {
			t.Errorf("booked %q", got)
		}
		if got := x.outcomes(); got != "TAKEN DUPLICATE DUPLICATE QUARANTINED TAKEN" {
			t.Errorf("recorded %q", got)
		}
	})
}

func TestUnreadableFilesGoToQuarantineWithTheReason(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		good := string(statement(t, ourAccount, "M1", "R1"))
		pain, err := Account{Holder: "Test", IBAN: ourAccount}.render(batch(1))
		if err != nil {
			t.Fatal(err)
		}
		start, end := strings.Index(good, "<Ntfctn>"), strings.Index(good, "</BkToCstmrDbtCdtNtfctn>")
		another := strings.Replace(good[start:end], string(ourAccount), string(otherAccount), 1)
		both := good[:end] + another + good[end:]
		if good == both || another == good[start:end] {
			t.Fatal("the statement has another form")
		}
		x := newExchange(t, d)
		taken := ""
		bomb := `<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Document>&b;</Document>`
		for name, c := range map[string]struct {
			content string
			reason  string
		}{
			"another account":   {string(statement(t, otherAccount, "M1", "R1")), "another account"},
			"ours and another":  {both, "another account"},
			"truncated":         {good[:len(good)/2], "it ends in the middle"},
			"truncated late":    {strings.TrimSuffix(good, "</Document>\n"), "it ends in the middle"},
			"empty":             {"", "not a message that can be read"},
			"a bomb":            {bomb, "a DTD"},
			"wrong number":      {strings.Replace(good, "<NbOfNtries>1", "<NbOfNtries>2", 1), "wrong control sum"},
			"of ours":           {string(pain), "unknown kind"},
			"another currency":  {strings.Replace(good, `Amt Ccy="EUR"`, `Amt Ccy="USD"`, 1), "not in euros"},
			"wrong control sum": {strings.Replace(good, "<Sum>12.34", "<Sum>12.35", 1), "wrong control sum"},
			"no day":            {strings.Replace(good, "<Dt>2026-03-02", "<Dt>2026-13-45", 1), "a date that is none"},
			"no amount":         {strings.ReplaceAll(good, "12.34", "92233720368547758.07"), "more than any account holds"},
			"no xml":            {"%PDF-1.7", "not a message that can be read"},
		} {
			x.arrive("a\nname.xml", []byte(c.content))
			next := fmt.Sprint("N", len(taken)) // comes with it, and is taken all the same
			x.arrive("next.xml", statement(t, ourAccount, next, next))
			taken = strings.TrimSpace(taken + " " + next)
			x.look()
			x.want(0, len(strings.Fields(taken)), 1)
			for _, path := range x.names(quarantineFolder) {
				text, err := os.ReadFile(path)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if !strings.HasSuffix(path, reasonSuffix) {
					continue
				}
				if err != nil || !strings.Contains(string(text), c.reason) || !strings.Contains(string(text), "a_name.xml") {
					t.Errorf("%s: the reason is %q (%v)", name, text, err)
				}
			}
			if got := x.told.tells(); got != taken {
				t.Errorf("%s: booked %q, want %q", name, got, taken)
			}
		}
	})
}

func TestStatementThatContradictsAnotherGoesToQuarantine(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		x.told.contradiction = sepa.ErrContradiction
		balance := iso20022.Balance{Amount: money.New(0, iso20022.Euro), Day: noon}
		text, err := iso20022.WriteStatement(iso20022.Statement{
			Kind: iso20022.EndOfDay, MessageID: "M1", ID: "S1", CreatedAt: noon, Account: ourAccount, Opening: &balance, Closing: &balance,
		})
		if err != nil {
			t.Fatal(err)
		}
		x.arrive("statement.xml", text)
		x.look()
		x.want(0, 0, 1)
		for _, path := range x.names(quarantineFolder) {
			text, err := os.ReadFile(path)
			if err != nil || strings.HasSuffix(path, reasonSuffix) && !strings.Contains(string(text), "contradicts one of the same day") {
				t.Errorf("the reason is %q (%v)", text, err)
			}
		}
	})
}

func TestFileThatIsTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	x := newExchange(t, dbtest.Open(t, db.SQLite))
	x.arrive("large.xml", nil)
	if err := os.Truncate(x.in(inboxFolder, "large.xml"), maxFile+1); err != nil {
		t.Fatal(err)
	}
	x.look()
	x.want(0, 0, 1)
}

func TestFileWaitsForItsReceiver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		x.told.fail(errors.New("the database is away"))
		x.arrive("1.xml", statement(t, ourAccount, "M1", "R1"))
		x.look()
		x.want(1, 0, 0)
		x.told.fail(nil)
		x.arrive("2.xml", statement(t, ourAccount, "M2", "R2")) // is not kept waiting by the other
		x.look()
		x.want(1, 1, 0)
		again := openExchange(t, d, x.folder, x.told) // its time has come
		again.look()
		x.want(0, 2, 0)
		if got := x.told.tells(); got != "R2 R1" {
			t.Errorf("booked %q", got)
		}
	})
}

// The program is stopped between the record of a file and its move.
func TestRecordedFileIsOnlyMoved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		x.arrive("1.xml", statement(t, ourAccount, "M1", "R1"))
		x.look()
		kept := x.names(archiveFolder)[0]
		if err := os.Rename(kept, x.in(inboxFolder, "1.xml")); err != nil {
			t.Fatal(err)
		}
		x.look()
		if got := x.names(archiveFolder); len(got) != 1 || got[0] != kept || x.told.tells() != "R1" || x.outcomes() != "TAKEN" {
			t.Errorf("archived %q, booked %q, recorded %q", got, x.told.tells(), x.outcomes())
		}
	})
}

func TestNodesShareAFolder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		y := openExchange(t, d, x.folder, x.told)
		const files = 10
		for i := range files {
			x.arrive(fmt.Sprintf("%d.xml", i), statement(t, ourAccount, fmt.Sprint("M", i), fmt.Sprint("R", i)))
		}
		for range 2 {
			for _, node := range []*exchange{x, y} {
				if err := node.lookIn(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		var both sync.WaitGroup
		for _, node := range []*exchange{x, y} { // as when the lease of one has ended
			both.Go(func() {
				if err := node.takeAll(t.Context(), job.Job{}); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		x.look() // what both left to each other
		x.want(0, files, 0)
		if got := strings.Count(x.outcomes(), fileTaken); got != files {
			t.Errorf("%d files are recorded as taken, want %d: %s", got, files, x.outcomes())
		}
	})
}

func TestFolderThatIsNotTheOneBefore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		x := newExchange(t, d)
		if err := x.Submit(t.Context(), batch(1)); err != nil {
			t.Fatal(err)
		}
		config := FilesConfig{Folder: t.TempDir(), DB: d}
		if _, err := NewFiles(t.Context(), config); err == nil || !strings.Contains(err.Error(), "mounted") {
			t.Errorf("an empty folder in the place of the one before: %v", err)
		}
		config.Folder += "/nowhere"
		if _, err := NewFiles(t.Context(), config); err == nil {
			t.Error("a folder that is not there is accepted")
		}
	})
}

func TestStateTellsWhatWaits(t *testing.T) {
	t.Parallel()
	x := newExchange(t, dbtest.Open(t, db.SQLite))
	x.arrive("bad.xml", []byte("bad"))
	x.look()
	x.arrive("1.xml", nil)
	x.arrive("2.xml.part", nil)
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(x.in(inboxFolder, "1.xml"), hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	if err := x.Submit(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	s, err := x.State()
	if err != nil || s.Inbox.Files != 1 || s.Inbox.Oldest < time.Hour || s.Outbox.Files != 1 || s.Quarantine.Files != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
