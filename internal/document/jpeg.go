package document

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// Markers of JPEG (ITU-T T.81, annex B).
const (
	markSOF0 = 0xc0 // baseline
	markSOF1 = 0xc1 // extended sequential
	markSOF2 = 0xc2 // progressive
	markDHT  = 0xc4
	markRST0 = 0xd0
	markRST7 = 0xd7
	markSOI  = 0xd8
	markEOI  = 0xd9
	markSOS  = 0xda
	markDQT  = 0xdb
	markDRI  = 0xdd
	markAPP0 = 0xe0
	markAPP1 = 0xe1
	markAPPE = 0xee
	markAPPF = 0xef
	markCOM  = 0xfe
)

// maxScans is how many scans a JPEG may have. Programs write about ten into a progressive one; each costs a walk over
// all blocks, so that some bytes more could cost minutes.
const maxScans = 50

// jpegReader walks through the segments of a JPEG.
type jpegReader struct {
	*Reader
	framed, oriented bool // a frame header, an orientation were seen
	rgb              bool // Adobe's segment says that colours are not transformed
	scans            int
}

func newJPEG(r *Reader) *jpegReader { return &jpegReader{Reader: r} }

func (j *jpegReader) begin() (io.Reader, error) {
	j.next = j.segment
	return j.exactly(2), nil // SOI
}

// segment finds the next segment to be passed on.
func (j *jpegReader) segment() (io.Reader, error) {
	for {
		mark, err := j.marker()
		if err != nil {
			return nil, err
		}
		if mark == markEOI {
			if j.scans == 0 {
				return nil, unsupported("a JPEG without a scan")
			}
			j.next = func() (io.Reader, error) { return nil, j.end() }
			return bytes.NewReader([]byte{0xff, markEOI}), nil
		}
		length, err := j.length()
		if err != nil {
			return nil, err
		}
		piece, err := j.keep(mark, length)
		if piece != nil || err != nil {
			return piece, err
		}
	}
}

// marker reads a marker, with the fill bytes that may precede it.
func (j *jpegReader) marker() (byte, error) {
	var b [2]byte
	if err := j.read(b[:]); err != nil {
		return 0, err
	}
	if b[0] != 0xff {
		return 0, unsupported("no marker where a JPEG has one")
	}
	for b[1] == 0xff {
		if err := j.read(b[1:]); err != nil {
			return 0, err
		}
	}
	return b[1], nil
}

// length reads the length of a segment's content.
func (j *jpegReader) length() (int, error) {
	var b [2]byte
	if err := j.read(b[:]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(b[:])) - len(b)
	if n < 0 {
		return 0, unsupported("a JPEG segment shorter than its length")
	}
	return n, nil
}

// keep answers what is passed on of a segment; nil when it is left out.
func (j *jpegReader) keep(mark byte, length int) (io.Reader, error) {
	switch {
	case mark == markSOF0, mark == markSOF1, mark == markSOF2:
		return j.frame(mark, length)
	case mark == markDHT, mark == markDQT, mark == markDRI:
		return io.MultiReader(header(mark, length), j.exactly(int64(length))), nil
	case mark == markSOS:
		if !j.framed {
			return nil, unsupported("a JPEG scan before its frame")
		}
		if j.scans++; j.scans > maxScans {
			return nil, unsupported("a JPEG of more than %d scans", maxScans)
		}
		return io.MultiReader(header(mark, length), j.exactly(int64(length)), &scan{src: j.src}), nil
	case mark == markAPP0, mark == markAPP1, mark == markAPPE:
		return j.application(mark, length)
	case mark > markAPP0 && mark <= markAPPF, mark == markCOM:
		return nil, j.leaveOut(int64(length))
	}
	return nil, unsupported("JPEG marker %#x", mark)
}

func header(mark byte, length int) io.Reader {
	return bytes.NewReader(binary.BigEndian.AppendUint16([]byte{0xff, mark}, uint16(length+2)))
}

