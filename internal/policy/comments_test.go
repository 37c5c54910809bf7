package policy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// checkPackageComments wants one comment per package that begins as go doc expects.
func checkPackageComments(t *tree) []string {
	type pkg struct{ dir, name string }
	commented := map[pkg]bool{}
	first := map[pkg]*file{}
	var order []pkg
	for _, f := range t.files {
		if f.syntax == nil {
			continue
		}
		p := pkg{f.dir(), strings.TrimSuffix(f.syntax.Name.Name, "_test")}
		if first[p] == nil {
			first[p] = f
			order = append(order, p)
		}
		start := "Package " + p.name + " "
		if p.name == "main" {
			start = "Command "
		}
		commented[p] = commented[p] || strings.HasPrefix(f.syntax.Doc.Text(), start)
	}
	var found []string
	for _, p := range order {
		if commented[p] {
			continue
		}
		start := "Package " + p.name
		if p.name == "main" {
			start = "Command NAME"
		}
		f := first[p]
		found = append(found, t.at(f, f.syntax.Package, "package %s has no comment: say above a package clause what it is for, beginning with %q", p.name, "// "+start+" …"))
	}
	return found
}

// selfExplaining are methods whose meaning an interface of the standard library fixes.
var selfExplaining = []string{"Error", "Unwrap", "String", "MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "ServeHTTP"}

// checkDocComments wants a comment on everything exported.
func checkDocComments(t *tree) []string {
	var found []string
	for _, f := range t.handwritten(false) {
		for _, decl := range f.syntax.Decls {
			for _, name := range undocumented(decl) {
				found = append(found, t.at(f, name.Pos(), "exported %s has no comment: say what it does, its units and errors, and the standard it follows", name.Name))
			}
		}
	}
	return found
}

func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		method := d.Recv != nil
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !(method && slices.Contains(selfExplaining, d.Name.Name)) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil && (d.Tok != token.TYPE || !d.Lparen.IsValid()) {
			return nil // one comment serves a group of constants or variables, but not a group of types
		}
		var names []*ast.Ident
		for _, spec := range d.Specs {
			names = append(names, undocumentedSpec(spec)...)
		}
		return names
	}
	return nil
}

func undocumentedSpec(spec ast.Spec) []*ast.Ident {
	var candidates, names []*ast.Ident
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Doc == nil && s.Comment == nil {
			candidates = []*ast.Ident{s.Name}
		}
	case *ast.ValueSpec:
		if s.Doc == nil && s.Comment == nil {
			candidates = s.Names
		}
	}
	for _, name := range candidates {
		if name.IsExported() {
			names = append(names, name)
		}
	}
	return names
}

// exportedReceiver tells whether the declaration is a function, or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		name, ok := n.(*ast.Ident)
		exported = exported || ok && name.IsExported()
		return !ok && !exported
	})
	return exported
}

func TestPackageCommentRule(t *testing.T) {
	t.Parallel()
	testRule(t, checkPackageComments, []example{
		{"in one of two files", map[string]string{"a/a.go": "package a", "a/b.go": "// Package a is for all.\npackage a"}, nil},
		{"missing", map[string]string{"a/a.go": "package a", "a/b.go": "package a"}, []string{"package a has no comment"}},
		{"not as go doc expects", map[string]string{"a/a.go": "// For all.\npackage a"}, []string{`"// Package a …"`}},
		{"detached", map[string]string{"a/a.go": "// Package a is for all.\n\npackage a"}, []string{"package a"}},
		{"outer tests belong to their package", map[string]string{"a/a.go": "// Package a is for all.\npackage a", "a/a_test.go": "package a_test"}, nil},
		{"tests alone", map[string]string{"a/a_test.go": "package a"}, []string{"a/a_test.go:1"}},
		{"command", map[string]string{"cmd/x/main.go": "// Command x runs.\npackage main"}, nil},
		{"command without", map[string]string{"cmd/x/main.go": "package main"}, []string{"Command NAME"}},
	})
}

func TestDocCommentRule(t *testing.T) {
	t.Parallel()
	in := func(code string) map[string]string { return map[string]string{"a/a.go": "package a\n" + code} }
	testRule(t, checkDocComments, []example{
		{"function", in("func F() {}"), []string{"a/a.go:2: exported F"}},
		{"commented function", in("// F does.\nfunc F() {}"), nil},
		{"own function", in("func f() {}"), nil},
		{"method", in("// T is.\ntype T struct{}\nfunc (t *T) M() {}"), []string{"exported M"}},
		{"method of a standard interface", in("// T is.\ntype T struct{}\nfunc (t *T) Error() string { return \"\" }"), nil},
		{"function of such a name", in("func Error() {}"), []string{"exported Error"}},
		{"method of a generic type", in("// T is.\ntype T[k any] struct{}\nfunc (t *T[k]) M() {}"), []string{"exported M"}},
		{"method of an own type", in("type t struct{}\nfunc (t) M() {}"), nil},
		{"type", in("type T struct{}"), []string{"exported T"}},
		{"types in a group", in("// Types.\ntype (\n// A is.\nA int\nB int\n)"), []string{"exported B"}},
		{"constants under one comment", in("// Colours.\nconst (\nA = 1\nB = 2\n)"), nil},
		{"constants without", in("const (\nA = 1 // is one\nB, c = 2, 3\n)"), []string{"exported B"}},
		{"variable", in("var V int"), []string{"exported V"}},
		{"generated", map[string]string{"a/a.go": "// Code generated by a tool. DO NOT EDIT.\n\npackage a\nvar V int"}, nil},
		{"test", map[string]string{"a/a_test.go": "package a\nfunc TestA() {}"}, nil},
	})
}
