package identity

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/document/documenttest"
	"kontor/internal/event"
	"kontor/internal/fault"
	"kontor/internal/job"
	"kontor/internal/pgtest"
	"kontor/internal/user"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

func (d *desk) reviews() []ProofReview {
	d.Helper()
	return read(d, func(r db.Reader) ([]ProofReview, error) { return d.uploads.ProofReviews(r, 1, d.user.ID) })
}

func (d *desk) decide(review clock.ID, status string) func(tx *db.Tx) error {
	return func(tx *db.Tx) error {
		return d.uploads.DecideProof(tx, 1, review, Verdict{Actor: "console:officer", Status: status, Reason: "readable"})
	}
}

func (d *desk) request() (Status, error) {
	d.Helper()
	var st Status
	err := d.db.Update(d.Context(), func(tx *db.Tx) (err error) {
		st, err = d.checks.Request(tx, 1, "user", Claims{DocumentType: Passport, DocumentNumber: "TEST1"})
		return err
	})
	return st, err
}

func TestOneProofOfAddressWaits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		add := func(tx *db.Tx) error { return d.uploads.AddProof(tx, 1, "user", nil, nil) }
		d.refused(fault.PoaVerificationNotFound, add)
		d.file("front.pdf", paper)
		d.prove()
		d.refused(fault.PoaPending, add)
		queue := read(d, func(r db.Reader) ([]Queued, error) { return d.uploads.ProofQueue(r, 10) })
		if len(queue) != 1 || queue[0].ExternalID != "user" || queue[0].ID != d.reviews()[0].ID {
			t.Fatalf("the queue has %+v", queue)
		}
		first := queue[0].ID
		d.must(d.decide(first, ProofQuestioned))
		if queue := read(d, func(r db.Reader) ([]Queued, error) { return d.uploads.ProofQueue(r, 10) }); len(queue) > 0 {
			t.Errorf("the queue has what waits for the partner: %+v", queue)
		}
		d.prove()
		d.refused(fault.NotUnderReview, d.decide(first, ProofAccepted)) // other files took its place
		second := d.reviews()[0]
		d.must(d.decide(second.ID, ProofAccepted))
		d.refused(fault.NotUnderReview, d.decide(second.ID, ProofRefused))
		d.refused(fault.PoaAlreadyVerified, add)
		d.refused(fault.NotUnderReview, d.decide(clock.NewID(), ProofAccepted))
		got := d.reviews()
		if len(got) != 2 || got[0].Officer != "console:officer" || got[0].Reason != "readable" || got[0].Status != ProofAccepted || got[1].Status != ProofQuestioned {
			t.Errorf("reviews: %+v", got)
		}
		for status, n := range map[string]int{ProofReviewed: 2, ProofQuestioned: 1, ProofAccepted: 1, ProofRefused: 0} {
			if told := d.heard(event.POAVerification, status); told != n {
				t.Errorf("%s was told %d times", status, told)
			}
		}
		if err := d.db.Update(t.Context(), d.decide(second.ID, "MAYBE")); err == nil {
			t.Error("a decision that there is not was taken")
		}
	})
}

func TestAnApprovedProofActivates(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "AM") // where a proof of address is required
		d.file("front.pdf", paper)
		d.file("selfie.pdf", paper)
		var known *fault.Error
		if _, err := d.request(); !errors.As(err, &known) || known.Code != fault.PoaVerificationNotFound {
			t.Fatalf("without a proof of address: %v", err)
		}
		d.prove()
		st, err := d.request()
		if err != nil || st.User.Verification != user.Verified || st.User.Active() {
			t.Fatalf("while it waits: %+v, %v", st.User, err)
		}
		missing := read(d, func(r db.Reader) ([]Missing, error) { return d.checks.Missing(r, st) })
		if len(missing) != 1 || missing[0].Condition != ProofOfAddress || missing[0].WaitingFor != "OPERATOR" {
			t.Errorf("missing: %+v", missing)
		}
		d.must(d.decide(d.reviews()[0].ID, ProofAccepted))
		u := read(d, func(r db.Reader) (user.User, error) { return user.Find(r, 1, "user") })
		if !u.Active() || d.heard(event.UserStatus, "ACTIVE") != 1 {
			t.Errorf("the user is not active: %+v, %q", u, d.told)
		}
	})
}

