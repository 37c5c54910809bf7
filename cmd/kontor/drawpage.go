package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"kontor/internal/document"
	"kontor/internal/document/pdfpage"
)

// drawPageCommand is the process in which a page of a PDF is drawn, for the console: see package pdfpage.
type drawPageCommand struct {
	Cache string `help:"Folder that keeps PDFium compiled; empty: it is interpreted."`
	Page  int    `arg:"" help:"The number of the page, from 1. 0: compile PDFium into the cache, at low priority, and draw nothing."`
}

// Run draws a page of the PDF on the standard input.
func (d drawPageCommand) Run(ctx context.Context, out io.Writer) error {
	if d.Page == 0 {
		stepBack()
		return pdfpage.Compile(ctx, pdfpage.Order{Cache: d.Cache, Workers: 1})
	}
	err := pdfpage.Draw(ctx, pdfpage.Order{Page: d.Page, Cache: d.Cache, Workers: runtime.NumCPU()}, os.Stdin, out)
	var problem document.Problem
	if errors.As(err, &problem) {
		fmt.Fprintln(os.Stderr, problem)
		os.Exit(pdfpage.Unreadable)
	}
	return err
}

// pageProgram is how a node draws pages: by this program, in a process of its own. Where the system names a folder for
// such things, PDFium is compiled once and kept there.
func pageProgram() []string {
	own, err := os.Executable()
	if err != nil {
		return nil
	}
	program := []string{own, "draw-page"}
	cache, err := os.UserCacheDir()
	if err != nil {
		return program
	}
	folder := filepath.Join(cache, "kontor")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return program
	}
	return append(program, "--cache", folder)
}
