package document_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image/jpeg"
	"strings"
	"testing"
	"testing/iotest"

	"kontor/internal/document"
)

func TestPicturesOfNoUse(t *testing.T) {
	t.Parallel()
	huge := asPNG(t, picture(300, 300)) // its header claims more than its content has
	binary.BigEndian.PutUint32(huge[16:], 50_000)
	binary.BigEndian.PutUint32(huge[20:], 50_000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	wide := bytes.Clone(huge) // as large as a photo of a good camera, but not compressed as one
	binary.BigEndian.PutUint32(wide[16:], 4000)
	binary.BigEndian.PutUint32(wide[20:], 3200)
	binary.BigEndian.PutUint32(wide[29:], crc32.ChecksumIEEE(wide[12:29]))
	broken := asJPEG(t, picture(320, 240))
	at := bytes.Index(broken, []byte{0xff, 0xda}) + 14
	copy(broken[at:len(broken)-2], bytes.Repeat([]byte{0x55}, len(broken)))
	for name, c := range map[string]struct {
		media   document.Media
		content []byte
		want    error
	}{
		"small":         {document.JPEG, asJPEG(t, picture(199, 400)), document.TooSmall},
		"just enough":   {document.JPEG, asJPEG(t, picture(200, 200)), nil},
		"one colour":    {document.PNG, asPNG(t, flat(300, 300)), document.OneColour},
		"one colour, J": {document.JPEG, asJPEG(t, flat(300, 300)), document.OneColour},
		"huge":          {document.PNG, huge, document.TooLarge},
		"wide":          {document.PNG, wide, document.TooLarge},
		"broken":        {document.JPEG, broken, document.Unreadable},
		"another type":  {document.PNG, asJPEG(t, picture(300, 300)), document.Unreadable},
	} {
		if _, err := document.Check(c.media, bytes.NewReader(c.content)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if _, facts, _ := keep(c.content); c.want == document.TooSmall || c.want == document.TooLarge {
			if err := document.CheckSize(facts); !errors.Is(err, c.want) {
				t.Errorf("%s: the header alone gives %v", name, err)
			}
		}
	}
	gone := errors.New("the disk is gone")
	var problem document.Problem
	if _, err := document.Check(document.JPEG, iotest.ErrReader(gone)); !errors.Is(err, gone) || errors.As(err, &problem) {
		t.Errorf("content that cannot be read: %v", err)
	}
}

func TestPagesAreCountedWithinLimits(t *testing.T) {
	t.Parallel()
	twice := string(pdf(pages(40)...)) + string(pdf(pages(40)...)) // saved again: the same objects in a newer version
	var bomb []string
	for range 20 {
		bomb = append(bomb, deflated("/Type /ObjStm /N 1 /First 4", bytes.Repeat([]byte("1 0 "), 1<<18)))
	}
	overlapping := strings.Repeat("1 0 2 12 ", 20_000)
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"one page":                  {pdf(pages(1)...), nil},
		"fifty":                     {pdf(pages(50)...), nil},
		"fifty-one":                 {pdf(pages(51)...), document.ManyPages},
		"none":                      {pdf("<< /Type /Catalog >>", "<< /Type /Pages /Count 0 >>"), document.NoPages},
		"forty, twice":              {[]byte(twice), nil},
		"packed":                    {pdf(packed(3)), nil},
		"packed, too many":          {pdf(packed(51)), document.ManyPages},
		"a page in a page's stream": {pdf(append(pages(1), deflated("/Length 5", []byte(strings.Repeat(page, 60))))...), nil},
		"zip bomb":                  {pdf(append(pages(1), bomb...)...), document.Unreadable},
		"a stream without an end":   {pdf("<< /Type /ObjStm /First 4 >> stream\nx"), document.NoPages},
		"offsets that go back":      {pdf(append(pages(1), deflated(fmt.Sprintf("/Type /ObjStm /First %d", len(overlapping)), []byte(overlapping+page)))...), nil},
	} {
		if _, err := document.Check(document.PDF, bytes.NewReader(c.content)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestRenderedPicturesAreMarkedAndScaled(t *testing.T) {
	t.Parallel()
	photo := asPNG(t, flat(2000, 1000))
	show := func(mark string) []byte {
		var shown bytes.Buffer
		if err := document.Render(&shown, document.PNG, bytes.NewReader(photo), mark); err != nil {
			t.Fatal(err)
		}
		return shown.Bytes()
	}
	bare, marked := show(""), show("officer-1 2025-08-05")
	for _, text := range [][]byte{bare, marked} {
		if c, err := jpeg.DecodeConfig(bytes.NewReader(text)); err != nil || c.Width != 1600 || c.Height != 800 {
			t.Errorf("shown as %dx%d, %v", c.Width, c.Height, err)
		}
	}
	picture, err := jpeg.Decode(bytes.NewReader(marked))
	if err != nil {
		t.Fatal(err)
	}
	const tile = 400 // no part of this size may be without the mark
	for y := 0; y < 800; y += tile {
		for x := 0; x < 1600; x += tile {
			low, high := uint32(255), uint32(0)
			for dy := range tile {
				for dx := range tile {
					red, _, _, _ := picture.At(x+dx, y+dy).RGBA()
					low, high = min(low, red>>8), max(high, red>>8)
				}
			}
			if high-low < 30 {
				t.Errorf("no mark can be seen at %d, %d", x, y)
			}
		}
	}
	if err := document.Render(&bytes.Buffer{}, document.PDF, bytes.NewReader(pdf(pages(1)...)), ""); err == nil {
		t.Error("a PDF was rendered")
	}
}

func FuzzReader(f *testing.F) {
	photo, drawing := asJPEG(f, picture(40, 30)), asPNG(f, picture(40, 30))
	f.Add(photo)
	f.Add(drawing)
	f.Add(pdf(pages(2)...))
	f.Add(insert(photo, afterSOI, segment(0xe1, exif(binary.LittleEndian, "II*\x00", 6))))
	f.Add(insert(drawing, afterIHDR, chunk("tEXt", "Comment\x00GPS")))
	f.Add(append(bytes.Clone(photo), "PK\x05\x06\x00\x00\x00\x00"...))
	f.Fuzz(func(t *testing.T, content []byte) {
		out, facts, err := keep(content)
		if err != nil {
			if !errors.Is(err, document.ErrUnsupported) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if facts.Media == document.PDF && !bytes.Equal(out, content) {
			t.Fatal("a PDF was changed")
		}
		if again, same, err := keep(out); err != nil || same != facts || !bytes.Equal(again, out) {
			t.Fatalf("what is kept is not kept again: %v", err)
		}
		if len(out) > len(content)+64 {
			t.Fatalf("%d bytes became %d", len(content), len(out))
		}
		var problem document.Problem
		if _, err := document.Check(facts.Media, bytes.NewReader(out)); err != nil && !errors.As(err, &problem) {
			t.Fatalf("a judgement that is no problem of the document: %v", err)
		}
	})
}
