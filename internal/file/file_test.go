package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"kontor/internal/file"
)

func TestReplaceLeavesTheNewContentAlone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "secret.json")
	for _, content := range []string{"a long first content", "short"} {
		if err := file.Replace(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("the file has %q, %v; want %q", got, err, content)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v: something was left behind", len(entries), err)
	}
}

func TestFailedReplaceKeepsTheOldContent(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "taken")
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := file.Replace(folder, []byte("x"), 0o600); err == nil { // a folder cannot be replaced by a file
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(filepath.Dir(folder)); err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v: something was left behind", len(entries), err)
	}
	if err := file.Replace(filepath.Join(folder, "none", "x"), nil, 0o600); err == nil {
		t.Error("a file was written into a folder that does not exist")
	}
}
