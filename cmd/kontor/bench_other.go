//go:build !linux

package main

import "errors"

// benchCommand measures processor time and memory by /proc.
type benchCommand struct{}

// Run refuses.
func (benchCommand) Run() error { return errors.New("kontor bench runs on Linux only") }
