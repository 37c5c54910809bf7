package document

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

const (
	maxPDF      = 16 << 20  // bytes of a PDF
	maxInflated = 8 << 20   // bytes that all object streams of a PDF may inflate to
	maxNumbers  = 256 << 10 // bytes that the numbers at the beginning of an object stream may take
)

var (
	objectBegin  = regexp.MustCompile(`(\d{1,10})[\x00\t\n\f\r ]+\d{1,5}[\x00\t\n\f\r ]+obj\b`)
	pageType     = regexp.MustCompile(`/Type[\x00\t\n\f\r ]*/Page([\x00\t\n\f\r ()<>\[\]{}/%]|$)`)
	objectStream = regexp.MustCompile(`/Type[\x00\t\n\f\r ]*/ObjStm`)
	firstOffset  = regexp.MustCompile(`/First[\x00\t\n\f\r ]+(\d{1,8})`)
)

// checkPDF counts the pages. They are looked for where objects can stand (ISO 32000-2, 7.3.10 and 7.5.7): between obj
// and endobj, and in object streams, which alone are inflated, and together only so far. What pages show is not looked
// at.
func checkPDF(content io.Reader) (pages int, err error) {
	text, err := io.ReadAll(io.LimitReader(content, maxPDF+1))
	if err != nil {
		return 0, fmt.Errorf("document: read: %w", err)
	}
	if len(text) > maxPDF {
		return 0, Unreadable
	}
	pages, err = countPages(text)
	switch {
	case err != nil:
		return 0, Unreadable
	case pages == 0:
		return 0, NoPages
	case pages > MaxPages:
		return pages, ManyPages
	}
	return pages, nil
}

// errBomb says that an object stream inflates too far.
var errBomb = errors.New("document: a PDF inflates too far")

// countPages counts the objects that are pages, each number once, because later versions of a page replace it. It
// stops when they are too many.
func countPages(text []byte) (int, error) {
	pages := map[string]bool{}
	budget := int64(maxInflated)
	for {
		at := objectBegin.FindSubmatchIndex(text)
		if at == nil || len(pages) > MaxPages {
			return len(pages), nil
		}
		number := string(text[at[2]:at[3]])
		text = text[at[1]:]
		head, data, rest := divide(text)
		text = rest
		if pageType.Match(head) {
			pages[number] = true
		}
		if data != nil && objectStream.Match(head) {
			if err := pagesInside(head, data, pages, &budget); err != nil {
				return 0, err
			}
		}
	}
}

// divide takes an object apart: its head, its stream's data when it has one, and what follows.
func divide(text []byte) (head, data, rest []byte) {
	end := bytes.Index(text, []byte("endobj"))
	if end < 0 {
		end = len(text)
	}
	begin := bytes.Index(text[:end], []byte("stream"))
	if begin < 0 {
		return text[:end], nil, text[end:]
	}
	head, data = text[:begin], text[begin+len("stream"):]
	data = bytes.TrimPrefix(bytes.TrimPrefix(data, []byte("\r")), []byte("\n"))
	if stop := bytes.Index(data, []byte("endstream")); stop >= 0 {
		return head, data[:stop], data[stop:]
	}
	return head, data, nil
}

// pagesInside looks for pages in an object stream: pairs of object numbers and offsets, then the objects.
func pagesInside(head, data []byte, pages map[string]bool, budget *int64) error {
	first := firstOffset.FindSubmatch(head)
	inflating, err := zlib.NewReader(bytes.NewReader(data))
	if first == nil || err != nil {
		return nil // of another filter, or broken: it holds no page that a program could show
	}
	text, err := io.ReadAll(io.LimitReader(inflating, *budget+1))
	*budget -= int64(len(text))
	if *budget < 0 {
		return errBomb
	}
	if err != nil && len(text) == 0 {
		return nil
	}
	if offset, _ := strconv.Atoi(string(first[1])); offset <= min(len(text), maxNumbers) {
		collect(bytes.Fields(text[:offset]), text[offset:], pages)
	}
	return nil
}

// collect adds the pages among the objects of an object stream. numbers are pairs of an object's number and its
// offset, which ascends.
func collect(numbers [][]byte, objects []byte, pages map[string]bool) {
	for i := 0; i+1 < len(numbers) && len(pages) <= MaxPages; i += 2 {
		from, to := offset(numbers, i+1, len(objects)), offset(numbers, i+3, len(objects))
		if from > to {
			return
		}
		if pageType.Match(objects[from:to]) {
			pages[string(numbers[i])] = true
		}
	}
}

// offset reads the offset at a place; the end when there is none.
func offset(numbers [][]byte, at, end int) int {
	if at >= len(numbers) {
		return end
	}
	n, err := strconv.Atoi(string(numbers[at]))
	if err != nil || n < 0 || n > end {
		return end
	}
	return n
}
