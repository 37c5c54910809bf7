// Package pdfpage draws pages of PDF as pictures, so that nobody has to open a file that a stranger made.
//
// PDFium, the library of Chromium, does the drawing. It is compiled to WebAssembly and run by wazero: its memory is
// bounded, it sees no file, no network and no clock of this machine, and whatever a hostile file makes it do ends
// inside. Draw is what a process of its own does for a Drawer, so that its memory and its time end with it. Scripts,
// links and attachments of a PDF lead nowhere: what comes out is pixels.
package pdfpage

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"io"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"kontor/internal/document"
)

// Limits of drawing.
const (
	MaxSide  = 1600      // pixels of the longer side of a drawn page
	maxFile  = 16 << 20  // bytes of a PDF
	memory   = 192 << 20 // bytes that PDFium may have
	wasmPage = 64 << 10  // bytes by which WebAssembly counts memory
)

// Order is what is to be drawn.
type Order struct {
	Page    int    // from 1
	Cache   string // folder that keeps PDFium compiled to machine code; empty: it is interpreted, which begins sooner and draws slower
	Workers int    // that compile at a time; 0: one
}

// Draw reads a PDF and writes one of its pages: a line with the number of pages, the width and the height in pixels,
// then the pixels, four bytes each (red, green, blue, alpha). A document.Problem when there is nothing to draw.
func Draw(ctx context.Context, o Order, in io.Reader, out io.Writer) error {
	file, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return fmt.Errorf("pdfpage: read: %w", err)
	}
	if len(file) > maxFile || o.Page < 1 || o.Page > document.MaxPages {
		return document.Unreadable
	}
	pool, err := o.pool(ctx)
	if err != nil {
		return fmt.Errorf("pdfpage: start PDFium: %w", err)
	}
	defer func() { _ = pool.Close() }() // what it held is memory
	pdf, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return fmt.Errorf("pdfpage: start PDFium: %w", err)
	}
	return draw(pdf, o.Page, file, out)
}

// Compile compiles PDFium into the order's cache, if it is not there yet, and does nothing without a cache.
func Compile(ctx context.Context, o Order) error {
	if o.Cache == "" {
		return nil
	}
	pool, err := o.pool(ctx)
	if err != nil {
		return fmt.Errorf("pdfpage: compile PDFium: %w", err)
	}
	return pool.Close()
}

// pool is PDFium without anything around it.
func (o Order) pool(ctx context.Context) (pdfium.Pool, error) {
	config := wazero.NewRuntimeConfigInterpreter()
	if o.Cache != "" {
		cache, err := wazero.NewCompilationCacheWithDir(o.Cache)
		if err != nil {
			return nil, err
		}
		config = wazero.NewRuntimeConfigCompiler().WithCompilationCache(cache)
		ctx = experimental.WithCompilationWorkers(ctx, max(1, o.Workers))
	}
	return webassembly.Init(webassembly.Config{
		Context: ctx, MaxTotal: 1, FSConfig: wazero.NewFSConfig(), Stdout: io.Discard, Stderr: io.Discard,
		RuntimeConfig: config.WithMemoryLimitPages(memory / wasmPage).WithCloseOnContextDone(true).
			WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling), // which the library needs
	})
}

// draw draws one page. Whatever goes wrong now is the file's fault.
func draw(pdf pdfium.Pdfium, page int, file []byte, out io.Writer) error {
	opened, err := pdf.OpenDocument(&requests.OpenDocument{File: &file})
	if err != nil {
		return document.Unreadable
	}
	pages, err := pdf.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: opened.Document})
	if err != nil || page > pages.PageCount {
		return document.NoPages
	}
	drawn, err := pdf.RenderPageInPixels(&requests.RenderPageInPixels{
		Width: MaxSide, Height: MaxSide, RenderFlags: enums.FPDF_RENDER_FLAG_ANNOT,
		Page: requests.Page{ByIndex: pageOf(opened.Document, page)},
	})
	if err != nil {
		return document.Unreadable
	}
	defer drawn.Cleanup()
	picture, ok := drawn.Result.RenderedImage.(*image.RGBA)
	if !ok || picture.Rect.Empty() {
		return document.Unreadable
	}
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, header, pages.PageCount, picture.Rect.Dx(), picture.Rect.Dy())
	for y := picture.Rect.Min.Y; y < picture.Rect.Max.Y; y++ {
		row := picture.PixOffset(picture.Rect.Min.X, y)
		_, _ = w.Write(picture.Pix[row : row+4*picture.Rect.Dx()]) // Flush tells
	}
	return w.Flush()
}

func pageOf(d references.FPDF_DOCUMENT, page int) *requests.PageByIndex {
	return &requests.PageByIndex{Document: d, Index: page - 1}
}

// header is the line before the pixels.
const header = "page of %d: %d x %d\n"
