package browser

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"kontor/internal/identity"
)

// photograph makes a picture of a size: a coloured card on a dark table, with some noise, as cameras make it.
func photograph(t *testing.T, name string, width, height int) string {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	noise := uint32(1)
	for y := range height {
		for x := range width {
			noise = noise*1664525 + 1013904223
			grain := uint8(noise >> 27)
			c := color.RGBA{R: 40 + grain, G: 44 + grain, B: 48 + grain, A: 255}
			if x > width/8 && x < width*7/8 && y > height/8 && y < height*7/8 {
				c = color.RGBA{R: 150 + grain, G: 190 + grain, B: 200 + grain, A: 255}
			}
			picture.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return attachment(t, name, b.Bytes())
}

func attachment(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// consent goes from the link to the step behind the consent.
func (b *tab) consent(url string) {
	b.t.Helper()
	if status := b.visit(url); status != http.StatusOK {
		b.t.Fatalf("the link is answered with %d; the page: %s", status, b.excerpt())
	}
	b.click("#agree")
	b.submit("button.primary")
}

// describe fills in the document and goes on.
func (b *tab) describe(number string) {
	b.t.Helper()
	b.fill("#number", number)
	b.fill("#day", "1")
	b.fill("#month", "2")
	b.fill("#year", "2040")
	b.submit("button.primary")
}

// TestHosted has the tests that one program serves, each with a user of its own.
func TestHosted(t *testing.T) {
	t.Parallel()
	p := start(t)
	for name, test := range map[string]func(*testing.T, *program){
		"Verification": testVerification, "ByKeyboard": testVerificationByKeyboard, "TwoTabsSendAtOnce": testTwoTabsSendAtOnce,
		"LargePhotosAreMadeSmaller": testLargePhotosAreMadeSmaller,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// From the partner's call to the active account, with what users do wrong on the way: at a desk in dark colours, and on
// a phone in light ones.
func testVerification(t *testing.T, p *program) {
	dark := desk
	dark.dark = true
	for name, d := range map[string]device{"desk": dark, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, d)
			url := p.newUser(t, name, "ID_CARD")
			look := func(what string) { b.look(what + "-" + name) }
			b.visit(url)
			look("consent")
			b.judge()
			if status := b.submit("button.primary"); status != http.StatusUnprocessableEntity {
				t.Errorf("without consent: %d", status)
			}
			b.shows("#agree-error", "Tick the box")
			b.click("#agree")
			b.submit("button.primary")
			look("document")
			b.submit("button.primary")
			b.shows("#number-error", "Enter the number")
			b.shows("#expires-error", "Enter the day")
			look("document-wrong")
			b.judge()
			b.describe("TEST-" + name)
			for _, side := range []string{"front", "back", "selfie"} {
				b.await(`form[action$="/photo/` + side + `"]`)
				b.attach("#file", photograph(t, side+".jpg", 600, 400))
				b.await(".preview")
				look(side)
				if side == "front" {
					b.judge()
				}
				b.click("button.primary")
			}
			b.await(`form[action$="/submit"]`)
			look("review")
			b.judge()
			b.submit("button.primary")
			b.await(`#content[data-state="accepted"]`) // by itself
			look("accepted")
			b.judge()
			p.await(t, "/webhook/kyc-verification/status", name, "attemptStatus", "SUCCESSFUL")
			p.call(t, http.MethodPost, "/v1/user/verification", fmt.Sprintf(`{"externalUserId": %q, "documentType": "ID_CARD",
				"documentNumber": "TEST-%s", "documentIssueCountry": "LT", "documentExpiryDate": "2040-02-01"}`, name, name))
			p.await(t, "/webhook/user/status", name, "status", "ACTIVE")
		})
	}
}

// Everything can be done without JavaScript, and pictures that are none are refused beside their field.
func TestVerificationWithoutJavaScript(t *testing.T) {
	t.Parallel()
	p := start(t)
	plain := phone
	plain.noScript = true
	b := open(t, plain)
	url := p.newUser(t, "plain", "PASSPORT")
	b.consent(url)
	b.describe("TEST-PLAIN")
	b.look("front-plain")
	b.attach("#file", attachment(t, "front.png", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>")))
	if status := b.submit("button.primary"); status != http.StatusUnprocessableEntity {
		t.Errorf("an SVG named .png: %d", status)
	}
	b.shows("#file-error", "JPEG, PNG or PDF")
	b.attach("#file", photograph(t, "small.jpg", 60, 40))
	b.submit("button.primary")
	b.shows("#file-error", "JPEG, PNG or PDF")
	b.attach("#camera", photograph(t, "front.jpg", 600, 400))
	b.submit("button.primary")
	b.shows("h1", "Now a photo of yourself")

	// The link goes on where one left off, in another browser too.
	b = open(t, plain)
	b.visit(url)
	b.shows("h1", "Now a photo of yourself")
	b.submit("[data-sample]")
	b.shows("h1", "Is everything right?")
	b.submit(`button[value="REJECT-FACE_MISMATCH"]`)
	p.await(t, "/webhook/kyc-verification/status", "plain", "rejectionReason", "FACE_MISMATCH")
	b.visit(url)
	b.shows("#content", "Your photo does not match")
	b.look("refused-plain")

	// A new attempt gets a new link; the old one still tells how it ended.
	again := p.newLink(t, "plain", "PASSPORT")
	b.visit(again)
	b.shows("h1", "Let us make sure")
	b.visit(url)
	b.shows("#content", "Your photo does not match")
	if status := b.visit(again + "0"); status != http.StatusBadRequest {
		t.Errorf("a wrong link: %d", status)
	}
	b.shows("h1", "This link is no longer valid")
	p.clock.by.Add(int64(identity.LinkLife))
	b.visit(again)
	b.shows("h1", "This link is no longer valid")

	id := again[strings.LastIndex(again, "/")+1:]
	if log := p.log.String(); strings.Contains(log, id) || !strings.Contains(log, "/v1/kyc/verification/{externalUserId}/{verificationId}") {
		t.Errorf("the log names the link, or not its route:\n%s", log)
	}
}

// A keyboard is enough, and the order of the fields is the order of the page.
func testVerificationByKeyboard(t *testing.T, p *program) {
	b := open(t, desk)
	b.visit(p.newUser(t, "keys", "PASSPORT"))
	b.press(kb.Tab)
	if got := b.focused(); got != "Skip to content" {
		t.Errorf("the first thing in the order is %q", got)
	}
	b.press(kb.Tab)
	b.press(" ") // the consent
	b.press(kb.Tab)
	b.pressTo(kb.Enter)
	b.shows("h1", "Which document")
	for range 3 { // the skip link, the progress has no links yet, the kind, the country
		b.press(kb.Tab)
	}
	b.press(kb.Tab)
	b.press("test 1")
	b.press(kb.Tab)
	for _, part := range []string{"1", "2", "2040"} {
		b.press(part)
		b.press(kb.Tab)
	}
	b.press(kb.Tab) // past the machine-readable lines
	b.pressTo(kb.Enter)
	b.shows("h1", "Photograph the page with your photo")
}

// Of two tabs that send at once, both see the result, and one check runs.
func testTwoTabsSendAtOnce(t *testing.T, p *program) {
	url := p.newUser(t, "twice", "PASSPORT")
	b := open(t, desk)
	b.consent(url)
	b.describe("TEST-MANUAL")
	b.submit("[data-sample]")
	b.submit("[data-sample]")
	other := open(t, phone)
	other.visit(url)
	b.submit("button.primary")
	other.submit("button.primary")
	for _, tab := range []*tab{b, other} {
		tab.shows("h1", "We are checking your documents")
	}
	b.look("checking")
	p.await(t, "/webhook/kyc-verification/status", "twice", "attemptStatus", "VERIFICATION")
	status := p.call(t, http.MethodGet, "/v1/kyc/status/twice", "")
	if status["attemptStatus"] != "VERIFICATION" {
		t.Errorf("the status is %v", status)
	}
}

// A photo of a phone that is larger than what may be sent is made smaller before it is.
func testLargePhotosAreMadeSmaller(t *testing.T, p *program) {
	b := open(t, phone)
	b.consent(p.newUser(t, "large", "PASSPORT"))
	b.describe("TEST-LARGE")
	large := photograph(t, "large.jpg", 4000, 3000)
	if info, err := os.Stat(large); err != nil || info.Size() <= 5_242_880 {
		t.Fatalf("the photo is not too large: %v, %v", info.Size(), err)
	}
	b.attach("#camera", large)
	b.click("button.primary")
	b.await(`form[action$="/photo/selfie"]`)
	b.attach("#file", attachment(t, "broken.jpg", []byte("no picture")))
	b.click("button.primary")
	b.await("#file-error")
	b.shows("#file-error", "JPEG, PNG or PDF")
}
