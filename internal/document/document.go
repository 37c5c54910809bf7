// Package document judges the files that users prove their identity and address with: pictures (JPEG, PNG) and PDF.
// It believes the content alone, never a name or a declared type, and reads it as it arrives: nothing here needs a
// whole file in memory but Check and Render, which decode.
//
// What is kept of a picture is its pixels. A Reader passes on the parts that decoding needs and leaves out the rest:
// comments, thumbnails, colour profiles, the place and the device in EXIF, and whatever follows the picture's end.
package document

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Media is a type of documents, by its media type (RFC 6838).
type Media string

// The types that are accepted.
const (
	JPEG Media = "image/jpeg"
	PNG  Media = "image/png"
	PDF  Media = "application/pdf"
)

// Facts are what a document's header says.
type Facts struct {
	Media         Media
	Width, Height int // of a picture, in pixels, as they are stored; 0 for a PDF

	weight int64 // half bytes of memory that decoding takes per pixel
}

// decoded is how many bytes decoding the picture takes.
func (f Facts) decoded() int64 {
	if pixels := int64(f.Width) * int64(f.Height); pixels <= maxDecoded { // a product of three would overflow
		return pixels * f.weight / 2
	}
	return maxDecoded + 1
}

// ErrUnsupported says that content is not one whole document of a type that is accepted. The errors that wrap it
// say what was found, for developers; they hold nothing of the content.
var ErrUnsupported = errors.New("document: not a whole JPEG, PNG or PDF")

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

// headSize is how far a program that looks for the beginning of a PDF looks.
const headSize = 1024

// Reader passes on what is kept of a document.
type Reader struct {
	src   *bufio.Reader
	facts Facts
	piece io.Reader                 // what is being passed on
	next  func() (io.Reader, error) // finds the next piece; io.EOF at the document's end
	err   error                     // ends everything
	watch watcher                   // looks through what is not passed on
}

// NewReader judges content while it is read. Until io.EOF nothing is certain: content that is not one whole document
// ends in ErrUnsupported, and an error of the source is passed on.
func NewReader(src io.Reader) *Reader {
	const buffer = 4096
	r := &Reader{src: bufio.NewReaderSize(src, buffer)}
	r.next = r.begin
	return r
}

// Facts are known when Read has answered anything, and certain after io.EOF.
func (r *Reader) Facts() Facts { return r.facts }

// Read passes on the next bytes.
func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		if r.piece == nil {
			if r.piece, r.err = r.next(); r.err != nil {
				break
			}
		}
		n, err := r.piece.Read(p)
		if err == io.EOF { //nolint:errorlint // the interface's own sentinel
			r.piece, err = nil, nil
		}
		r.err = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.err
}

// begin tells the type by the first bytes.
func (r *Reader) begin() (io.Reader, error) {
	head, err := r.src.Peek(headSize)
	if err != nil && err != io.EOF { //nolint:errorlint // Peek answers the source's error itself
		return nil, err
	}
	switch {
	case len(head) == 0:
		return nil, unsupported("empty")
	case bytes.HasPrefix(head, []byte("%PDF-")):
		return r.beginPDF(head)
	case bytes.Contains(head, []byte("%PDF-")):
		return nil, unsupported("something else and a PDF in one")
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		r.facts.Media = JPEG
		return newJPEG(r).begin()
	case bytes.HasPrefix(head, []byte(pngSignature)):
		r.facts.Media = PNG
		return newPNG(r).begin()
	}
	return nil, unsupported("none of their beginnings")
}

// read reads a fixed number of bytes; a document that ends before them is not whole.
func (r *Reader) read(b []byte) error {
	_, err := io.ReadFull(r.src, b)
	return whole(err)
}

// whole makes of an early end an error about the document.
func whole(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // sentinels of package io
		return unsupported("it ends too early")
	}
	return err
}

// leaveOut reads over n bytes, which may hold no beginning of something that programs would execute or unpack.
func (r *Reader) leaveOut(n int64) error {
	r.watch.forget()
	if _, err := io.CopyN(&r.watch, r.src, n); err != nil {
		return whole(err)
	}
	return r.watch.found()
}

// end reads over what follows a picture's end. Phones put things there (a second picture, a short film).
func (r *Reader) end() error {
	r.watch.forget()
	if _, err := io.Copy(&r.watch, r.src); err != nil {
		return err
	}
	if err := r.watch.found(); err != nil {
		return err
	}
	return io.EOF
}

// exactly passes on n bytes of the source.
func (r *Reader) exactly(n int64) io.Reader { return &exact{r.src, n} }

type exact struct {
	src  io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.src.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	return n, whole(err)
}

// foreign are the beginnings of what a file would be as well, if it is made to be two things at once. The one of ZIP
// is its directory's end, which every ZIP has.
var foreign = [][]byte{
	[]byte("%PDF-"), []byte("PK\x05\x06\x00\x00\x00\x00"), []byte("<script"), []byte("<html"), []byte("<!doctype html"),
	[]byte("<svg "), []byte("<?php"),
}

// watcher looks for foreign beginnings, in any case of letters, in what is written to it.
type watcher struct {
	tail []byte // the end of what was written last: a beginning can be divided
	hit  bool
}

func (w *watcher) forget() { w.tail = w.tail[:0] }

func (w *watcher) Write(p []byte) (int, error) {
	const longest = 14 // of foreign
	text := bytes.ToLower(append(w.tail, p...))
	for _, begin := range foreign {
		w.hit = w.hit || bytes.Contains(text, bytes.ToLower(begin))
	}
	w.tail = append(w.tail[:0], text[max(0, len(text)-longest+1):]...)
	return len(p), nil
}

func (w *watcher) found() error {
	if w.hit {
		return unsupported("two things in one")
	}
	return nil
}
