package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kontor/internal/blob"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
	"kontor/internal/vault"
)

const limit = 1 << 20

func open(t *testing.T) (*blob.Folder, string) {
	t.Helper()
	v, err := vault.Open(t.Context(), dbtest.Open(t, db.SQLite), bytes.Repeat([]byte{7}, vault.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "documents")
	return blob.NewFolder(root, v, "document", "content"), root
}

// files are the paths of all files below a folder.
func files(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(f *blob.Folder, ref blob.Ref) ([]byte, error) {
	r, err := f.Open(context.Background(), ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func newRef() blob.Ref { return blob.Ref{Partner: 1, ID: clock.NewID()} }

func TestBlobsReadBackAndAreUnreadableOnDisk(t *testing.T) {
	t.Parallel()
	f, root := open(t)
	for _, size := range []int{1, 4095, 4096, 4097, 70_000, limit} {
		content := bytes.Repeat([]byte("picture "), size/8+1)[:size]
		ref := newRef()
		n, err := f.Put(t.Context(), ref, bytes.NewReader(content), limit)
		if err != nil || n != int64(size) {
			t.Fatalf("put %d bytes: %d, %v", size, n, err)
		}
		if got, err := read(f, ref); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes read back as %d, %v", size, len(got), err)
		}
	}
	for _, path := range files(t, root) {
		text, err := os.ReadFile(path)
		if err != nil || bytes.Contains(text, []byte("picture")) {
			t.Errorf("%s shows its content, %v", path, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestEqualContentsAreTwoBlobs(t *testing.T) {
	t.Parallel()
	f, root := open(t)
	for range 2 {
		if _, err := f.Put(t.Context(), newRef(), strings.NewReader("the same"), limit); err != nil {
			t.Fatal(err)
		}
	}
	found := files(t, root)
	if len(found) != 2 {
		t.Fatalf("%d files", len(found))
	}
	a, errA := os.ReadFile(found[0])
	b, errB := os.ReadFile(found[1])
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("equal contents look equal on disk: %v, %v", errA, errB)
	}
}

func TestABlobOpensOnlyInItsPlaceAndWhole(t *testing.T) {
	t.Parallel()
	f, root := open(t)
	ref, other := newRef(), newRef()
	for _, r := range []blob.Ref{ref, other} {
		if _, err := f.Put(t.Context(), r, strings.NewReader(strings.Repeat(r.ID.String(), 1000)), limit); err != nil {
			t.Fatal(err)
		}
	}
	name := ref.ID.String()
	path := filepath.Join(root, "1", name[len(name)-2:], name)
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	foreign := other.ID.String()
	swapped, err := os.ReadFile(filepath.Join(root, "1", foreign[len(foreign)-2:], foreign))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for what, text := range map[string][]byte{
		"another blob's": swapped, "changed": changed, "cut": sealed[:len(sealed)-1], "cut between segments": sealed[:4096], "emptied": {},
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(f, ref); err == nil {
			t.Errorf("%s content opens: %d bytes", what, len(got))
		}
	}
}

func TestAFailedPutLeavesNothing(t *testing.T) {
	t.Parallel()
	f, root := open(t)
	broken := errors.New("the line broke")
	for what, c := range map[string]struct {
		content io.Reader
		want    error
	}{
		"a line that breaks": {io.MultiReader(strings.NewReader("begun"), iotest.ErrReader(broken)), broken},
		"one byte too many":  {bytes.NewReader(make([]byte, limit+1)), blob.ErrTooLarge},
	} {
		ref := newRef()
		if _, err := f.Put(t.Context(), ref, c.content, limit); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := read(f, ref); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: reading says %v", what, err)
		}
	}
	if left := files(t, root); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDeletedBlobsAreGone(t *testing.T) {
	t.Parallel()
	f, _ := open(t)
	ref := newRef()
	if _, err := f.Put(t.Context(), ref, strings.NewReader("x"), limit); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is gone already
		if err := f.Delete(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
	if _, err := read(f, ref); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("reading says %v", err)
	}
}

func TestSweepRemovesOldOrphansOnly(t *testing.T) {
	t.Parallel()
	f, root := open(t)
	kept, orphan, fresh := newRef(), blob.Ref{Partner: 2, ID: clock.NewID()}, newRef()
	for _, ref := range []blob.Ref{kept, orphan, fresh} {
		if _, err := f.Put(t.Context(), ref, strings.NewReader("x"), limit); err != nil {
			t.Fatal(err)
		}
	}
	stopped := filepath.Join(filepath.Dir(files(t, root)[0]), kept.ID.String()+".123.tmp")
	if err := os.WriteFile(stopped, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, path := range files(t, root) {
		if !strings.HasSuffix(path, fresh.ID.String()) {
			if err := os.Chtimes(path, now, now.Add(-2*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	asked := map[clock.ID]int64{}
	n, err := f.Sweep(t.Context(), now.Add(-time.Hour), func(_ context.Context, partner int64, ids []clock.ID) ([]clock.ID, error) {
		for _, id := range ids {
			asked[id] = partner
		}
		return slices.DeleteFunc(slices.Clone(ids), func(id clock.ID) bool { return id == kept.ID }), nil
	})
	if err != nil || n != 2 {
		t.Errorf("removed %d, %v; want the orphan and the interrupted write", n, err)
	}
	if len(asked) != 2 || asked[kept.ID] != 1 || asked[orphan.ID] != 2 {
		t.Errorf("asked about %v", asked)
	}
	if left := files(t, root); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}
