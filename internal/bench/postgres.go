//go:build linux

package bench

import (
	"context"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
)

// do runs one statement on the PostgreSQL server itself.
func (e *engine) do(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, e.admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// check fails early, and in words, when the server cannot be used.
func (e *engine) check(ctx context.Context) error {
	if err := e.do(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("the PostgreSQL server of the benchmark: %w", err)
	}
	return nil
}

// create makes a database and answers its URL; without a template it is empty.
func (e *engine) create(ctx context.Context, name, template string) (string, error) {
	if template == "" {
		template = "template0"
	}
	if err := e.do(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(template)); err != nil {
		return "", err
	}
	e.s.stop = append(e.s.stop, func() { _ = e.drop(context.WithoutCancel(ctx), name) }) // most are gone already
	u, err := url.Parse(e.admin)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

func (e *engine) drop(ctx context.Context, name string) error {
	return e.do(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
}

func quote(identifier string) string { return pgx.Identifier{identifier}.Sanitize() }
