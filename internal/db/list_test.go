package db_test

import (
	"slices"
	"testing"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/db/dbtest"
)

var (
	insertListed = db.NewInsert("directory", "kind text, key text, partner_id bigint, object_id uuid")
	selectListed = db.NewQuery(`SELECT object_id FROM directory WHERE kind = $1 AND object_id IN (` + db.List(2) + `)`)
)

func TestListsOfAnyLength(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var all []clock.ID
		for range 130 {
			all = append(all, clock.NewID())
		}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			for _, id := range all {
				tx.Write(insertListed, "list", id.String(), 1, id)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 49, 50, 51, 100, 130} {
			var got []clock.ID
			err := d.View(t.Context(), func(r db.Reader) error {
				for _, args := range db.Lists(all[:n], "list") {
					rows := r.Rows(selectListed, args...)
					for rows.Next() {
						var id clock.ID
						if err := rows.Scan(&id); err != nil {
							return err
						}
						got = append(got, id)
					}
					if err := rows.Err(); err != nil {
						return err
					}
				}
				return nil
			})
			slices.SortFunc(got, func(a, b clock.ID) int { return slices.Compare(a[:], b[:]) })
			if err != nil || !slices.Equal(got, all[:n]) {
				t.Errorf("of %d rows %d are found: %v", n, len(got), err)
			}
		}
	})
}
