package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"kontor/internal/app"
)

// verifyCommand checks the invariants.
type verifyCommand struct {
	place
	JSON bool `name:"json" help:"Print JSON."`
}

// verdict is what verify prints as JSON.
type verdict struct {
	OK         bool     `json:"ok"`
	Violations []string `json:"violations"`
}

// Run prints every violation; the exit status is 1 when there is any.
func (c verifyCommand) Run(ctx context.Context, out io.Writer) error {
	d, err := c.open(ctx)
	if err != nil {
		return err
	}
	violations, err := app.Verify(ctx, d)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	if err := c.print(out, violations); err != nil {
		return err
	}
	if len(violations) > 0 {
		return exitStatus(1)
	}
	return nil
}

func (c verifyCommand) print(out io.Writer, violations []string) (err error) {
	switch {
	case c.JSON:
		return printJSON(out, verdict{len(violations) == 0, append([]string{}, violations...)})
	case len(violations) == 0:
		_, err = fmt.Fprintln(out, "ok: I1, I2, I3, I4, I8, I11 and I12 hold; the audit log is whole")
		return err
	}
	for _, v := range violations {
		if _, err := fmt.Fprintln(out, v); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%d violations\n", len(violations))
	return err
}
