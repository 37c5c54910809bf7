package document

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// pngSignature begins every PNG (W3C, Portable Network Graphics, 5.2).
const pngSignature = "\x89PNG\r\n\x1a\n"

// kept are the chunks that tell the pixels and their colours.
var kept = map[string]bool{
	"IHDR": true, "PLTE": true, "tRNS": true, "gAMA": true, "cHRM": true, "sRGB": true, "IDAT": true, "IEND": true,
}

// pngReader walks through the chunks of a PNG.
type pngReader struct {
	*Reader
	headed, filled bool // IHDR, IDAT were seen
}

func newPNG(r *Reader) *pngReader { return &pngReader{Reader: r} }

func (p *pngReader) begin() (io.Reader, error) {
	p.next = p.chunk
	return p.exactly(int64(len(pngSignature))), nil
}

// chunk finds the next chunk to be passed on.
func (p *pngReader) chunk() (io.Reader, error) {
	for {
		var head [8]byte
		if err := p.read(head[:]); err != nil {
			return nil, err
		}
		length, kind := int64(binary.BigEndian.Uint32(head[:])), string(head[4:])
		ancillary := kind[0] >= 'a' && kind[0] <= 'z'
		switch {
		case !p.headed && kind != "IHDR":
			return nil, unsupported("a PNG that does not begin with its header")
		case kind == "IHDR":
			return p.header(head[:], length)
		case kept[kind]:
			if kind == "IEND" {
				if !p.filled {
					return nil, unsupported("a PNG without a picture")
				}
				p.next = func() (io.Reader, error) { return nil, p.end() }
			}
			p.filled = p.filled || kind == "IDAT"
			return io.MultiReader(bytes.NewReader(bytes.Clone(head[:])), p.checked(head[4:], length)), nil
		case !ancillary:
			return nil, unsupported("a PNG with a chunk that no program needs to know")
		}
		const crc = 4
		if err := p.leaveOut(length + crc); err != nil {
			return nil, err
		}
	}
}

// header reads IHDR, which has the size of the picture.
func (p *pngReader) header(head []byte, length int64) (io.Reader, error) {
	const fixed = 13
	if p.headed || length != fixed {
		return nil, unsupported("a PNG with a wrong header")
	}
	p.headed = true
	content := make([]byte, fixed)
	if err := p.read(content); err != nil {
		return nil, err
	}
	width, height := binary.BigEndian.Uint32(content), binary.BigEndian.Uint32(content[4:])
	const largest = 1<<31 - 1
	if width == 0 || height == 0 || width > largest || height > largest {
		return nil, unsupported("a PNG without a size")
	}
	p.facts.Width, p.facts.Height, p.facts.weight = int(width), int(height), 2*weighPNG(content)
	all := append(bytes.Clone(head), content...)
	sum := crc32.ChecksumIEEE(all[4:])
	return io.MultiReader(bytes.NewReader(all), &sealed{r: p.Reader, sum: sum}), nil
}

// weighPNG answers the bytes per pixel that decoding takes, by the header's bit depth, colour type and interlacing.
func weighPNG(header []byte) int64 {
	const palette, deep = 3, 16
	weight := int64(4) // grey, too: with a colour that is transparent it becomes one of four samples
	if header[9] == palette {
		weight = 1
	}
	if header[8] == deep {
		weight *= 2
	}
	if interlaced := header[12] != 0; interlaced {
		weight += (weight + 1) / 2 // its last pass is a picture of half the size
	}
	return weight
}

// checked passes on a chunk's content with its checksum, which must fit.
func (p *pngReader) checked(kind []byte, length int64) io.Reader {
	return &sealed{r: p.Reader, left: length, sum: crc32.ChecksumIEEE(kind)}
}

// sealed is the rest of a chunk and its checksum.
type sealed struct {
	r    *Reader
	left int64
	sum  uint32
	tail io.Reader
}

func (s *sealed) Read(b []byte) (int, error) {
	if s.left > 0 {
		n, err := s.r.src.Read(b[:min(int64(len(b)), s.left)])
		s.left -= int64(n)
		s.sum = crc32.Update(s.sum, crc32.IEEETable, b[:n])
		return n, whole(err)
	}
	if s.tail == nil {
		stored := make([]byte, 4)
		if err := s.r.read(stored); err != nil {
			return 0, err
		}
		if binary.BigEndian.Uint32(stored) != s.sum {
			return 0, unsupported("a PNG with a wrong checksum")
		}
		s.tail = bytes.NewReader(stored)
	}
	return s.tail.Read(b)
}
