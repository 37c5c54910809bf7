package identity

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kontor/internal/audit"
	"kontor/internal/blob"
	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/document/documenttest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/user"
	"kontor/internal/vault"
)

// desk is a partner's user of a country, with the services that take files.
type desk struct {
	*testing.T
	db      *db.DB
	clock   *clock.Manual
	users   *user.Service
	checks  *Service
	uploads *Uploads
	user    user.User
	rule    string // who needs a proof of address
	told    []string
}

func (d *desk) ProofRule(db.Reader, int64) (string, error) { return d.rule, nil }

// accept is a checker that accepts everybody.
type accept struct{}

func (accept) Check(Case) (Outcome, error) { return Outcome{Status: Successful}, nil }

func newDesk(t *testing.T, on *db.DB, country string) *desk {
	t.Helper()
	v, err := vault.Open(t.Context(), on, bytes.Repeat([]byte{1}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, db: on, clock: clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), rule: ProofAuto}
	events := event.NewLog(v, func(int64) {})
	events.Check(func(kind event.Type, body []byte) error {
		d.told = append(d.told, string(kind)+" "+string(body))
		return nil
	})
	log := slog.New(slog.DiscardHandler)
	jobs := job.NewRunner(job.Config{DB: on, Clock: d.clock, Node: "test", Log: log})
	d.users = user.NewService(v, d.clock, cat, events)
	d.uploads = NewUploads(UploadConfig{
		DB: on, Vault: v, Clock: d.clock, Users: d.users, Jobs: jobs, Log: log, Rules: d, Staging: true, Delay: time.Hour, Pages: blankPages{},
		Blobs: blob.NewFolder(filepath.Join(t.TempDir(), "documents"), v, "document", "content"),
	})
	d.checks, err = NewService(Config{
		DB: on, Vault: v, Clock: d.clock, Catalog: cat, Users: d.users, Jobs: jobs, Checker: accept{},
		Documents: d.uploads, Proofs: d.uploads, PagesURL: "http://127.0.0.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.uploads.Join(d.checks)
	d.must(func(tx *db.Tx) (err error) {
		d.user, _, err = d.users.Create(tx, 1, user.New{ExternalID: "user", Model: user.KYC, Person: user.Person{Country: country}})
		return err
	})
	return d
}

func (d *desk) must(fn func(tx *db.Tx) error) {
	d.Helper()
	if err := d.db.Update(d.Context(), fn); err != nil {
		d.Fatal(err)
	}
}

// read runs a query and answers what it found.
func read[A any](d *desk, fn func(r db.Reader) (A, error)) A {
	d.Helper()
	var a A
	err := d.db.View(d.Context(), func(r db.Reader) (err error) {
		a, err = fn(r)
		return err
	})
	if err != nil {
		d.Fatal(err)
	}
	return a
}

// refused wants a transaction to fail with a code of the table.
func (d *desk) refused(code fault.Code, fn func(tx *db.Tx) error) {
	d.Helper()
	var known *fault.Error
	if err := d.db.Update(d.Context(), fn); !errors.As(err, &known) || known.Code != code {
		d.Errorf("answered %v, want %s", err, code)
	}
}

func (d *desk) store(name string, content []byte) Upload {
	d.Helper()
	up, err := d.uploads.Store(d.Context(), 1, name, bytes.NewReader(content))
	if err != nil {
		d.Fatal(err)
	}
	return up
}

// file gives a file to the user's attempt.
func (d *desk) file(name string, content []byte) Upload {
	d.Helper()
	up := d.store(name, content)
	d.must(func(tx *db.Tx) error { return d.uploads.AddFiles(tx, 1, "user", []Upload{up}, nil) })
	return up
}

// prove gives a file to the user's proof of address.
func (d *desk) prove() {
	d.Helper()
	up := d.store("bill.pdf", paper)
	d.must(func(tx *db.Tx) error { return d.uploads.AddProof(tx, 1, "user", []Upload{up}, nil) })
}

func (d *desk) content(id clock.ID) ([]byte, error) {
	r, err := d.uploads.Blobs.Open(d.Context(), refOf(1, id))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (d *desk) heard(kind event.Type, status string) int {
	n := 0
	for _, text := range d.told {
		if strings.HasPrefix(text, string(kind)+" ") && strings.Contains(text, `"status":"`+status+`"`) {
			n++
		}
	}
	return n
}

var paper = documenttest.PDF(documenttest.Pages(1)...)

func photo(t *testing.T) []byte {
	t.Helper()
	return documenttest.JPEG(t, documenttest.Picture(320, 240))
}

// withPlace puts an EXIF segment with a place behind a JPEG's beginning.
func withPlace(jpeg []byte) []byte {
	exif := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00 GPS 54.6872N 25.2797E"
	segment := append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2)), exif...)
	return append(append(bytes.Clone(jpeg[:2]), segment...), jpeg[2:]...)
}

