package pages_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"kontor/internal/catalog"
	"kontor/internal/clock"
	"kontor/internal/fault"
	"kontor/internal/pages"
	"kontor/internal/pages/pagestest"
)

// world is the pages over verifications in memory, and what they logged.
type world struct {
	t       *testing.T
	memory  *pagestest.Memory
	handler http.Handler
	log     *bytes.Buffer
	link    pages.Link
	path    string
}

func newWorld(t *testing.T, staging bool) *world {
	t.Helper()
	all, err := catalog.Load("")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, memory: pagestest.New(), log: &bytes.Buffer{},
		link: pages.Link{ExternalUserID: "user 1 & <b>", VerificationID: "3f1c-secret"},
		path: "/v1/kyc/verification/user%201%20&%20%3Cb%3E/3f1c-secret",
	}
	p, err := pages.New(pages.Config{
		Verifications: w.memory, Catalog: all, Clock: clock.System(), Staging: staging, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	router := chi.NewRouter()
	p.Routes(router, func(w http.ResponseWriter, _ *http.Request, err error) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(fault.From(err).Code.Row().Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"errorCode": string(fault.From(err).Code)})
	})
	w.handler = router
	w.put(pages.Verification{})
	return w
}

// put sets the verification, open and by a partner whose name needs escaping unless it says otherwise.
func (w *world) put(v pages.Verification) {
	if v.State == "" {
		v.State = pages.Open
	}
	v.Partner, v.Expires = "Partner <script>", time.Now().Add(time.Hour)
	if v.Document.Type == "" {
		v.Document.Type, v.Document.Country = pages.IDCard, "DE"
	}
	w.memory.Put(w.link, v)
}

// ready is a verification that only needs to be sent.
func ready() pages.Verification {
	return pages.Verification{
		Consented: true, Described: true, Stored: []pages.Side{pages.Front, pages.Back, pages.Selfie},
		Document: pages.Document{Type: pages.IDCard, Country: "DE", Number: "TEST1", Expires: "2040-02-01"},
	}
}

