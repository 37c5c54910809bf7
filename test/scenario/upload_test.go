package scenario

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"mime/multipart"
	"net/http"

	"kontor/internal/document/documenttest"
)

// upload is a file of a form.
type upload struct {
	Name, Of string
	Field    string // files, unless it says so
}

// fixtures are the files that scenarios can send, by name.
var fixtures = map[string][]byte{
	"photo":        encode(documenttest.Picture(320, 240)),
	"drawing":      encodePNG(documenttest.Picture(300, 220)),
	"paper":        documenttest.PDF(documenttest.Pages(1)...),
	"book":         documenttest.PDF(documenttest.Pages(51)...),
	"locked":       bytes.Replace(documenttest.PDF(documenttest.Pages(1)...), []byte("/Size 2"), []byte("/Size 2 /Encrypt 5 0 R"), 1),
	"small":        encode(documenttest.Picture(100, 80)),
	"white":        encode(documenttest.Flat(320, 240)),
	"empty":        {},
	"text":         []byte("a passport, honestly"),
	"svg":          []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`),
	"half":         encode(documenttest.Picture(320, 240))[:500],
	"two-in-one":   append(encode(documenttest.Picture(320, 240)), "PK\x05\x06\x00\x00\x00\x00\x00\x00"...),
	"largest":      padded(5_242_880),
	"too-large":    padded(5_242_881),
	"no-photo-big": make([]byte, 5_242_881),
}

// padded is a photo with so many bytes behind it that it has a length. The bytes are those of a film.
func padded(length int) []byte {
	photo := encode(documenttest.Picture(320, 240))
	return append(photo, bytes.Repeat([]byte{7}, length-len(photo))...)
}

func encode(p image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, nil); err != nil {
		panic(err) // into memory
	}
	return b.Bytes()
}

func encodePNG(p image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		panic(err) // into memory
	}
	return b.Bytes()
}

// attach makes a form with files the request's body. A form that is cut off lacks its end.
func (q *request) attach(files []upload, cutOff bool, v vars) error {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, f := range files {
		name, err := v.text(f.Name)
		if err != nil {
			return err
		}
		of, err := v.text(f.Of)
		if err != nil {
			return err
		}
		content, known := fixtures[of]
		if !known {
			return fmt.Errorf("there is no file %q", of)
		}
		field := f.Field
		if field == "" {
			field = "files"
		}
		part, err := form.CreateFormFile(field, name)
		if err != nil {
			return err
		}
		if _, err := part.Write(content); err != nil {
			return err
		}
	}
	if cutOff {
		b.Truncate(b.Len() - 10)
	} else if err := form.Close(); err != nil {
		return err
	}
	q.body = b.Bytes()
	if q.headers == nil {
		q.headers = http.Header{}
	}
	if _, own := q.headers["Content-Type"]; !own {
		q.headers["Content-Type"] = []string{form.FormDataContentType()}
	}
	return nil
}
