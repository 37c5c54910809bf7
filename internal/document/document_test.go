package document_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"kontor/internal/document"
)

// keep is what a Reader passes on.
func keep(content []byte) ([]byte, document.Facts, error) {
	r := document.NewReader(bytes.NewReader(content))
	out, err := io.ReadAll(r)
	return out, r.Facts(), err
}

func TestDocumentsAreKnownByTheirContent(t *testing.T) {
	t.Parallel()
	grey := image.NewGray(image.Rect(0, 0, 300, 220))
	for name, c := range map[string]struct {
		content []byte
		media   document.Media
		w, h    int
	}{
		"JPEG":      {asJPEG(t, picture(320, 240)), document.JPEG, 320, 240},
		"grey JPEG": {asJPEG(t, grey), document.JPEG, 300, 220},
		"PNG":       {asPNG(t, picture(320, 240)), document.PNG, 320, 240},
		"PDF":       {pdf(pages(1)...), document.PDF, 0, 0},
	} {
		out, facts, err := keep(c.content)
		if err != nil || facts.Media != c.media || facts.Width != c.w || facts.Height != c.h {
			t.Errorf("%s: %+v, %v", name, facts, err)
		}
		if again, _, err := keep(out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: what is kept is not kept again: %v", name, err)
		}
		slow, err := io.ReadAll(iotest.OneByteReader(document.NewReader(iotest.OneByteReader(bytes.NewReader(c.content)))))
		if err != nil || !bytes.Equal(slow, out) {
			t.Errorf("%s: read byte by byte it is another one: %v", name, err)
		}
		if _, err := document.Check(c.media, bytes.NewReader(out)); err != nil && name != "grey JPEG" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	photo, drawing, paper := asJPEG(t, picture(320, 240)), asPNG(t, picture(320, 240)), pdf(pages(1)...)
	zip := "PK\x03\x04 a file PK\x01\x02 its entry PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x2e\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for name, content := range map[string][]byte{
		"nothing":                        {},
		"text":                           []byte("a passport, honestly"),
		"SVG":                            []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`),
		"GIF":                            []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00"),
		"HTML":                           []byte("<!DOCTYPE html><script>alert(1)</script>"),
		"ZIP":                            []byte(zip),
		"JPEG's beginning":               photo[:3],
		"JPEG without its end":           photo[:len(photo)-2],
		"JPEG that is cut":               photo[:len(photo)/2],
		"PNG's beginning":                drawing[:8],
		"PNG without its end":            drawing[:len(drawing)-12],
		"PNG with a byte changed":        append(append(bytes.Clone(drawing[:100]), drawing[100]^1), drawing[101:]...),
		"PNG with two headers":           insert(drawing, afterIHDR, drawing[8:afterIHDR]),
		"PNG with an unknown critical":   insert(drawing, afterIHDR, chunk("EvIL", "x")),
		"PDF that is cut":                paper[:len(paper)-10],
		"PDF of no version":              []byte("%PDF-9.9\nstartxref\n%%EOF"),
		"encrypted PDF":                  bytes.Replace(paper, []byte("/Size 2"), []byte("/Size 2 /Encrypt 5 0 R"), 1),
		"JPEG with a ZIP behind":         append(bytes.Clone(photo), zip...),
		"PNG with a ZIP behind":          append(bytes.Clone(drawing), zip...),
		"PDF that is a ZIP as well":      insert(paper, 20, []byte("% "+zip+"\n")),
		"JPEG with a PDF in a comment":   insert(photo, afterSOI, segment(0xfe, "%PDF-1.7 1 0 obj")),
		"JPEG with a script behind":      append(bytes.Clone(photo), "<SCRIPT>alert(1)</SCRIPT>"...),
		"JPEG with PHP in a comment":     insert(photo, afterSOI, segment(0xfe, "<?php system('id');")),
		"JPEG with PHP for a camera":     insert(photo, afterSOI, segment(0xe1, "Exif\x00\x00MM\x00*<?php")),
		"PNG with HTML in a text":        insert(drawing, afterIHDR, chunk("tEXt", "Comment\x00<html onload=x>")),
		"JPEG of an unusual compression": bytes.Replace(photo, []byte{0xff, 0xc0, 0, 17}, []byte{0xff, 0xc3, 0, 17}, 1),
		"JPEG with two frames":           insert(photo, bytes.Index(photo, []byte{0xff, 0xc0}), frameOf(photo)),
		"JPEG with a hundred scans":      insert(photo, len(photo)-2, bytes.Repeat(scanOf(photo), 100)),
	} {
		if out, facts, err := keep(content); !errors.Is(err, document.ErrUnsupported) {
			t.Errorf("%s is taken for %s: %d of %d bytes, %v", name, facts.Media, len(out), len(content), err)
		}
	}
}

// frameOf and scanOf are the frame header and a scan header of a JPEG.
func frameOf(photo []byte) []byte {
	i := bytes.Index(photo, []byte{0xff, 0xc0})
	return photo[i : i+19]
}

func scanOf(photo []byte) []byte {
	i := bytes.Index(photo, []byte{0xff, 0xda})
	return photo[i : i+14]
}

func TestABrokenLineIsNotTheDocumentsFault(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line broke")
	for name, content := range map[string][]byte{"JPEG": asJPEG(t, picture(320, 240)), "PNG": asPNG(t, picture(320, 240)), "PDF": pdf(pages(1)...)} {
		for _, at := range []int{0, 1, 10, 30, len(content) / 2, len(content) - 1, len(content)} {
			src := io.MultiReader(bytes.NewReader(content[:at]), iotest.ErrReader(broken))
			if _, err := io.ReadAll(document.NewReader(src)); !errors.Is(err, broken) || errors.Is(err, document.ErrUnsupported) {
				t.Errorf("%s, broken after %d bytes: %v", name, at, err)
			}
		}
	}
}

func TestOnlyThePictureIsKept(t *testing.T) {
	t.Parallel()
	photo, drawing := asJPEG(t, picture(320, 240)), asPNG(t, picture(320, 240))
	place := exif(binary.LittleEndian, "II*\x00", 6)
	long := strings.Repeat("GPS", 20_000)
	for name, content := range map[string][]byte{
		"EXIF":                  insert(photo, afterSOI, segment(0xe1, place)),
		"XMP":                   insert(photo, afterSOI, segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>GPS")),
		"profile":               insert(photo, afterSOI, segment(0xe2, "ICC_PROFILE\x00GPS")),
		"comment":               insert(photo, afterSOI, segment(0xfe, long)),
		"JFIF with a thumbnail": insert(photo, afterSOI, segment(0xe0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x01\x01GPS")),
		"film behind":           append(bytes.Clone(photo), "\x00\x00\x00\x18ftypmp42GPS"...),
		"second picture":        append(bytes.Clone(photo), insert(photo, afterSOI, segment(0xe1, place))...),
		"PNG's text":            insert(drawing, afterIHDR, chunk("tEXt", "Comment\x00GPS")),
		"PNG's EXIF":            insert(drawing, afterIHDR, chunk("eXIf", "MM\x00*GPS")),
		"PNG's profile":         insert(drawing, afterIHDR, chunk("iCCP", long)),
		"PNG with more behind":  append(bytes.Clone(drawing), "GPS"...),
	} {
		out, facts, err := keep(content)
		if err != nil || bytes.Contains(out, []byte("GPS")) || bytes.Contains(out, []byte("Camera")) {
			t.Errorf("%s: %d bytes are kept, %v", name, len(out), err)
			continue
		}
		if _, err := document.Check(facts.Media, bytes.NewReader(out)); err != nil {
			t.Errorf("%s: what is left is no picture: %v", name, err)
		}
	}
}

// TestOrientationIsKept renders pictures whose bright corner was moved by an orientation, and looks for it at the top
// left, where the person who took the picture saw it.
func TestOrientationIsKept(t *testing.T) {
	t.Parallel()
	for o := range uint16(9) {
		for begin, order := range map[string]binary.AppendByteOrder{"II*\x00": binary.LittleEndian, "MM\x00*": binary.BigEndian} {
			stored := asJPEG(t, stored(picture(320, 240), o))
			out, facts, err := keep(insert(stored, afterSOI, segment(0xe1, exif(order, begin, o))))
			if err != nil {
				t.Fatal(err)
			}
			var shown bytes.Buffer
			if err := document.Render(&shown, facts.Media, bytes.NewReader(out), ""); err != nil {
				t.Fatal(err)
			}
			seen, err := jpeg.Decode(&shown)
			if err != nil {
				t.Fatal(err)
			}
			red, _, blue, _ := seen.At(20, 20).RGBA()
			if b := seen.Bounds(); b.Dx() != 320 || b.Dy() != 240 || red>>8 < 200 || blue>>8 > 80 {
				t.Errorf("orientation %d: %v, at the top left %d red, %d blue", o, b, red>>8, blue>>8)
			}
		}
	}
}

// stored is a picture as a camera stores it that was held so that it needs an orientation (EXIF 2.32, 4.6.5): row 0 and
// column 0 of what is stored are these sides of what was seen.
func stored(p image.Image, orientation uint16) image.Image {
	w, h := p.Bounds().Dx(), p.Bounds().Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 {
		out = image.NewNRGBA(image.Rect(0, 0, h, w))
	}
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			var seen color.Color
			switch orientation {
			case 2: // top, right
				seen = p.At(w-1-x, y)
			case 3: // bottom, right
				seen = p.At(w-1-x, h-1-y)
			case 4: // bottom, left
				seen = p.At(x, h-1-y)
			case 5: // left, top
				seen = p.At(y, x)
			case 6: // right, top
				seen = p.At(w-1-y, x)
			case 7: // right, bottom
				seen = p.At(w-1-y, h-1-x)
			case 8: // left, bottom
				seen = p.At(y, h-1-x)
			default:
				seen = p.At(x, y)
			}
			out.Set(x, y, seen)
		}
	}
	return out
}