// frame reads a frame header, which has the size of the picture.
func (j *jpegReader) frame(mark byte, length int) (io.Reader, error) {
	const fixed, perComponent = 6, 3
	if j.framed || length < fixed+perComponent {
		return nil, unsupported("a JPEG with a wrong frame header")
	}
	j.framed = true
	content := make([]byte, length)
	if err := j.read(content); err != nil {
		return nil, err
	}
	components := int(content[5])
	if content[0] != 8 || length != fixed+perComponent*components || components != 1 && components != 3 && components != 4 {
		return nil, unsupported("a JPEG of %d bits and %d components", content[0], components)
	}
	j.facts.Height, j.facts.Width = int(binary.BigEndian.Uint16(content[1:])), int(binary.BigEndian.Uint16(content[3:]))
	if j.facts.Width == 0 || j.facts.Height == 0 {
		return nil, unsupported("a JPEG without a size")
	}
	j.facts.weight = j.weigh(mark, content)
	return io.MultiReader(header(mark, length), bytes.NewReader(content)), nil
}

// weigh answers the half bytes per pixel that decoding takes: two per sample, unusual components with fewer samples than
// the first rounded up; what colours take that are not kept as they come; and the coefficients of a progressive picture,
// which are kept until its end.
func (j *jpegReader) weigh(mark byte, frame []byte) int64 {
	samples, colours := int64(2), int64(0)
	switch components := frame[5]; {
	case components == 4:
		samples, colours = 8, 8
	case components == 3 && frame[7] == 0x22 && frame[10] == 0x11 && frame[13] == 0x11:
		samples = 3 // 4:2:0
	case components == 3 && frame[7] != 0x11 && frame[10] == 0x11 && frame[13] == 0x11:
		samples = 4 // 4:2:2 and 4:4:0
	case components == 3:
		samples = 6
	}
	if j.rgb || samples == 6 && frame[6] == 'R' {
		colours = 8
	}
	if mark == markSOF2 {
		const coefficient = 4
		return samples*(1+coefficient) + colours
	}
	return samples + colours
}

// application keeps what tells how the pixels are to be seen: the JFIF header without its thumbnail, Adobe's colour
// transform, and the orientation.
func (j *jpegReader) application(mark byte, length int) (io.Reader, error) {
	content := make([]byte, length)
	if err := j.read(content); err != nil {
		return nil, err
	}
	const jfif, adobe = 14, 12
	switch {
	case mark == markAPP0 && bytes.HasPrefix(content, []byte("JFIF\x00")) && length >= jfif:
		kept := bytes.Clone(content[:jfif])
		kept[12], kept[13] = 0, 0 // the thumbnail's width and height
		return io.MultiReader(header(mark, jfif), bytes.NewReader(kept)), nil
	case mark == markAPPE && bytes.HasPrefix(content, []byte("Adobe")) && length >= adobe:
		j.rgb = content[adobe-1] == 0
		return io.MultiReader(header(mark, adobe), bytes.NewReader(content[:adobe])), nil
	case mark == markAPP1 && !j.oriented:
		if tag := orientation(content); tag > upright {
			j.oriented = true
			kept := orientationOnly(tag)
			return io.MultiReader(header(mark, len(kept)), bytes.NewReader(kept)), nil
		}
	}
	j.watch.forget()
	_, _ = j.watch.Write(content)
	return nil, j.watch.found()
}

// scan passes on entropy-coded data until the next marker, which it leaves to the reader. RST markers belong to it.
type scan struct {
	src *bufio.Reader
}

func (s *scan) Read(p []byte) (int, error) {
	if len(p) < 2 {
		if len(p) == 0 {
			return 0, nil
		}
		return s.one(p)
	}
	head, err := s.src.Peek(2)
	if len(head) < 2 {
		return 0, whole(orEnd(err))
	}
	ready, _ := s.src.Peek(min(s.src.Buffered(), len(p)))
	i := bytes.IndexByte(ready, 0xff)
	if i < 0 {
		i = len(ready)
	}
	if i == 0 {
		if !within(head[1]) {
			return 0, io.EOF
		}
		i = 2
	}
	return s.src.Read(p[:i])
}

// one is Read for a single byte.
func (s *scan) one(p []byte) (int, error) {
	head, err := s.src.Peek(2)
	if len(head) < 2 {
		return 0, whole(orEnd(err))
	}
	if head[0] == 0xff && !within(head[1]) {
		return 0, io.EOF
	}
	return s.src.Read(p[:1])
}

// within tells whether 0xff and the byte after it belong to a scan.
func within(next byte) bool { return next == 0 || next >= markRST0 && next <= markRST7 }

func orEnd(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}
