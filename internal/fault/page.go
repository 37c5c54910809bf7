package fault

import (
	"fmt"
	"net/http"
	"strings"
)

// Page returns the documentation page of all errors, in Markdown. docs/errors.md is this text.
func Page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, r := range Rows() {
		name := r.Name
		if name == "" {
			name = "–"
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %d |\n", r.Code, strings.ToLower(string(r.Code)), name, r.Status)
	}
	for _, r := range Rows() {
		fmt.Fprintf(&b, "\n## %s\n\n", r.Code)
		if r.Name != "" {
			fmt.Fprintf(&b, "`%s` · ", r.Name)
		}
		fmt.Fprintf(&b, "HTTP %d %s\n\n", r.Status, http.StatusText(r.Status))
		fmt.Fprintf(&b, "> %s\n\n", r.Message)
		fmt.Fprintf(&b, "**When:** %s\n\n**What to do:** %s\n", r.When, r.Fix)
	}
	return b.String()
}

const pageHead = `<!-- Made from the table in internal/fault by "go generate ./internal/fault". Do not edit. -->

# Errors

Every error is a JSON object with a code, a name and a message:

` + "```json" + `
{"errorCode": "P424", "errorName": "source-or-destination-required", "errorMessage": "Source or destination must be provided."}
` + "```" + `

Decide by ` + "`errorCode`" + `. Messages are for people and can become clearer with time; below stands the usual one. The
validation error P403 has no name and lists everything that is wrong with the request; P409 adds ` + "`objectId`" + ` when
the earlier request made an object. With ` + "`Accept: application/problem+json`" + ` the same members come inside problem details
(RFC 9457). Every answer carries ` + "`X-Request-Id`" + `: name it when you ask for help.

A request that several things are wrong with gets the first of P401, P429, P403, P424, P412, P455, P459, P462, P410,
P413, P430, P433. Another partner's object is answered like one that does not exist.

| code | name | HTTP status |
|---|---|---|
`
