package bank

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/file"
	"kontor/internal/rail/bank/iso20022"
	"kontor/internal/sepa"
)

// bankSide is the sandbox's bank on its side of a shared folder.
type bankSide struct {
	sandboxBank
	files       *SandboxFiles
	shared, own string
}

func newBankSide(t *testing.T) bankSide {
	t.Helper()
	b := bankSide{sandboxBank: newSandboxBank(t, dbtest.Open(t, db.SQLite)), shared: t.TempDir(), own: t.TempDir()}
	b.send = SendFiles(b.shared, slog.New(slog.DiscardHandler))
	var err error
	if b.files, err = NewSandboxFiles(b.Sandbox, b.shared, b.own, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return b
}

// put puts a file into the outbox, as Kontor does.
func (b bankSide) put(name string, content []byte) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(b.shared, outboxFolder, name), content, 0o600); err != nil {
		b.Fatal(err)
	}
}

// take lets the bank take what is in the outbox, and counts what it then has kept, refused, and left.
func (b bankSide) take(received, refused, left int) {
	b.Helper()
	if err := b.files.TakeAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	for folder, want := range map[string]int{
		filepath.Join(b.own, receivedFolder): received, filepath.Join(b.own, refusedFolder): refused, filepath.Join(b.shared, outboxFolder): left,
	} {
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != want {
			b.Errorf("in %s is %v, want %d files (%v)", filepath.Base(folder), files, want, err)
		}
	}
}

// answers reads what the bank has prepared to tell, in words.
func (b bankSide) answers() (all []string) {
	b.Helper()
	var ids []clock.ID
	err := b.db.View(b.Context(), func(r db.Reader) error {
		rows := r.Rows(db.NewQuery(`SELECT id FROM sandbox_bank_answer WHERE partner_id = 0 ORDER BY id`))
		defer rows.Close()
		for rows.Next() {
			var id clock.ID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return rows.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, id := range ids {
		var sealed []byte
		err := b.db.View(b.Context(), func(r db.Reader) error { return r.Row(selectAnswer, 0, id).Scan(&sealed) })
		if err != nil {
			b.Fatal(err)
		}
		text, err := b.vault.Open(answerPlace(id), sealed)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, inWords(b.T, text))
	}
	return all
}

func inWords(t *testing.T, text []byte) string {
	t.Helper()
	d, err := iso20022.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	words := []string{d.Kind()}
	if d.Report != nil {
		words = append(words, d.Report.Group.Code, d.Report.Group.Reason)
		for _, of := range d.Report.Batches {
			words = append(words, of.Batch.Code, of.Batch.Reason)
			for _, t := range of.Transfers {
				words = append(words, t.Code, t.Reason)
			}
		}
	}
	for _, s := range d.Statements {
		for _, e := range s.Entries {
			words = append(words, e.Amount.String())
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

func (b bankSide) wantAnswers(want ...string) {
	b.Helper()
	if got := b.answers(); !slices.Equal(got, want) {
		b.Errorf("the bank will tell %q, want %q", got, want)
	}
}

func TestBankSideTakesAMessageOnce(t *testing.T) {
	t.Parallel()
	b := newBankSide(t)
	order, err := b.account.render(batch(1))
	if err != nil {
		t.Fatal(err)
	}
	b.put("K1.xml", order)
	if _, err := b.Receive(t.Context(), order); err != nil { // and is stopped while it keeps the file
		t.Fatal(err)
	}
	unfinished := filepath.Join(b.own, receivedFolder, "K1_"+clock.NewID().String()+".xml.1"+file.TempSuffix)
	if err := os.WriteFile(unfinished, order, 0o600); err != nil {
		t.Fatal(err)
	}
	b.take(2, 0, 0)
	if err := b.files.sweep(); err != nil {
		t.Fatal(err)
	}
	b.take(1, 0, 0)
	b.wantAnswers("pain.002 ACSC", "camt.054 -1.00")
	b.put("K1.xml", order) // Kontor would have sent it again
	b.take(2, 0, 0)
	b.wantAnswers("pain.002 ACSC", "camt.054 -1.00", "pain.002 RJCT DU01")
}

func TestBankSideKnowsWhatItHasPickedUp(t *testing.T) {
	t.Parallel()
	b := newBankSide(t)
	order, err := b.account.render(batch(1))
	if err != nil {
		t.Fatal(err)
	}
	picked := ".K1.xml." + clock.NewID().String() + pickedUp
	for range 2 { // an earlier run was stopped after it had kept the file, and before it had removed it
		b.put(picked, order)
		b.take(1, 0, 0)
	}
	b.wantAnswers("pain.002 ACSC", "camt.054 -1.00")
}

func TestBankSideRefusesWhatItCannotTake(t *testing.T) {
	t.Parallel()
	b := newBankSide(t)
	b.put("bad.xml", []byte("no message"))
	b.put("statement.xml", statement(t, b.account.IBAN, "M1", "R1"))
	b.put(".hidden.xml", nil)
	b.put("later.xml.tmp", nil)
	b.take(0, 2, 2)
	other := b.account
	other.IBAN = otherAccount
	order, err := other.render(batch(1))
	if err != nil {
		t.Fatal(err)
	}
	b.put("K1.xml", order)
	b.take(1, 2, 2)
	b.wantAnswers("pain.002 RJCT AC02")
}

// batches notes what became of whole messages.
type batches struct {
	listener
	ended []string
}

func (b *batches) ReportBatch(_ context.Context, message clock.ID, _ bool, reason string) error {
	b.ended = append(b.ended, sepa.EndToEnd(message)+" "+reason)
	return nil
}

// A bank refuses a message that it has already. What it has said, or will say, of the first one holds: transfers that
// counted as failed would be paid out and given back.
func TestRefusalOfADuplicateEndsNothing(t *testing.T) {
	t.Parallel()
	account := Account{Holder: "Test", IBAN: ourAccount}
	for reason, want := range map[string]int{"DU01": 0, "DU02": 0, "AM05": 0, "AM04": 1, "": 1} {
		refused := iso20022.Status{Code: iso20022.Rejected, Reason: reason}
		for where, report := range map[string]iso20022.StatusReport{
			"message": {Group: refused},
			"batch":   {Batches: []iso20022.BatchStatus{{ID: "B", Batch: refused}}},
		} {
			report.ID, report.OriginalID = "R1", messageID(clock.ID{1})
			text, err := report.Write()
			if err != nil {
				t.Fatal(err)
			}
			heard := &batches{}
			if err := account.Take(t.Context(), text, heard); err != nil || len(heard.ended) != want {
				t.Errorf("a %s refused for %q: %q, %v; want %d ends", where, reason, heard.ended, err, want)
			}
		}
	}
}
