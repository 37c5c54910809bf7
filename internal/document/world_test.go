package document_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"kontor/internal/document/documenttest"
)

// Short names of what tests are full of.
var (
	picture = documenttest.Picture
	flat    = documenttest.Flat
	asJPEG  = documenttest.JPEG
	asPNG   = documenttest.PNG
	pdf     = documenttest.PDF
	pages   = documenttest.Pages
)

const page = documenttest.Page

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
