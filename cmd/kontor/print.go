package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"kontor/internal/clock"
)

func printJSON(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) }

// printTable prints rows for people, in aligned columns; the first row has their names.
func printTable(out io.Writer, rows ...[]string) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printable is a text that moves no cursor and turns no line around, whoever wrote it: signs that cannot be printed become
// U+FFFD, but for the joiners that some scripts need.
func printable(text string) string {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) || c == nonJoiner || c == joiner {
			return c
		}
		return unicode.ReplacementChar
	}, text)
}

// when writes a time for people; zero is never.
func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// jsonTime writes a time as the API does; zero is null.
func jsonTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := clock.Format(t)
	return &text
}

// orDash keeps an empty cell visible.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
