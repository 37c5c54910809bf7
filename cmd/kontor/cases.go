package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"kontor/internal/app"
	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/compliance"
	"kontor/internal/db"
)

// casesCommand lets compliance officers work without the console.
type casesCommand struct {
	List   casesList   `cmd:"" help:"List compliance cases: those that wait, the longest waiting first; with --all, the newest first."`
	Show   casesShow   `cmd:"" help:"Show a case with what was found. The look is in the audit log."`
	Decide casesDecide `cmd:"" help:"Decide a case. With four eyes this proposes, and another officer confirms."`
}

type casesList struct {
	store
	Partner *int64 `help:"Only those of this partner's users."`
	All     bool   `help:"Decided ones too."`
	Limit   int    `help:"How many at most." default:"50"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

type listedCase struct {
	ID      string  `json:"id"`
	Partner string  `json:"partner"`
	User    *string `json:"externalUserId"`
	State   string  `json:"state"`
	Score   int64   `json:"score"`
	Opened  *string `json:"openedAt"`
	Closed  *string `json:"closedAt"`
}

// Run prints one line for each case.
func (c casesList) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	return c.reading(ctx, log, func(a *app.App) error {
		rows := [][]string{{"ID", "PARTNER", "USER", "STATE", "SCORE", "OPENED", "CLOSED"}}
		listed := []listedCase{}
		err := a.DB.View(ctx, func(r db.Reader) error {
			all, err := compliance.List(r, compliance.Filter{Partner: orAll(c.Partner), Open: !c.All, Limit: c.Limit})
			if err != nil {
				return err
			}
			for _, x := range all {
				name, err := customer(r, x.Partner, x.User)
				if err != nil {
					return err
				}
				partner := strconv.FormatInt(x.Partner, 10)
				rows = append(rows, []string{
					x.ID.String(), partner, shown(name), string(x.State), strconv.FormatInt(x.Score, 10), when(x.OpenedAt), when(x.ClosedAt),
				})
				listed = append(listed, listedCase{
					x.ID.String(), partner, name, string(x.State), x.Score, jsonTime(x.OpenedAt), jsonTime(x.ClosedAt),
				})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, listed)
		}
		return printTable(out, rows...)
	})
}

// oneCase names a case.
type oneCase struct {
	store
	ID string `arg:"" help:"Id of the case."`
}

func (c oneCase) id() (clock.ID, error) {
	id, err := clock.ParseID(c.ID)
	if err != nil {
		return clock.ID{}, fmt.Errorf("%q is not the id of a case; kontor cases list shows them", c.ID)
	}
	return id, nil
}

type casesShow struct {
	oneCase
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the case. Looking at a person is an entry of the audit log, as it is in the console.
func (c casesShow) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	return c.with(ctx, log, func(a *app.App) error {
		var found compliance.Case
		err := a.DB.Update(ctx, func(tx *db.Tx) (err error) {
			if found, err = a.Compliance.Find(tx, id); err != nil {
				return err
			}
			return audit.Write(tx, audit.Entry{
				Actor: audit.Actor(ctx), Action: "case.view", Partner: found.Partner, Object: c.ID,
				Details: map[string]string{"user": found.User.String()},
			})
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, jsonCase(found))
		}
		return printCase(out, found)
	})
}

type shownCase struct {
	ID         string           `json:"id"`
	Partner    string           `json:"partner"`
	User       string           `json:"userId"`
	State      string           `json:"state"`
	Score      int64            `json:"score"`
	Opened     *string          `json:"openedAt"`
	Closed     *string          `json:"closedAt"`
	Screenings []shownScreening `json:"screenings"`
	Decisions  []shownDecision  `json:"decisions"`
}

type shownScreening struct {
	Number      int64                `json:"number"`
	Cause       string               `json:"cause"`
	At          *string              `json:"at"`
	ListVersion string               `json:"listVersion"`
	Names       []compliance.Name    `json:"names"`
	BirthDate   string               `json:"birthDate"`
	Countries   compliance.Countries `json:"countries"`
	Findings    []compliance.Finding `json:"findings"`
	Erased      bool                 `json:"erased"`
}

type shownDecision struct {
	Verdict    string  `json:"verdict"`
	Final      bool    `json:"final"`
	Officer    string  `json:"officer"`
	ProposedBy string  `json:"proposedBy,omitempty"`
	Reason     string  `json:"reason"`
	At         *string `json:"at"`
	Void       bool    `json:"void,omitempty"` // something was found afterwards
}

func jsonDecision(d compliance.Decided) shownDecision {
	return shownDecision{
		Verdict: string(d.Verdict), Final: d.Final, Officer: d.Officer, ProposedBy: d.ProposedBy, Reason: d.Reason, At: jsonTime(d.At),
	}
}

func jsonCase(c compliance.Case) shownCase {
	out := shownCase{
		ID: c.ID.String(), Partner: strconv.FormatInt(c.Partner, 10), User: c.User.String(), State: string(c.State), Score: c.Score,
		Opened: jsonTime(c.OpenedAt), Closed: jsonTime(c.ClosedAt), Screenings: []shownScreening{}, Decisions: []shownDecision{},
	}
	for _, s := range c.Findings {
		out.Screenings = append(out.Screenings, shownScreening{
			s.Number, string(s.Cause), jsonTime(s.At), s.ListVersion, s.Names, s.BirthDate, s.Countries, s.Findings, s.Erased,
		})
	}
	for _, d := range c.Decisions {
		said := jsonDecision(d)
		said.Void = c.Void(d)
		out.Decisions = append(out.Decisions, said)
	}
	return out
}

func printCase(out io.Writer, c compliance.Case) error {
	err := printTable(out, []string{"case", c.ID.String()}, []string{"partner", strconv.FormatInt(c.Partner, 10)},
		[]string{"user", c.User.String()}, []string{"state", string(c.State)}, []string{"score", strconv.FormatInt(c.Score, 10)},
		[]string{"opened", when(c.OpenedAt)}, []string{"closed", when(c.ClosedAt)})
	for _, s := range c.Findings {
		var names []string
		for _, n := range s.Names {
			names = append(names, strings.TrimSpace(n.First+" "+n.Last))
		}
		_, printErr := fmt.Fprintf(out, "\n%d. %s at %s, with %s\n%s, born %s\n", s.Number, s.Cause, when(s.At), orDash(s.ListVersion),
			orDash(strings.Join(names, " / ")), orDash(s.BirthDate))
		err = errors.Join(err, printErr, printFindings(out, s.Findings))
	}
	for _, d := range c.Decisions {
		kind := "proposed"
		if d.Final {
			kind = "decided"
		} else if c.Void(d) {
			kind = "proposed before the newest finding, and so in vain,"
		}
		_, printErr := fmt.Fprintf(out, "\n%s %s by %s at %s: %s\n", d.Verdict, kind, d.Officer, when(d.At), d.Reason)
		err = errors.Join(err, printErr)
	}
	if c.State == compliance.Open {
		_, printErr := fmt.Fprintf(out, "\nTo decide on this: %s\n", decideLine(c, "OK|REJECTED"))
		err = errors.Join(err, printErr)
	}
	return err
}

// decideLine is how an officer who sees a case decides it.
func decideLine(c compliance.Case, verdict string) string {
	return fmt.Sprintf("kontor cases decide %s %s --seen %d --reason WHY", c.ID, verdict, c.Found)
}

type casesDecide struct {
	oneCase
	person
	Verdict string `arg:"" help:"OK or REJECTED." enum:"OK,REJECTED"`
	Seen    int64  `help:"Number of the last finding that 'cases show' printed: what was found since is not decided unseen." required:""`
	Reason  string `help:"Why; kept for ever, and shown to officers only." required:""`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run decides, or proposes.
func (c casesDecide) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	return c.with(ctx, log, func(a *app.App) error {
		decided, err := a.Compliance.Decide(ctx, compliance.Decision{
			Case: id, Seen: c.Seen, Officer: c.name(ctx), Verdict: compliance.Verdict(c.Verdict), Reason: c.Reason,
		})
		if errors.Is(err, compliance.ErrFoundSince) {
			return fmt.Errorf("%w; nothing was stored: kontor cases show %s", err, c.ID)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out, map[string]string{"id": c.ID, "state": string(decided.State)})
		}
		if decided.State == compliance.Open {
			_, err = fmt.Fprintf(out, "%s proposed; another officer looks at the case and confirms: %s\n", c.Verdict, decideLine(decided, c.Verdict))
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", decided.State)
		return err
	})
}
