package document

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const (
	maxShown     = 1600 // pixels of the longer side of a rendered picture
	shownQuality = 85   // of its JPEG
)

// Render writes a picture as a JPEG that is made for looking at: upright, scaled to at most 1600 pixels, and with a
// text all over it, such as who looks at it and when. It decodes one picture at a time in the whole program. A Problem
// when the picture cannot be decoded within bounds. Pages of a PDF are drawn by package pdfpage, and marked by Mark.
func Render(w io.Writer, m Media, content io.Reader, watermark string) error {
	if m != JPEG && m != PNG {
		return fmt.Errorf("document: %s is no picture", m)
	}
	shown, err := prepare(m, content)
	if err != nil {
		return err
	}
	return Mark(w, shown, watermark)
}

// Mark writes a picture as a JPEG with a text all over it, which becomes part of the picture.
func Mark(w io.Writer, picture *image.RGBA, text string) error {
	if err := mark(picture, text); err != nil {
		return err
	}
	return jpeg.Encode(w, picture, &jpeg.Options{Quality: shownQuality})
}

// prepare decodes, turns and scales a picture.
func prepare(m Media, content io.Reader) (*image.RGBA, error) {
	decoding <- struct{}{}
	defer leave()
	head := &keepHead{r: content}
	picture, err := decode(m, head)
	if err != nil {
		return nil, err
	}
	b := picture.Bounds()
	width, height := b.Dx(), b.Dy()
	if longer := max(width, height); longer > maxShown {
		width, height = max(1, width*maxShown/longer), max(1, height*maxShown/longer)
	}
	scaled := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(scaled, scaled.Bounds(), image.White, image.Point{}, draw.Src) // below what is transparent
	draw.ApproxBiLinear.Scale(scaled, scaled.Bounds(), picture, b, draw.Over, nil)
	return upend(scaled, head.orientation()), nil
}

// keepHead remembers the beginning of what is read through it, where a Reader leaves the orientation.
type keepHead struct {
	r    io.Reader
	head []byte
}

func (k *keepHead) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	const enough = 4096
	if room := enough - len(k.head); room > 0 {
		k.head = append(k.head, p[:min(n, room)]...)
	}
	return n, err
}

func (k *keepHead) orientation() int {
	for at := 2; at+4 < len(k.head) && k.head[at] == 0xff; { // after SOI
		length := int(k.head[at+2])<<8 | int(k.head[at+3])
		end := min(at+2+length, len(k.head))
		if k.head[at+1] == markAPP1 && at+4 < end {
			return orientation(k.head[at+4 : end])
		}
		at = end
	}
	return upright
}

// upend turns and mirrors a picture as EXIF's orientation says.
func upend(from *image.RGBA, o int) *image.RGBA {
	if o <= upright || o > lastOrientation {
		return from
	}
	w, h := from.Rect.Dx(), from.Rect.Dy()
	to := image.NewRGBA(image.Rect(0, 0, w, h))
	if o >= 5 {
		to = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch o {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			to.SetRGBA(tx, ty, from.RGBAAt(x, y))
		}
	}
	return to
}

// typeface is the font of watermarks.
var typeface = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(gobold.TTF) })

// mark writes a text over a picture, in rows that are shifted against each other, so that no part of any use is
// without it: white with a dark shadow, both translucent, on light and dark ground.
func mark(picture *image.RGBA, text string) error {
	f, err := typeface()
	if err != nil {
		return err
	}
	const smallest, ofWidth = 12, 40
	b := picture.Bounds()
	size := max(smallest, min(b.Dx(), b.Dy())/ofWidth*2)
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return err
	}
	defer face.Close()
	step := font.MeasureString(face, text).Ceil() + 3*size
	for row, y := 0, 2*size; y < b.Dy()+size; row, y = row+1, y+5*size {
		for x := -(row % 3) * step / 3; x < b.Dx(); x += step {
			for _, layer := range []struct {
				shift int
				ink   color.Color
			}{{max(1, size/12), color.NRGBA{A: 90}}, {0, color.NRGBA{R: 255, G: 255, B: 255, A: 110}}} {
				d := font.Drawer{Dst: picture, Src: image.NewUniform(layer.ink), Face: face, Dot: fixed.P(x+layer.shift, y+layer.shift)}
				d.DrawString(text)
			}
		}
	}
	return nil
}