func TestFilesAreJudgedOnceAndTold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		good, bad := d.file("front.jpg", withPlace(photo(t))), d.file("back.png", documenttest.PNG(t, documenttest.Flat(300, 300)))
		for range 2 { // a job can have come to its end before
			for _, up := range []Upload{good, bad} {
				if err := d.uploads.judge(t.Context(), job.Job{Partner: 1, Object: up.ID}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if added, failed := d.heard(event.KYCFile, FileAdded), d.heard(event.KYCFile, FileError); added != 1 || failed != 1 {
			t.Errorf("told: %q", d.told)
		}
		if kept, err := d.content(good.ID); err != nil || bytes.Contains(kept, []byte("GPS")) {
			t.Errorf("%d bytes are kept, %v, with the place where the picture was taken", len(kept), err)
		}
		if _, err := d.content(bad.ID); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("a file of no use is kept: %v", err)
		}
		a := read(d, func(r db.Reader) (Status, error) { return d.checks.FindStatus(r, d.user) }).Attempt
		list := read(d, func(r db.Reader) ([]Document, error) { return d.uploads.List(r, 1, d.user.ID, a.ID) })
		if len(list) != 1 || list[0].ID != good.ID || list[0].Name != "front.jpg" || a.Status != Pending {
			t.Errorf("the attempt %+v has %+v", a, list)
		}
		if n := read(d, func(r db.Reader) ([]Document, error) { return d.uploads.List(r, 2, d.user.ID, a.ID) }); len(n) > 0 {
			t.Error("another partner reads the list")
		}
	})
}

func TestTooManyFilesOfAnAttempt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	for range maxPerTry {
		d.file("a.pdf", paper)
	}
	up := d.store("one-more.pdf", paper)
	d.refused(fault.Validation, func(tx *db.Tx) error { return d.uploads.AddFiles(tx, 1, "user", []Upload{up}, nil) })
}

func TestStoreTellsTheSizeBeforeTheType(t *testing.T) {
	t.Parallel()
	d := newDesk(t, dbtest.Open(t, db.SQLite), "LT")
	large := append(photo(t), make([]byte, MaxFileSize)...)
	for what, c := range map[string]struct {
		content []byte
		code    fault.Code
	}{
		"exactly as large as allowed":       {large[:MaxFileSize], ""},
		"one byte more":                     {large[:MaxFileSize+1], fault.FileTooLarge},
		"text of the largest size":          {make([]byte, MaxFileSize), fault.InvalidFileType},
		"text, one byte larger":             {make([]byte, MaxFileSize+1), fault.FileTooLarge},
		"nothing":                           {nil, fault.InvalidFileType},
		"a picture that ends in the middle": {photo(t)[:600], fault.InvalidFileType},
	} {
		up, err := d.uploads.Store(t.Context(), 1, what, bytes.NewReader(c.content))
		var known *fault.Error
		if errors.As(err, &known); (err != nil || c.code != "") && (known == nil || known.Code != c.code) {
			t.Errorf("%s: %v, want %s", what, err, c.code)
		}
		if _, err := d.content(up.ID); (err == nil) != (c.code == "") {
			t.Errorf("%s: reading what was stored: %v", what, err)
		}
		if skimmed, _ := d.uploads.Skim(what, bytes.NewReader(c.content)); len(c.content) <= MaxFileSize && skimmed.Digest != up.Digest {
			t.Errorf("%s: its digest is another one when it is not stored", what)
		}
	}
}

