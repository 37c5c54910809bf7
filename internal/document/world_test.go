package document_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

// picture is a picture with something to see in it: left part dark, with a bright corner at the top.
func picture(w, h int) *image.NRGBA {
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

func flat(w, h int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range p.Pix {
		p.Pix[i] = 200
	}
	return p
}

func asJPEG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, p image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// insert puts a segment or chunk behind the beginning of a file.
func insert(file []byte, at int, piece []byte) []byte {
	return append(append(bytes.Clone(file[:at]), piece...), file[at:]...)
}

// segment is a segment of a JPEG.
func segment(mark byte, content string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, mark}, uint16(len(content)+2)), content...)
}

// chunk is a chunk of a PNG.
func chunk(kind, content string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	b = append(b, kind+content...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(kind+content)))
}

// afterSOI and afterIHDR are where the first segment or chunk after the head begins.
const (
	afterSOI  = 2
	afterIHDR = 33
)

// exif is the content of an APP1 segment with an orientation and a place.
func exif(order binary.AppendByteOrder, begin string, orientation uint16) string {
	b := []byte("Exif\x00\x00" + begin)
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 3)
	for _, e := range []struct {
		tag, kind    uint16
		count, value uint32
	}{{0x010f, 2, 12, 50}, {0x0112, 3, 1, 0}, {0x8825, 4, 1, 62}} {
		b = order.AppendUint16(b, e.tag)
		b = order.AppendUint16(b, e.kind)
		b = order.AppendUint32(b, e.count)
		if e.tag == 0x0112 {
			b = order.AppendUint16(b, orientation)
			b = order.AppendUint16(b, 0)
		} else {
			b = order.AppendUint32(b, e.value)
		}
	}
	b = order.AppendUint32(b, 0)
	return string(b) + "Test Camera\x00GPS 54.6872N 25.2797E"
}

// pdf is a PDF with objects that are put into it as they are.
func pdf(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Root 1 0 R /Size 2 >>\nstartxref\n9\n%%EOF\n")
	return b.Bytes()
}

// page is a page object.
const page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"

// pages are n page objects, behind a catalogue and their tree.
func pages(n int) []string {
	all := []string{"<< /Type /Catalog /Pages 2 0 R >>", fmt.Sprintf("<< /Type /Pages /Count %d >>", n)}
	for range n {
		all = append(all, page)
	}
	return all
}

// deflated is a stream object of deflated content.
func deflated(dictionary string, content []byte) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(content) // into memory
	_ = w.Close()
	return fmt.Sprintf("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", dictionary, b.Len(), b.String())
}

// packed is an object stream with n pages, whose numbers begin at 100.
func packed(n int) string {
	var numbers, objects strings.Builder
	for i := range n {
		fmt.Fprintf(&numbers, "%d %d ", 100+i, objects.Len())
		objects.WriteString(page + "\n")
	}
	return deflated(fmt.Sprintf("/Type /ObjStm /N %d /First %d", n, numbers.Len()), []byte(numbers.String()+objects.String()))
}
