package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take on a busy machine. Nothing waits for it to pass.
const patience = time.Minute

// device is what a tab looks like to a page.
type device struct {
	width, height int64
	mobile        bool
	dark          bool
	noScript      bool
}

var (
	desk  = device{width: 1280, height: 800}
	phone = device{width: 360, height: 740, mobile: true}
)

// tab is one page of the browser, with a profile of its own.
type tab struct {
	t      *testing.T
	ctx    context.Context
	device device

	mu       sync.Mutex
	problems []string // what the page complained of
}

// open opens a tab that lives as long as the test, which fails when a page complains.
func open(t *testing.T, d device) *tab {
	t.Helper()
	shared, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	ctx, closeTab := chromedp.NewContext(shared, chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, device: d}
	listening := make(chan struct{})
	t.Cleanup(func() {
		closeTab()
		<-listening
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.problems {
			t.Errorf("the page complained: %s", p)
		}
	})
	messages := chromedp.Console(ctx)
	go func() {
		defer close(listening)
		for m, err := range messages {
			if err != nil {
				return
			}
			b.heard(m)
		}
	}()
	b.prepare()
	return b
}

func (b *tab) prepare() {
	b.t.Helper()
	b.size(b.device.height)
	scheme := "light"
	if b.device.dark {
		scheme = "dark"
	}
	b.do(
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
		command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: b.device.noScript}),
	)
}

// size sets the window to the device's width and a height.
func (b *tab) size(height int64) {
	b.t.Helper()
	viewport := []chromedp.EmulateViewportOption{}
	if b.device.mobile {
		viewport = append(viewport, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.do(chromedp.EmulateViewport(b.device.width, height, viewport...))
}

// command makes an action of a command of the protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, params)
		return chromedp.Void{}, err
	}
}

// heard keeps what the page complains of. That a page answers with the status of an error is no complaint.
func (b *tab) heard(m chromedp.ConsoleMessage) {
	if m.Source == "network" && strings.Contains(m.Text, "the server responded with a status of 4") {
		return
	}
	if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleException {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.problems = append(b.problems, m.String())
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page: %s", err, b.excerpt())
	}
}

func run[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%v; the page: %s", err, b.excerpt())
	}
	return value
}

// excerpt is what a failure tells of the page.
func (b *tab) excerpt() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname + '\\n' + document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	const most = 1500
	return text[:min(len(text), most)]
}

// visit opens an address and answers the status.
func (b *tab) visit(url string) int {
	b.t.Helper()
	return b.status(run(b, chromedp.NavigateResponse(url)))
}

// submit clicks what leads to another page and answers its status.
func (b *tab) submit(selector string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatalf("%s: %v; the page: %s", selector, err, b.excerpt())
	}
	return b.status(response)
}

func (b *tab) status(r *network.Response) int {
	b.t.Helper()
	if r == nil {
		b.t.Fatal("the page has no answer")
	}
	b.fits()
	return int(r.Status)
}

// fits fails the test when the page is wider than the screen.
func (b *tab) fits() {
	b.t.Helper()
	if b.device.noScript {
		return // nothing can measure it
	}
	// The window of a phone grows with what is too wide for it: the screen is the measure.
	if over := run(b, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")) - b.device.width; over > 0 {
		b.t.Errorf("the page is %d px wider than the screen of %d px; the page: %s", over, b.device.width, b.excerpt())
	}
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// await waits until the page shows an element.
func (b *tab) await(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)))
}

// fill types into an empty field, or chooses an option by its value.
func (b *tab) fill(selector, value string) {
	b.t.Helper()
	b.do(chromedp.SetValue(chromedp.CSS(selector), value))
}

// press sends keys to whatever has the focus.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// pressTo sends keys that lead to another page.
func (b *tab) pressTo(keys string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(keys))
	if err != nil {
		b.t.Fatalf("%v; the page: %s", err, b.excerpt())
	}
	return b.status(response)
}

// attach chooses a file.
func (b *tab) attach(selector, path string) {
	b.t.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

// text is what an element shows.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(run(b, chromedp.TextContent(chromedp.CSS(selector))))
}

// shows fails the test unless the element contains the words.
func (b *tab) shows(selector, words string) {
	b.t.Helper()
	if got := b.text(selector); !strings.Contains(got, words) {
		b.t.Errorf("%s shows %q, want %q", selector, got, words)
	}
}

// look writes what the whole page looks like, when somebody wants to see it.
func (b *tab) look(name string) {
	b.t.Helper()
	folder := os.Getenv("KONTOR_SCREENSHOTS")
	if folder == "" {
		return
	}
	if !b.device.noScript { // a window as high as the page: what stays in view is then where it belongs
		b.size(max(b.device.height, run(b, chromedp.Evaluate[int64]("document.documentElement.scrollHeight"))))
		defer b.size(b.device.height)
	}
	picture := run(b, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d.png", name, b.device.width)), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// ignore drops the value of an action.
func ignore[T any](action chromedp.Action[T]) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := action(ctx, t)
		return chromedp.Void{}, err
	}
}

// focused is the text of what has the focus.
func (b *tab) focused() string {
	b.t.Helper()
	return strings.TrimSpace(run(b, chromedp.Evaluate[string]("document.activeElement.textContent")))
}
