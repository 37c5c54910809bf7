package pdfpage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"kontor/internal/document"
)

// Limits of the process that draws.
const (
	drawWithin    = time.Minute
	compileWithin = 10 * time.Minute // at low priority, on a slow and busy machine
	softMemory    = "GOMEMLIMIT=384MiB"
	Unreadable    = 3 // the exit status for a file that cannot be drawn
)

// ErrNotReady says that PDFium is still being compiled, which happens once.
var ErrNotReady = errors.New("pdfpage: PDFium is still being compiled")

// Drawer draws pages, one at a time.
type Drawer struct {
	// Program and what it is called with make a process that does what Draw says, with its first argument behind
	// them: the number of the page, or 0 to compile PDFium and draw nothing. Without a program pages are drawn in this
	// process: for tests.
	Program []string

	turn  chan struct{}
	once  sync.Once
	ready chan struct{} // closed when PDFium was compiled
}

// NewDrawer makes a drawer. program may be empty: see Drawer.Program.
func NewDrawer(program ...string) *Drawer {
	return &Drawer{Program: program, turn: make(chan struct{}, 1), ready: make(chan struct{})}
}

// Prepare has PDFium compiled in the background, the first time that it is called. The first time after an
// installation this takes some seconds of one core; after that it finds what it has kept.
func (d *Drawer) Prepare() {
	d.once.Do(func() {
		if len(d.Program) == 0 {
			close(d.ready)
			return
		}
		go func() {
			defer close(d.ready)
			ctx, cancel := context.WithTimeout(context.Background(), compileWithin)
			defer cancel()
			_ = d.command(ctx, 0).Run() // what failed is compiled again, or interpreted, for each page
		}()
	})
}

// command is the process that draws a page, or compiles.
func (d *Drawer) command(ctx context.Context, page int) *exec.Cmd {
	c := exec.CommandContext(ctx, d.Program[0], append(d.Program[1:len(d.Program):len(d.Program)], strconv.Itoa(page))...)
	c.Env, c.WaitDelay = []string{softMemory}, time.Second
	return c
}

// Page draws a page of a PDF, counted from 1. A document.Problem when it cannot be drawn within the limits; ErrNotReady
// when the context ended before there was anything to draw with.
func (d *Drawer) Page(ctx context.Context, content io.Reader, page int) (*image.RGBA, error) {
	d.Prepare()
	select {
	case <-d.ready:
	case <-ctx.Done():
		return nil, ErrNotReady
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.turn }()
	within, cancel := context.WithTimeout(ctx, drawWithin)
	defer cancel()
	var drawn bytes.Buffer
	if err := d.draw(within, content, page, &drawn); err != nil {
		if ctx.Err() != nil { // nobody waits for it any more, which says nothing about the file
			return nil, ctx.Err()
		}
		return nil, err
	}
	return read(&drawn)
}

func (d *Drawer) draw(ctx context.Context, content io.Reader, page int, out io.Writer) error {
	if len(d.Program) == 0 {
		return Draw(ctx, Order{Page: page}, content, out)
	}
	var said bytes.Buffer
	c := d.command(ctx, page)
	c.Stdin, c.Stdout, c.Stderr = content, &atMost{w: out, left: 64 + 4*MaxSide*MaxSide}, &atMost{w: &said, left: 1 << 10}
	err := c.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == Unreadable || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return document.Unreadable
	}
	if err != nil {
		return fmt.Errorf("pdfpage: draw: %w: %s", err, said.Bytes())
	}
	return nil
}

// atMost passes on so many bytes, and fails when there are more.
type atMost struct {
	w    io.Writer
	left int
}

func (a *atMost) Write(p []byte) (int, error) {
	if len(p) > a.left {
		return 0, io.ErrShortWrite
	}
	a.left -= len(p)
	return a.w.Write(p)
}

// read reads what Draw wrote.
func read(drawn io.Reader) (*image.RGBA, error) {
	r := bufio.NewReader(drawn)
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, document.Unreadable
	}
	var pages, width, height int
	if _, err := fmt.Sscanf(line, header, &pages, &width, &height); err != nil || width < 1 || height < 1 || width > MaxSide || height > MaxSide {
		return nil, document.Unreadable
	}
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	if _, err := io.ReadFull(r, picture.Pix); err != nil {
		return nil, document.Unreadable
	}
	return picture, nil
}