func TestNamesAreLabels(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a\x00b\nc.jpg": "abc.jpg", "\xff.jpg": ".jpg", strings.Repeat("ž", 300): strings.Repeat("ž", maxName), `..\..\x.png`: `..\..\x.png`,
		"a\u202egpj.exe": "agpj.exe",
	} {
		if got := label(name); got != want {
			t.Errorf("%q is kept as %q", name, got)
		}
	}
}

func TestUnusedContentIsSweptByItsAge(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		kept, orphan := d.file("a.pdf", paper), d.store("b.pdf", paper)
		useless := d.file("c.png", documenttest.PNG(t, documenttest.Flat(300, 300)))
		d.must(func(tx *db.Tx) error {
			tx.Write(updateFile, int64(1), useless.ID, FileError, 0) // as if the program had stopped before its content was removed
			return nil
		})
		if n, err := d.uploads.Sweep(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
			t.Errorf("%d young ones were removed, %v", n, err)
		}
		if n, err := d.uploads.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 2 || err != nil {
			t.Errorf("%d were removed, %v", n, err)
		}
		for id, there := range map[clock.ID]bool{kept.ID: true, orphan.ID: false, useless.ID: false} {
			if _, err := d.content(id); (err == nil) != there {
				t.Errorf("content that should be there (%t): %v", there, err)
			}
		}
	})
}

func TestErasureRemovesFiles(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		up := d.file("a.pdf", paper)
		d.prove()
		for range 2 { // it may be called again
			d.must(func(tx *db.Tx) error {
				tx.Locked()
				return d.uploads.ErasePerson(tx, 1, d.user.ID)
			})
		}
		if files := read(d, func(r db.Reader) ([]File, error) { return d.uploads.Files(r, 1, d.user.ID) }); len(files) > 0 {
			t.Errorf("left: %+v", files)
		}
		if err := d.uploads.deleteContent(t.Context(), job.Job{Partner: 1, Object: up.ID}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.content(up.ID); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("the content is there: %v", err)
		}
		if err := d.uploads.judge(t.Context(), job.Job{Partner: 1, Object: up.ID}); err != nil {
			t.Errorf("the job that was to judge it: %v", err)
		}
	})
}

func TestEachLookIsMarkedAndRecorded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		picture, pdf := d.file("front.jpg", photo(t)), d.file("back.pdf", paper)
		for _, id := range []clock.ID{picture.ID, pdf.ID} {
			look, err := d.uploads.Show(t.Context(), "console:officer", 1, id, 1)
			if err != nil {
				t.Fatal(err)
			}
			shown, err := jpeg.Decode(bytes.NewReader(look))
			if err != nil {
				t.Fatal(err)
			}
			if id == pdf.ID && unmarked(shown) {
				t.Error("the page of a PDF has no mark")
			}
		}
		for _, page := range []int{0, 2} {
			if _, err := d.uploads.Show(t.Context(), "console:officer", 1, pdf.ID, page); !errors.Is(err, ErrNoFile) {
				t.Errorf("page %d: %v", page, err)
			}
		}
		if _, err := d.uploads.Show(t.Context(), "console:officer", 2, picture.ID, 1); !errors.Is(err, ErrNoFile) {
			t.Errorf("another partner's: %v", err)
		}
		looks := read(d, func(r db.Reader) ([]audit.Recorded, error) {
			return audit.List(r, audit.Filter{Action: "document.view"}, 10, 0)
		})
		if len(looks) != 2 {
			t.Errorf("the audit log has %d looks: %+v", len(looks), looks)
		}
	})
}

// blankPages draws every page as an empty one.
type blankPages struct{}

func (blankPages) Page(_ context.Context, content io.Reader, _ int) (*image.RGBA, error) {
	page := image.NewRGBA(image.Rect(0, 0, 600, 800))
	draw.Draw(page, page.Rect, image.White, image.Point{}, draw.Src)
	_, err := io.Copy(io.Discard, content)
	return page, err
}

func (blankPages) Prepare() {}

// unmarked tells whether a drawn page is as empty as blankPages made it.
func unmarked(p image.Image) bool {
	for y := range p.Bounds().Dy() {
		for x := range p.Bounds().Dx() {
			if r, _, _, _ := p.At(x, y).RGBA(); r < 0xe000 {
				return false
			}
		}
	}
	return true
}
