// Package documenttest makes pictures and PDFs for tests.
package documenttest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

// Picture is a picture with something to see in it: left part dark, with a bright corner at the top.
func Picture(w, h int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{R: uint8(x * 255 / w), G: 90, B: 200, A: 255}
			if x < w/4 && y < h/4 {
				c = color.NRGBA{R: 250, G: 250, B: 20, A: 255}
			}
			p.SetNRGBA(x, y, c)
		}
	}
	return p
}

// Flat is a picture of one colour.
func Flat(w, h int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range p.Pix {
		p.Pix[i] = 200
	}
	return p
}

// JPEG encodes a picture.
func JPEG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// PNG encodes a picture.
func PNG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// PDF is a PDF with objects that are put into it as they are.
func PDF(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Root 1 0 R /Size 2 >>\nstartxref\n9\n%%EOF\n")
	return b.Bytes()
}

// Page is a page object.
const Page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"

// Pages are n page objects, behind a catalogue and their tree.
func Pages(n int) []string {
	all := []string{"<< /Type /Catalog /Pages 2 0 R >>", fmt.Sprintf("<< /Type /Pages /Count %d >>", n)}
	for range n {
		all = append(all, Page)
	}
	return all
}
