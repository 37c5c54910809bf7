package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/document/documenttest"
)

const (
	uploadsAtOnce = 200
	uploadBudget  = 150 << 20 // bytes of resident memory
	uploadSize    = 5_242_880
)

// BenchmarkUploads sends 200 files of 5 MiB at once to a sandbox that is a process of its own, waits until each was
// judged, and reports the most memory that was ever resident, which must stay within the budget. A quarter each are
// photos, PDFs, photos of 24 megapixels, and PNGs that take as much memory as a picture may when it is decoded. It needs
// Linux, which tells the figure.
//
//	go test ./test/bench -bench Uploads -benchtime 1x
func BenchmarkUploads(b *testing.B) {
	folder := b.TempDir()
	program := filepath.Join(folder, "kontor")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "kontor/cmd/kontor").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	data := filepath.Join(folder, "data")
	ctx, stop := context.WithCancel(b.Context())
	sandbox := exec.CommandContext(ctx, program, "sandbox", "--data", data, "--listen", "127.0.0.1:0")
	sandbox.Stderr = io.Discard
	if err := sandbox.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stop(); _ = sandbox.Wait() }) // killed by stop
	url, key := credentials(b, filepath.Join(data, "sandbox.json"))
	files := [][]byte{
		filled(documenttest.JPEG(b, documenttest.Picture(1600, 1200))), pdfOf(uploadSize),
		filled(documenttest.JPEG(b, documenttest.Picture(6000, 4000))), filled(documenttest.PNG(b, documenttest.Picture(3000, 3100))),
	}
	for round := range b.N {
		var all sync.WaitGroup
		for i := range uploadsAtOnce {
			name := fmt.Sprintf("upload-%d-%d", round, i)
			create(b, url, key, name)
			all.Go(func() {
				if err := send(url, key, name, files[i%len(files)]); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
	}
	awaitJudged(b, url, key)
	peak := peakMemory(b, sandbox.Process.Pid)
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	if peak > uploadBudget {
		b.Errorf("%d MiB were resident, the budget is %d", peak>>20, uploadBudget>>20)
	}
}

// filled is a picture with so much behind it, which is read and left out, that it is as large as a file may be.
func filled(picture []byte) []byte { return append(picture, make([]byte, uploadSize-len(picture))...) }

// awaitJudged waits until the newest uploads were judged, none of them as of no use.
func awaitJudged(b *testing.B, url, key string) {
	b.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s/v1/events?event=kyc-file-added&limit=%d", url, uploadsAtOnce), nil)
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("x-api-key", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		var found struct{ Events []struct{ ID string } }
		err = json.NewDecoder(response.Body).Decode(&found)
		response.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		if len(found.Events) == uploadsAtOnce {
			return
		}
		<-tick.C
	}
	b.Fatal("the files were not judged")
}

// pdfOf is a PDF of a length.
func pdfOf(length int) []byte {
	text := documenttest.PDF(documenttest.Pages(1)...)
	filler := bytes.Repeat([]byte("% nothing to see here\n"), length/22+1)
	begin := bytes.IndexByte(text, '\n') + 1
	return append(append(bytes.Clone(text[:begin]), filler[len(filler)-(length-len(text)):]...), text[begin:]...)
}

// credentials waits until the sandbox has written where it is.
func credentials(b *testing.B, path string) (url, key string) {
	b.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		var found struct{ BaseURL, APIKey string }
		text, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(text, &found) == nil {
			return found.BaseURL, found.APIKey
		}
		<-tick.C
	}
	b.Fatal("the sandbox did not start")
	return "", ""
}

func create(b *testing.B, url, key, name string) {
	b.Helper()
	body := fmt.Sprintf(`{"externalUserId":%q,"email":"test@example.com","phone":"+37060000000","firstName":"Test","lastName":"User",
		"street":"Test Street","number":"1","city":"Vilnius","postCode":"LT-01100","country":"LT","citizenship":"LT","nationality":"LT",
		"birthCountry":"LT","birthDate":"1990-01-31","hasAcceptedP100Tc":true}`, name)
	if err := call(url+"/v1/user/balances/crypto-and-fiat", key, "application/json", strings.NewReader(body)); err != nil {
		b.Fatal(err)
	}
}

func send(url, key, name string, content []byte) error {
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	if _, err := form.CreateFormFile("files", "front.jpg"); err != nil {
		return err
	}
	tail := "\r\n--" + form.Boundary() + "--\r\n"
	return call(url+"/v1/user/kyc-files/"+name, key, form.FormDataContentType(), io.MultiReader(&head, bytes.NewReader(content), strings.NewReader(tail)))
}

func call(url, key, kind string, body io.Reader) error {
	request, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return err
	}
	request.Header.Set("x-api-key", key)
	request.Header.Set("Content-Type", kind)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return err
}

// peakMemory is the most memory, in bytes, that a process ever had resident.
func peakMemory(b *testing.B, pid int) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("this system does not tell a process's memory")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib << 10
		}
	}
	b.Fatal("the figure is not there")
	return 0
}
