package vault

import (
	"fmt"
	"io"
)

// SealStream encrypts what is written to the answer for its place and passes it on to w, in segments of 4 KiB,
// each of which is authenticated with its position. Close writes the last segment; without it the content does
// not open. It closes nothing else.
func (v *Vault) SealStream(p Place, w io.Writer) (io.WriteCloser, error) {
	return v.streams.NewEncryptingWriter(w, p.bytes())
}

// OpenStream decrypts what was sealed for the same place, piece by piece. What has been read was authenticated, but
// only io.EOF tells that it is whole: content that was cut, changed or put elsewhere ends in another error.
func (v *Vault) OpenStream(p Place, r io.Reader) (io.Reader, error) {
	plain, err := v.streams.NewDecryptingReader(r, p.bytes())
	if err != nil {
		return nil, err
	}
	return &named{plain, p}, nil
}

// named says in its errors which content did not open.
type named struct {
	plain io.Reader
	place Place
}

func (n *named) Read(b []byte) (int, error) {
	read, err := n.plain.Read(b)
	if err != nil && err != io.EOF { //nolint:errorlint // the interface's own sentinel
		err = fmt.Errorf("open %s.%s of %s: %w", n.place.Table, n.place.Column, n.place.Row, err)
	}
	return read, err
}
