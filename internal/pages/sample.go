package pages

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"sync"
)

// sample is a picture for testers of the sandbox who have no document at hand: a coloured card with lines on it, which
// nobody takes for a document.
func sample(side Side) io.Reader {
	return bytes.NewReader(samples()[side])
}

var samples = sync.OnceValue(func() map[Side][]byte {
	made := map[Side][]byte{}
	for side, tint := range map[Side]color.RGBA{
		Front: {R: 0x2f, G: 0x7d, B: 0x66, A: 0xff}, Back: {R: 0x3b, G: 0x5b, B: 0x92, A: 0xff}, Selfie: {R: 0xb0, G: 0x7a, B: 0x3c, A: 0xff},
	} {
		made[side] = drawSample(tint)
	}
	return made
})

func drawSample(tint color.RGBA) []byte {
	const width, height, margin, line = 960, 600, 60, 40
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(picture, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	fill(picture.Bounds(), color.Gray{Y: 0x30})
	fill(image.Rect(margin, margin, width-margin, height-margin), tint)
	fill(image.Rect(2*margin, 2*margin, width/3, height-2*margin), color.Gray{Y: 0xdd})
	for y := 2 * margin; y < height-2*margin; y += 2 * line {
		fill(image.Rect(width/3+margin, y, width-2*margin, y+line), color.Gray{Y: uint8(0x90 + y/8)})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		panic(err) // memory takes every byte, and the picture is ours
	}
	return b.Bytes()
}
