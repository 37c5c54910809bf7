package document

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"runtime/debug"
)

// Limits of what is taken for a document that people can read.
const (
	MinSide  = 200 // pixels of a picture's shorter side
	MaxPages = 50  // of a PDF

	maxDecoded = 36 << 20 // bytes that decoding a picture may take: 25 megapixels of a usual JPEG, 9 of a PNG
)

// Problem is why a whole document is of no use. Its text is a sentence for the person who sent it, without its full
// stop.
type Problem string

func (p Problem) Error() string { return string(p) }

// The problems.
const (
	TooSmall   Problem = "the picture is too small: its shorter side must have at least 200 pixels"
	TooLarge   Problem = "the picture has too many pixels: scale it down"
	OneColour  Problem = "the picture shows nothing: all of it has one colour"
	Unreadable Problem = "the file cannot be read"
	NoPages    Problem = "the PDF has no pages that can be found"
	ManyPages  Problem = "the PDF has more than 50 pages"
)

// decoding lets one document be decoded at a time: the pixels of one can take maxDecoded bytes.
var decoding = make(chan struct{}, 1)

// CheckSize judges what the header alone tells: a Problem when a picture is too small, or too large to be decoded.
func CheckSize(f Facts) error {
	switch {
	case f.Media == PDF:
		return nil
	case min(f.Width, f.Height) < MinSide:
		return TooSmall
	case f.decoded() > maxDecoded:
		return TooLarge
	}
	return nil
}

// Check judges what a Reader passed on: a Problem when the document is of no use to those who must read it, and any
// other error when the content could not be read. It decodes a picture, one at a time in the whole program, when its
// header says that this stays within bounds. pages are those of a PDF, 0 of a picture.
func Check(m Media, content io.Reader) (pages int, err error) {
	decoding <- struct{}{}
	defer leave()
	if m == PDF {
		return checkPDF(content)
	}
	picture, err := decode(m, content)
	if err == nil && plain(picture) {
		err = OneColour
	}
	return 0, err
}

// bounded keeps the program's memory within what it is now and n bytes more, until leave. Without it the collector
// would begin only when garbage had grown to what a picture takes once more, and the pixels of two pictures would be in
// memory at a time. The caller holds decoding.
func bounded(n int64) {
	const slack = 8 << 20 // for what others do meanwhile
	debug.FreeOSMemory()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	unbounded = debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(unbounded, int64(now.Sys-now.HeapReleased)+n+slack))
}

// unbounded is the limit outside bounded; 0 when none is in force. It belongs to who holds decoding.
var unbounded int64

// leave lets the next document be decoded. The pixels of a large picture are collected before the limit is lifted, or
// the collector would take them for what the program needs, and wait for as much garbage.
func leave() {
	if unbounded != 0 {
		runtime.GC()
		debug.SetMemoryLimit(unbounded)
		unbounded = 0
	}
	<-decoding
}

// decode reads a picture. The caller holds decoding.
func decode(m Media, content io.Reader) (image.Image, error) {
	source := &remember{r: content}
	facts, rest, err := peekHeader(source)
	if err != nil || facts.Media != m {
		return nil, source.or(Unreadable)
	}
	if err := CheckSize(facts); err != nil {
		return nil, err
	}
	const many = 8 << 20
	if facts.decoded() > many {
		bounded(facts.decoded())
	}
	read := png.Decode
	if m == JPEG {
		read = jpeg.Decode
	}
	picture, err := read(rest)
	if err != nil {
		return nil, source.or(Unreadable)
	}
	return picture, nil
}

// peekHeader reads a picture's header and answers the picture whole again.
func peekHeader(content io.Reader) (Facts, io.Reader, error) {
	const furthest = 1 << 20 // where a header must have ended
	var seen bytes.Buffer
	r := NewReader(io.TeeReader(content, &seen))
	chunk := make([]byte, 512)
	for r.facts.Width == 0 && seen.Len() < furthest {
		if _, err := r.Read(chunk); err != nil {
			return Facts{}, nil, err
		}
	}
	return r.facts, io.MultiReader(&seen, content), nil
}

// remember keeps an error of the source apart from those of the decoder.
type remember struct {
	r   io.Reader
	err error
}

func (r *remember) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // the interface's own sentinel
		r.err = err
	}
	return n, err
}

func (r *remember) or(p Problem) error {
	if r.err != nil {
		return fmt.Errorf("document: read: %w", r.err)
	}
	return p
}

// plain tells whether a picture has one colour, as far as an eye could tell. It looks at a grid of points.
func plain(picture image.Image) bool {
	const (
		grid  = 200 // points in a row or column
		alike = 12  // of 255
	)
	b := picture.Bounds()
	low, high := [3]uint32{1 << 16, 1 << 16, 1 << 16}, [3]uint32{}
	for i := range grid {
		for k := range grid {
			red, green, blue, _ := picture.At(b.Min.X+b.Dx()*i/grid, b.Min.Y+b.Dy()*k/grid).RGBA()
			for c, v := range [3]uint32{red >> 8, green >> 8, blue >> 8} {
				low[c], high[c] = min(low[c], v), max(high[c], v)
				if high[c]-low[c] > alike {
					return false
				}
			}
		}
	}
	return true
}
