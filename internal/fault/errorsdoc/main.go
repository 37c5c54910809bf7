// Command errorsdoc writes docs/errors.md from the error table. It is run by "go generate ./internal/fault",
// in that package's folder.
package main

import (
	"log"
	"os"
	"path/filepath"

	"kontor/internal/fault"
)

func main() {
	page := filepath.Join("..", "..", "docs", "errors.md")
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(page, []byte(fault.Page()), 0o644); err != nil {
		log.Fatal(err)
	}
}
