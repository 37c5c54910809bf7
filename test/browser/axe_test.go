package browser

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// axe is the source of axe-core, from the npm packages of tools.
var axe = sync.OnceValues(func() (string, error) {
	const target = "tools/node_modules/.package-lock.json"
	if out, err := exec.Command("make", "--no-print-directory", "-C", "../..", target).CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm packages of tools/package.json: %w\n%s", err, out)
	}
	source, err := os.ReadFile("../../tools/node_modules/axe-core/axe.min.js")
	return string(source), err
})

// violation is what axe-core says of a page.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML string `json:"html"`
		Why  string `json:"failureSummary"`
	} `json:"nodes"`
}

// judge asks axe-core about the page: WCAG 2.2 AA and its best practices (headings, landmarks, labels, contrast).
func (b *tab) judge() {
	b.t.Helper()
	source, err := axe()
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(ignore(chromedp.Evaluate[bool](source + ";true")))
	found := run(b, chromedp.Evaluate[[]violation](`
		axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
			.then(r => r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))})))`,
		chromedp.EvalAwaitPromise))
	for _, v := range found {
		for _, n := range v.Nodes {
			b.t.Errorf("axe-core, %s: %s\n%s\n%s", v.ID, v.Help, n.HTML, strings.TrimSpace(n.Why))
		}
	}
}
