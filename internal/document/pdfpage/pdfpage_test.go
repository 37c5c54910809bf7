package pdfpage_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"strconv"
	"strings"
	"testing"

	"kontor/internal/document"
	"kontor/internal/document/documenttest"
	"kontor/internal/document/pdfpage"
)

// TestMain lets this program be the process that draws; behind a gate it compiles until somebody opens that.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "draw-behind" {
		if os.Args[3] == "0" {
			_, _ = os.ReadFile(os.Args[2])
			os.Exit(0)
		}
		os.Args = []string{os.Args[0], "draw", os.Args[3]}
	}
	if len(os.Args) == 3 && os.Args[1] == "draw" {
		page, _ := strconv.Atoi(os.Args[2])
		if err := pdfpage.Draw(context.Background(), pdfpage.Order{Page: page}, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(pdfpage.Unreadable)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// object is a PDF's stream.
func stream(dict, content string) string {
	return fmt.Sprintf("<< %s /Length %d >> stream\n%s\nendstream", dict, len(content), content)
}

func paper(pages ...string) []byte {
	objects := []string{"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (while(true){}) >> >>"}
	var kids strings.Builder
	var rest []string
	for i, p := range pages {
		at := 3 + 2*i
		fmt.Fprintf(&kids, "%d 0 R ", at)
		rest = append(rest, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents %d 0 R >>", at+1), p)
	}
	objects = append(objects, fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", kids.String(), len(pages)))
	return documenttest.PDF(append(objects, rest...)...)
}

const (
	black = "0 0 0 rg 0 0 100 100 re f" // the left half
	white = "1 1 1 rg 0 0 200 100 re f"
)

func TestPagesAreDrawn(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := paper(stream("", white), stream("", black))
	for name, d := range map[string]*pdfpage.Drawer{"in a process of its own": pdfpage.NewDrawer(own, "draw"), "here": pdfpage.NewDrawer()} {
		picture, err := d.Page(t.Context(), bytes.NewReader(file), 2)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if picture.Rect.Max != image.Pt(pdfpage.MaxSide, pdfpage.MaxSide/2) {
			t.Errorf("%s: the page has %v", name, picture.Rect)
		}
		left, right := picture.RGBAAt(400, 400), picture.RGBAAt(1200, 400)
		if left.R != 0 || left.A != 255 || right.R != 255 || right.A != 255 {
			t.Errorf("%s: the page shows %v and %v", name, left, right)
		}
	}
	if _, err := pdfpage.NewDrawer(own, "draw").Page(t.Context(), bytes.NewReader(file), 3); !isProblem(err) {
		t.Errorf("a third page: %v", err)
	}
}

// What strangers make ends inside, and says that it cannot be drawn.
func TestHostileFilesAreNotDrawn(t *testing.T) {
	t.Parallel()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := pdfpage.NewDrawer(own, "draw")
	var deflated bytes.Buffer
	z, _ := zlib.NewWriterLevel(&deflated, zlib.BestSpeed)
	for range 26 { // inflates to 208 MiB, more than PDFium may have
		_, _ = z.Write(bytes.Repeat([]byte("0 0 1 1 re "), 8<<20/11))
	}
	_ = z.Close()
	for name, file := range map[string][]byte{
		"nothing":      []byte("%PDF-1.7\nstartxref\n%%EOF"),
		"no pages":     documenttest.PDF("<< /Type /Catalog >>"),
		"a bomb":       paper(stream("/Filter /FlateDecode", deflated.String())),
		"far too long": bytes.Repeat([]byte("%PDF-1.7 "), 2<<20),
	} {
		if _, err := d.Page(t.Context(), bytes.NewReader(file), 1); !isProblem(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isProblem(err error) bool {
	var problem document.Problem
	return errors.As(err, &problem)
}
