package console

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Fact is a thing to know about the deployment.
type Fact struct{ Name, Value string }

func (c *console) showSystem(w http.ResponseWriter, r *http.Request) error {
	facts, err := c.System(r.Context())
	if err != nil {
		return err
	}
	c.render(w, r, http.StatusOK, systemPage(c.frame(r, systemSection, systemSection), facts))
	return nil
}

func (c *console) showOfficers(w http.ResponseWriter, r *http.Request) error {
	return c.officersAgain(w, r, http.StatusOK, "")
}

// officersAgain shows the officers, with what could not be done.
func (c *console) officersAgain(w http.ResponseWriter, r *http.Request, status int, why string) error {
	all, err := c.Accounts.List(r.Context())
	if err != nil {
		return err
	}
	f := c.frame(r, officersSection, officersSection)
	if f.problem = why; why != "" {
		f.done = ""
	}
	c.render(w, r, status, officersPage(f, all))
	return nil
}

// disableOfficer keeps another officer out.
func (c *console) disableOfficer(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "name")
	if name == officer(r).Name {
		return c.officersAgain(w, r, http.StatusConflict, "You cannot disable yourself.")
	}
	all, err := c.Accounts.List(r.Context())
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Name != name {
			continue
		}
		if !a.DisabledAt.IsZero() {
			break
		}
		if err := c.Accounts.Disable(r.Context(), name); err != nil {
			return err
		}
		see(w, r, Root+"/officers?done=disabled")
		return nil
	}
	return c.officersAgain(w, r, http.StatusConflict, "There is no such officer who could be disabled.")
}

// state tells whether an officer can sign in.
func (a Account) state() string {
	switch {
	case !a.DisabledAt.IsZero():
		return "disabled"
	case !a.Ready:
		return "not set up"
	}
	return "active"
}
