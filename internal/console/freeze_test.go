package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kontor/internal/console"
	"kontor/internal/console/consoletest"
	"kontor/internal/db"
	"kontor/internal/user"
)

func TestAScreeningsFreezeCanBeKept(t *testing.T) {
	t.Parallel()
	d := consoletest.New(t, nil)
	u := d.User("user-1", person)
	review := "/console/cases/" + d.Case(u, person, hit).String()
	err := d.App.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := d.App.API.Users.FreezeForReview(tx, u.Partner, u.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v := (&visitor{T: t, desk: d}).as(d.Officer("ann", console.Compliance))
	path := fmt.Sprintf("/console/users/%d/%s", u.Partner, u.ID)
	if page := v.get(path).body; !strings.Contains(page, "Keep frozen") || !strings.Contains(page, user.ForReview[:20]) {
		t.Error("the freeze of a screening cannot be kept")
	}
	if got := v.post(path+"/freeze", "reason", user.ForReview); got.status != http.StatusBadRequest {
		t.Errorf("a person's freeze passes for a screening's: %d", got.status)
	}
	if got := v.post(path+"/freeze", "reason", "Asked for by a court."); got.status != http.StatusSeeOther {
		t.Errorf("keeping the freeze answers %d", got.status)
	}
	if page := v.get(path).body; strings.Contains(page, "Keep frozen") || !strings.Contains(page, "Asked for by a court.") {
		t.Error("the page does not tell who keeps the user frozen")
	}
	if page := v.get(review).body; !strings.Contains(page, "frozen by a person, whatever the decision") {
		t.Error("the case does not tell that its decision lifts no freeze")
	}
}
