//go:build unix

package pdfpage_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"kontor/internal/document/pdfpage"
)

// Whoever asks for a page while PDFium is compiled is told so, and gets the page afterwards.
func TestPagesWaitUntilThereIsSomethingToDrawWith(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	gate := filepath.Join(t.TempDir(), "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	d := pdfpage.NewDrawer(own, "draw-behind", gate)
	file := paper(stream("", black))
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := d.Page(gone, bytes.NewReader(file), 1); !errors.Is(err, pdfpage.ErrNotReady) {
		t.Errorf("before: %v", err)
	}
	opened, err := os.OpenFile(gate, os.O_WRONLY, 0) // waits for the process that compiles
	if err != nil {
		t.Fatal(err)
	}
	opened.Close()
	if _, err := d.Page(t.Context(), bytes.NewReader(file), 1); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
