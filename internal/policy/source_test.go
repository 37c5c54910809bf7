package policy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// module is the module's path; imports that begin with it are our own.
const module = "kontor/"

// tree is the repository's source.
type tree struct {
	files []*file
	fset  *token.FileSet
}

// file is one text file of the repository.
type file struct {
	path      string // from the repository's root, with slashes
	text      string
	generated bool
	syntax    *ast.File // nil unless it is Go
}

func (f *file) dir() string { return path.Dir(f.path) }

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// handwritten returns the Go files that people wrote; with tests or without.
func (t *tree) handwritten(tests bool) []*file {
	var files []*file
	for _, f := range t.files {
		if f.syntax != nil && !f.generated && (tests || !f.isTest()) {
			files = append(files, f)
		}
	}
	return files
}

// at words a violation: where, what is wrong, and what to do.
func (t *tree) at(f *file, pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.path, t.fset.Position(pos).Line, fmt.Sprintf(format, args...))
}

var (
	skippedFolders  = []string{"node_modules", "vendor", "bin", "dist", "testdata"}
	hiddenFolders   = []string{".", ".ci"} // the only ones with a leading dot that hold source
	textFiles       = []string{".go", ".md", ".yaml", ".yml", ".json", ".sql", ".sh", ".ts", ".css", ".html", ".templ", ".mod", ".conf"}
	textNames       = []string{"Makefile", "run"}
	machineFiles    = []string{"package-lock.json"}
	generatedHeader = regexp.MustCompile(`(?m)^(//|--|#) Code generated .* DO NOT EDIT\.$`)
)

// load reads the repository at root.
func load(root fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && !holdsSource(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !isText(entry.Name()):
			return nil
		}
		return t.add(root, name)
	})
	return t, err
}

func holdsSource(folder string) bool {
	if strings.HasPrefix(folder, ".") {
		return slices.Contains(hiddenFolders, folder)
	}
	return !slices.Contains(skippedFolders, folder)
}

func isText(name string) bool {
	return !slices.Contains(machineFiles, name) &&
		(slices.Contains(textNames, name) || slices.Contains(textFiles, path.Ext(name)))
}

func (t *tree) add(root fs.FS, name string) error {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	f := &file{path: name, text: string(text), generated: generatedHeader.Match(text)}
	if path.Ext(name) == ".go" {
		f.syntax, err = parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f.generated = ast.IsGenerated(f.syntax)
	}
	t.files = append(t.files, f)
	return nil
}
