package db_test

import (
	"strings"
	"testing"

	"kontor/internal/db"
)

var (
	growing = []string{
		`CREATE TABLE growing (partner_id BIGINT, id BIGINT, status TEXT, PRIMARY KEY (partner_id, id))`,
		`CREATE INDEX growing_pending ON growing (id) WHERE status = 'PENDING'`,
		`CREATE TABLE growing_step (partner_id BIGINT, of_id BIGINT, step BIGINT, PRIMARY KEY (partner_id, of_id, step))`,
		`INSERT INTO growing SELECT 1, n, 'DONE' FROM generate_series(1, 1000) AS n`,
		`ANALYZE growing`,
		`ANALYZE growing_step`,
	}
	endGrowing  = db.NewUpdate("growing", "partner_id bigint, id bigint", "status text", "growing.status = 'PENDING'")
	listGrowing = `SELECT g.id, COUNT(s.step) FROM growing g
		LEFT JOIN growing_step s ON s.partner_id = g.partner_id AND s.of_id = g.id
		WHERE g.partner_id = $1 AND g.id IN ($2, $3, $4) GROUP BY g.id`
)

// What PostgreSQL last heard of a table may be long past, and its plans stay. Rows that are named are looked up one by
// one, whatever it believes of all of them: that none is pending, or that the other table is empty.
func TestRowsAreFoundByTheirKeys(t *testing.T) {
	t.Parallel()
	d := openPostgres(t)
	for _, text := range growing {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(db.NewCommand(text))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		text string
		args []any
		key  string
	}{
		"a list with what belongs to each": {listGrowing, []any{1, 2, 3, 4}, "growing_step_pkey"},
		"a set of rows under a guard":      {db.SetText(endGrowing), []any{"{1,1,1}", "{2,3,4}", "{DONE,DONE,DONE}"}, "growing_pkey"},
	} {
		var plan []string
		err := d.View(t.Context(), func(r db.Reader) error {
			plan = nil
			rows := r.Rows(db.NewQuery("EXPLAIN "+c.text), c.args...)
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					return err
				}
				plan = append(plan, line)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(name, err)
		}
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, "using "+c.key) || strings.Contains(text, "Join Filter") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}