func TestTheRuleSaysWhoNeedsAProof(t *testing.T) {
	t.Parallel()
	on := dbtest.Open(t, db.SQLite)
	d := newDesk(t, on, "LT")
	for _, c := range []struct {
		rule, country string
		highRisk      bool
		want          Proof
	}{
		{ProofAuto, "LT", false, ProofNotRequired},
		{ProofAuto, "LT", true, ProofMissing},
		{ProofAuto, "UA", false, ProofMissing},
		{ProofAlways, "LT", false, ProofMissing},
		{ProofNever, "UA", true, ProofNotRequired},
	} {
		d.rule = c.rule
		got := read(d, func(r db.Reader) (Proof, error) {
			return d.uploads.Proof(r, d.user, user.Person{Country: c.country}, c.highRisk)
		})
		if got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	d.rule = ProofAlways
	d.file("front.pdf", paper)
	for _, status := range []string{ProofReviewed, ProofRefused, ProofReviewed, ProofQuestioned, ProofReviewed, ProofAccepted} {
		if status == ProofReviewed {
			d.prove()
		} else {
			d.must(d.decide(d.reviews()[0].ID, status))
		}
		want := map[string]Proof{ProofReviewed: ProofWaiting, ProofRefused: ProofMissing, ProofQuestioned: ProofMissing, ProofAccepted: ProofApproved}[status]
		if got := read(d, func(r db.Reader) (Proof, error) { return d.uploads.Proof(r, d.user, user.Person{Country: "LT"}, false) }); got != want {
			t.Errorf("%s: %d, want %d", status, got, want)
		}
	}
	d.rule = ProofNever
	if got := read(d, func(r db.Reader) (Proof, error) { return d.uploads.Proof(r, d.user, user.Person{}, false) }); got != ProofApproved {
		t.Errorf("an approved proof became %d", got)
	}
}

func TestTheSandboxDecidesOnProofsOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		d.file("front.pdf", paper)
		d.prove()
		j := job.Job{Partner: 1, Object: d.reviews()[0].ID}
		d.must(func(tx *db.Tx) error { _, err := d.uploads.StageProof(tx, 1, "user", ProofRefused); return err })
		for range 2 { // it comes too late
			if err := d.uploads.stageProof(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.reviews(); len(got) != 1 || got[0].Status != ProofRefused {
			t.Errorf("reviews: %+v", got)
		}
	})
}

func TestHostedPicturesTakeEachOthersPlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, on *db.DB) {
		d := newDesk(t, on, "LT")
		var a Attempt
		d.must(func(tx *db.Tx) (err error) {
			a, err = d.checks.Host(tx, 1, "user", Claims{DocumentType: Passport}, Terms{})
			return err
		})
		put := func(side string, content []byte) (Link, error) {
			return d.uploads.StoreSide(t.Context(), "user", a.Link, side, "camera.jpg", bytes.NewReader(content))
		}
		for _, side := range []string{Front, Selfie, Front} {
			if _, err := put(side, photo(t)); err != nil {
				t.Fatal(err)
			}
		}
		sides := func() (all []string) {
			for _, f := range read(d, func(r db.Reader) ([]Document, error) { return d.uploads.List(r, 1, d.user.ID, a.ID) }) {
				all = append(all, f.Side)
			}
			slices.Sort(all)
			return all
		}
		if got := sides(); !slices.Equal(got, []string{Front, Selfie}) {
			t.Errorf("stored: %q", got)
		}
		var known *fault.Error
		if _, err := put(Back, documenttest.JPEG(t, documenttest.Picture(100, 100))); !errors.As(err, &known) || known.Code != fault.InvalidFileType ||
			known.Message != "The picture is too small: its shorter side must have at least 200 pixels." {
			t.Errorf("a small one: %v", err)
		}
		if err := d.uploads.ClearSides(t.Context(), "user", a.Link); err != nil || len(sides()) > 0 {
			t.Errorf("left: %q, %v", sides(), err)
		}
		d.clock.Advance(LinkLife + time.Second)
		if l, err := put(Front, photo(t)); err != nil || l.Open || len(sides()) > 0 {
			t.Errorf("a link that has expired: %+v, %v, %q", l, err, sides())
		}
		if _, err := d.uploads.StoreSide(t.Context(), "user", clock.NewID().String(), Front, "x", bytes.NewReader(photo(t))); !errors.As(err, &known) || known.Code != fault.InvalidUser {
			t.Errorf("no link: %v", err)
		}
	})
}
