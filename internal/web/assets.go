package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static/kontor.css static/kontor.svg
var static embed.FS

// Assets serves embedded files under names that carry a hash of their content: a browser may keep them for ever,
// and a new version of the program has new names.
type Assets struct {
	prefix string
	names  map[string]string // kontor.css: kontor.1a2b3c4d5e6f.css
	files  map[string]asset  // by the name with the hash
}

type asset struct {
	content   []byte
	mediaType string
}

// NewAssets makes the assets of pages whose assets are below the prefix ("/v1/assets/"): kontor.css and the
// icon kontor.svg, which all pages share, and the files of the given folders. It panics when a file cannot be read, as embedded ones always can.
func NewAssets(prefix string, folders ...fs.FS) *Assets {
	a := &Assets{prefix: prefix, names: map[string]string{}, files: map[string]asset{}}
	for _, folder := range append([]fs.FS{static}, folders...) {
		if err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			return a.add(folder, name)
		}); err != nil {
			panic(fmt.Sprintf("web: an embedded file: %v", err))
		}
	}
	return a
}

func (a *Assets) add(folder fs.FS, name string) error {
	content, err := fs.ReadFile(folder, name)
	if err != nil {
		return err
	}
	const shown = 6 // bytes of the hash: enough to tell versions apart
	sum := sha256.Sum256(content)
	base, extension := path.Base(name), path.Ext(name)
	hashed := strings.TrimSuffix(base, extension) + "." + hex.EncodeToString(sum[:shown]) + extension
	a.names[base] = hashed
	a.files[hashed] = asset{content, mime.TypeByExtension(extension)}
	return nil
}

// Prefix is the path below which the assets are served.
func (a *Assets) Prefix() string { return a.prefix }

// URL is the path of a file, by its name without folder. It panics for a file that there is not: a page would be
// without its style.
func (a *Assets) URL(name string) string {
	hashed, ok := a.names[name]
	if !ok {
		panic("web: there is no asset " + name)
	}
	return a.prefix + hashed
}

// ServeHTTP answers a file by the last segment of the path, or 404.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[path.Base(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(file.content) // whoever asked is gone
}
