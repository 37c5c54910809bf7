package partner_test

import (
	"slices"
	"strings"
	"testing"

	"kontor/internal/audit"
	"kontor/internal/db"
)

// wantAudit compares what the audit log has about a partner, the oldest first, as "actor action object details".
func wantAudit(t *testing.T, d *db.DB, partner int64, want ...string) {
	t.Helper()
	var got []string
	err := d.View(t.Context(), func(r db.Reader) error {
		entries, err := audit.List(r, audit.Filter{Partner: &partner}, 1000, 0)
		for _, e := range slices.Backward(entries) {
			got = append(got, strings.Join([]string{e.Actor, e.Action, e.Object, e.Details}, " "))
		}
		return err
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the audit log has\n  %s\nwant\n  %s\n%v", strings.Join(got, "\n  "), strings.Join(want, "\n  "), err)
	}
}