func (w *world) send(method, path string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, values := range header {
		r.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

func (w *world) get(path string) *httptest.ResponseRecorder {
	return w.send(http.MethodGet, path, nil, nil)
}

func (w *world) post(step string, values url.Values) *httptest.ResponseRecorder {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return w.send(http.MethodPost, w.path+"/"+step, header, strings.NewReader(values.Encode()))
}

func (w *world) upload(side pages.Side, name, content string) *httptest.ResponseRecorder {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, field := range []struct{ name, content string }{{"", ""}, {name, content}} { // the camera's field is empty
		part, err := form.CreateFormFile("file", field.name)
		if err == nil {
			_, err = io.WriteString(part, field.content)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		w.t.Fatal(err)
	}
	return w.send(http.MethodPost, w.path+"/photo/"+string(side), http.Header{"Content-Type": {form.FormDataContentType()}}, &body)
}

// leads fails the test unless the answer leads back to the page, at a step when one is named.
func (w *world) leads(what string, answer *httptest.ResponseRecorder, step string) {
	w.t.Helper()
	want := w.path
	if step != "" {
		want += "?step=" + step
	}
	if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || got != want {
		w.t.Errorf("%s: %d to %q, want 303 to %q\n%s", what, answer.Code, got, want, answer.Body)
	}
}

// shows fails the test unless the page has the status and contains all words.
func (w *world) shows(what string, answer *httptest.ResponseRecorder, status int, words ...string) {
	w.t.Helper()
	if answer.Code != status {
		w.t.Errorf("%s: status %d, want %d", what, answer.Code, status)
	}
	for _, word := range words {
		if !strings.Contains(answer.Body.String(), word) {
			w.t.Errorf("%s: the page lacks %q\n%s", what, word, answer.Body)
		}
	}
}

func document(changes ...string) url.Values {
	v := url.Values{"type": {"ID_CARD"}, "country": {"DE"}, "number": {"TEST 1"}, "day": {"1"}, "month": {"2"}, "year": {"2040"}}
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
	}
	return v
}

func TestTheWholeFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.shows("the link", w.get(w.path), http.StatusOK, "Agree and start", "Partner &lt;script&gt;")
	w.shows("too early", w.get(w.path+"?step=review"), http.StatusOK, "Agree and start")
	w.leads("consent", w.post("consent", url.Values{"agree": {"yes"}}), "")
	w.shows("then", w.get(w.path), http.StatusOK, `value="ID_CARD" checked`, `value="DE" selected`)
	w.leads("document", w.post("document", document()), "")
	for _, side := range []pages.Side{pages.Front, pages.Back, pages.Selfie} {
		w.shows("then", w.get(w.path), http.StatusOK, "/photo/"+string(side))
		w.leads(string(side), w.upload(side, "a.jpg", "picture"), "")
	}
	w.shows("review", w.get(w.path), http.StatusOK, "TEST1", "2040-02-01", "Germany", "Send for verification")
	w.shows("an earlier step", w.get(w.path+"?step=document"), http.StatusOK, `value="TEST1"`, `value="2040"`)
	w.leads("keep a picture", w.upload(pages.Back, "", ""), "")
	w.leads("submit", w.post("submit", nil), "")
	w.shows("result", w.get(w.path), http.StatusOK, "We are checking your documents")
	if n := w.memory.Submitted(w.link); n != 1 {
		t.Errorf("%d checks began", n)
	}
}

func TestAPassportHasNoBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	v := ready()
	v.Stored = []pages.Side{pages.Front, pages.Back}
	w.put(v)
	w.leads("another kind of document", w.post("document", document("type", "PASSPORT")), "")
	w.shows("its pictures are asked for", w.get(w.path), http.StatusOK, "/photo/front", "the page with your photo")
	w.leads("back", w.upload(pages.Back, "a.jpg", "picture"), "")
	w.leads("front", w.upload(pages.Front, "a.jpg", "picture"), "")
	w.shows("then", w.get(w.path), http.StatusOK, "/photo/selfie")
}

// What is wrong stands beside its field, and nothing that was typed is lost.
func TestErrorsStandBesideTheirFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.shows("no consent", w.post("consent", nil), http.StatusUnprocessableEntity, `id="agree-error"`, "<title>Error: ")
	w.put(pages.Verification{Consented: true})
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	for field, wrong := range map[string][]url.Values{
		"type":    {document("type", ""), document("type", "LIBRARY_CARD")},
		"country": {document("country", ""), document("country", "KP")},
		"number":  {document("number", ""), document("number", "12"), document("number", `"><script>`), document("number", strings.Repeat("9", 41))},
		"expires": {
			document("day", ""), document("day", "31"), document("month", "13"), document("year", "31"), document("year", "x"), document("day", "-1"),
			document("day", yesterday.Format("2"), "month", yesterday.Format("1"), "year", yesterday.Format("2006")),
		},
		"mrz": {document("mrz", "P<UTO"), document("mrz", strings.Repeat("<<A", 99))},
	} {
		for _, values := range wrong {
			answer := w.post("document", values)
			w.shows(field+" "+values.Encode(), answer, http.StatusUnprocessableEntity, `id="`+field+`-error"`, `href="#`+field+`"`)
			if n := strings.Count(answer.Body.String(), `class="error"`); n != 1 {
				t.Errorf("%s: %d errors", values.Encode(), n)
			}
			if strings.Contains(answer.Body.String(), `"><script>`) {
				t.Error("what was typed is not escaped")
			}
		}
	}
	w.shows("typed", w.post("document", document("number", "AB-77", "day", "0")), http.StatusUnprocessableEntity, `value="AB-77"`, `value="0"`)
	w.leads("valid today", w.post("document", document("day", time.Now().UTC().Format("2"), "month", time.Now().UTC().Format("1"), "year", time.Now().UTC().Format("2006"))), "")
	w.leads("lines with spaces", w.post("document", document("mrz", " i<uto d23145890 \r\n<<\n")), "")
}

func TestPicturesAreRefusedInWordsForPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	v := ready()
	v.Stored = nil
	w.put(v)
	w.shows("none", w.upload(pages.Front, "", ""), http.StatusUnprocessableEntity, "Choose a picture first")
	w.shows("no picture", w.upload(pages.Front, "a.jpg", "bad"), http.StatusUnprocessableEntity, "JPEG, PNG or PDF", `id="file-error"`)
	w.shows("too large", w.upload(pages.Front, "a.jpg", strings.Repeat("x", 5_242_881)), http.StatusUnprocessableEntity, "larger than 5 MB")
	w.shows("far too large", w.upload(pages.Front, "a.jpg", strings.Repeat("x", 21<<20)), http.StatusUnprocessableEntity, "larger than 5 MB")
	w.leads("as large as may be", w.upload(pages.Front, "a.jpg", strings.Repeat("x", 5_242_880)), "")
	cut := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\nhalf"
	header := http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}
	w.shows("cut off", w.send(http.MethodPost, w.path+"/photo/back", header, strings.NewReader(cut)), http.StatusUnprocessableEntity, "interrupted")
	w.shows("no form", w.post("photo/back", nil), http.StatusUnprocessableEntity, "interrupted")
	w.leads("another kind of picture", w.upload("left", "a.jpg", "picture"), "")
	w.leads("one that is not its turn", w.upload(pages.Selfie, "a.jpg", "picture"), "")
}

// The second of two tabs sees what became of the first one's submission.
func TestSubmittingEndsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.put(pages.Verification{Consented: true})
	w.shows("incomplete", w.post("submit", nil), http.StatusUnprocessableEntity, "Something is still missing")
	w.put(ready())
	var answers [8]*httptest.ResponseRecorder
	done := make(chan int)
	for i := range answers {
		go func() {
			answers[i] = w.post("submit", nil)
			done <- i
		}()
	}
	for range answers {
		w.leads("submit", answers[<-done], "")
	}
	if n := w.memory.Submitted(w.link); n != 1 {
		t.Errorf("%d checks began", n)
	}
	w.leads("consent", w.post("consent", url.Values{"agree": {"yes"}}), "")
	w.leads("no consent", w.post("consent", nil), "")
	w.leads("document", w.post("document", document()), "")
	w.leads("wrong document", w.post("document", nil), "")
	w.leads("picture", w.upload(pages.Front, "a.jpg", "picture"), "")
	w.leads("no picture", w.upload(pages.Front, "", ""), "")
}

func TestResults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for want, v := range map[string]pages.Verification{
		"You are verified":                           {State: pages.Accepted},
		"We are checking your documents":             {State: pages.Checking},
		"We could not read your document":            {State: pages.Refused, Reason: "DOCUMENT_UNREADABLE"},
		"Your data could not be confirmed":           {State: pages.Refused, Reason: "HIGH_RISK"},
		"contact the support of Partner &lt;script&": {State: pages.Refused, Reason: "OF_ANOTHER_TIME"},
	} {
		w.put(v)
		w.shows(want, w.get(w.path), http.StatusOK, want)
	}
}

// Testers choose how a check ends; where money is real nobody does.
func TestOutcomesAreChosenInStagingOnly(t *testing.T) {
	t.Parallel()
	for _, staging := range []bool{true, false} {
		w := newWorld(t, staging)
		w.put(ready())
		page := w.get(w.path).Body.String()
		if strings.Contains(page, "REJECT-FACE_MISMATCH") != staging {
			t.Errorf("staging %v: the buttons", staging)
		}
		w.leads("submit", w.post("submit", url.Values{"outcome": {"REJECT-UNDERAGE"}}), "")
		if refused := strings.Contains(w.get(w.path).Body.String(), "at least 18"); refused != staging {
			t.Errorf("staging %v: refused %v", staging, refused)
		}
		v := ready()
		v.Stored = nil
		w.put(v)
		answer := w.post("photo/front?sample=yes", nil)
		if took := answer.Code == http.StatusSeeOther; took != staging {
			t.Errorf("staging %v: a sample is answered with %d", staging, answer.Code)
		}
	}
}

func TestUnknownLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for _, path := range []string{"/v1/kyc/verification/other/3f1c-secret", "/v1/kyc/verification/user%201/other", "/v1/kyc/verification/%ff/%2541"} {
		w.shows(path, w.get(path), http.StatusBadRequest, "This link is no longer valid")
		for _, accept := range []string{"application/json", "*/*", ""} {
			w.shows(path+" "+accept, w.send(http.MethodGet, path, http.Header{"Accept": {accept}}, nil), http.StatusBadRequest, `"errorCode":"P412"`)
		}
		w.shows(path, w.send(http.MethodPost, path+"/consent", nil, nil), http.StatusBadRequest, "This link is no longer valid")
	}
	w.shows("any program gets the page", w.send(http.MethodGet, w.path, http.Header{"Accept": {"*/*"}}, nil), http.StatusOK, "Agree and start")
	if answer := w.send(http.MethodHead, w.path, nil, nil); answer.Body.Len() > 0 {
		t.Error("HEAD has a body")
	}
}

func TestFailuresAreLoggedAndNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.put(ready())
	w.memory.Fail(errors.New("a wire is loose"))
	answer := w.get(w.path)
	w.shows("failure", answer, fault.UnknownException.Row().Status, "Something went wrong on our side")
	if strings.Contains(answer.Body.String(), "wire") || !strings.Contains(w.log.String(), "wire") {
		t.Errorf("log %s, page %s", w.log, answer.Body)
	}
	w.memory.Fail(fault.New(fault.UserSuspended))
	w.shows("blocked", w.get(w.path), http.StatusBadRequest, "Your account is blocked")
	if strings.Contains(w.log.String(), "secret") {
		t.Errorf("the link is in the log: %s", w.log)
	}
}

func TestPagesAreSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.put(ready())
	answer := w.get(w.path)
	for header, part := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'", "Referrer-Policy": "no-referrer",
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := answer.Header().Get(header); !strings.Contains(got, part) {
			t.Errorf("%s is %q", header, got)
		}
	}
	if cookie := answer.Header().Get("Set-Cookie"); cookie != "" {
		t.Errorf("a cookie: %s", cookie)
	}
	for _, inline := range []string{" style=", "<style", "onclick", "javascript:"} {
		if strings.Contains(answer.Body.String(), inline) {
			t.Errorf("the page has %s", inline)
		}
	}
	elsewhere := http.Header{"Sec-Fetch-Site": {"cross-site"}}
	w.shows("another site's form", w.send(http.MethodPost, w.path+"/submit", elsewhere, nil), http.StatusForbidden, "did not come from our page")
	if n := w.memory.Submitted(w.link); n != 0 {
		t.Error("another site submitted")
	}
}

// The pages are ready for languages that they do not have yet: whoever asks for one gets English.
func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for _, accept := range []string{"en-GB", "de, fr;q=0.5", "*", ";;", ""} {
		w.shows(accept, w.send(http.MethodGet, w.path, http.Header{"Accept-Language": {accept}}, nil), http.StatusOK, `lang="en"`)
	}
	// Each text is used somewhere: its key, or the beginning of it, stands in the code.
	text, err := os.ReadFile("texts/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]string
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range []string{"handler.go", "form.go", "view.go", "layout.templ", "steps.templ", "result.templ"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(source)
	}
	for key := range all {
		last := strings.LastIndex(strings.TrimSuffix(key, ".do"), ".")
		if !strings.Contains(code.String(), `"`+key+`"`) && !strings.Contains(code.String(), `"`+key[:last+1]+`"`) && !strings.Contains(code.String(), `".`+key[last+1:]+`"`) && !strings.Contains(code.String(), `"`+key[:strings.Index(key, ".")+1]+`"`) {
			t.Errorf("the text %s is not used", key)
		}
	}
}
