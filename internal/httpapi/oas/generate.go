// Package oas is the wire of the Partner API in Go: the types of requests and answers, the interface that
// handlers implement, the router in front of it, and a client. It is generated from api/openapi.yaml; only
// what the generator cannot say is written by hand.
package oas

//go:generate go run ./generate
