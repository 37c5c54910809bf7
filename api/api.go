// Package api holds the contract of the Partner API, openapi.yaml, so that the program carries the very
// document it answers by.
package api

import _ "embed"

// OpenAPI is the contract: an OpenAPI 3.1 document in YAML. Treat it as read-only.
//
//go:embed openapi.yaml
var OpenAPI []byte
