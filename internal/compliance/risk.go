package compliance

import (
	"context"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/job"
)

// riskSource is under what the countries of high risk are noted among the lists.
const riskSource = "risk"

// RiskVersion tells which countries of high risk a node knows.
type RiskVersion struct {
	Date      string // of the newest list that they are from, YYYY-MM-DD
	Hash      string // of the countries, in hexadecimal
	Countries int
}

// version names them in results; empty when there are none.
func (v RiskVersion) version() string {
	if v.Hash == "" {
		return ""
	}
	return Watchlist{Source: riskSource, Date: v.Date, Hash: v.Hash}.Version()
}

func joinVersions(lists, risk string) string {
	if lists == "" || risk == "" {
		return lists + risk
	}
	return lists + "; " + risk
}

// UseRisk notes which countries are of high risk, and when they are others than before, has all users rated again. Of
// nodes that know different ones, the newer date counts, and the other node is told in its log. Call it when a node
// starts to serve.
func (s *Service) UseRisk(ctx context.Context) error {
	if s.Risk.Hash == "" {
		return nil
	}
	anybody, err := s.population.Next(ctx, Position{}, 1)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		lists, err := newest(tx)
		if err != nil {
			return err
		}
		l := Watchlist{
			ID: clock.NewID(), Source: riskSource, Format: "countries of high risk", Date: s.Risk.Date, Hash: s.Risk.Hash,
			Entities: int64(s.Risk.Countries), ImportedAt: s.Clock.Now(), number: 1,
		}
		for _, now := range lists {
			switch {
			case now.Source != riskSource:
				continue
			case now.Hash == l.Hash:
				return nil
			case l.Date < now.Date:
				s.Log.Warn("another node knows newer countries of high risk than this one: is its risk.json an old one?",
					"here", s.Risk.version(), "there", now.Version())
				return nil
			}
			l.number = now.number + 1
		}
		tx.Write(insertList, l.ID, l.Source, l.Format, l.Date, l.Hash, l.Entities, 0, 0, l.number, l.ImportedAt)
		if len(anybody) > 0 {
			job.Enqueue(tx, 0, RescreenJob, l.ID, s.Clock.Now().Add(rescreenDelay))
		}
		return audit.Write(tx, audit.Entry{
			Actor: audit.System, Action: "screening.risk", Object: l.ID.String(), Details: map[string]any{
				"date": l.Date, "hash": l.Hash, "countries": l.Entities,
			},
		})
	})
}

// FindRisk reads which countries of high risk are in use; false when no node has noted any yet.
func FindRisk(r db.Reader) (Watchlist, bool, error) {
	lists, err := newest(r)
	for _, l := range lists {
		if l.Source == riskSource {
			return l, true, err
		}
	}
	return Watchlist{}, false, err
}

// rerate looks at a user's countries again. That a country is of high risk now says nothing about the person: there is a
// case for an officer, and the account goes on meanwhile.
func (s *Service) rerate(ctx context.Context, sub Subject) (opened bool, err error) {
	return s.again(ctx, sub, Result{ListVersion: s.Risk.version(), Findings: s.countries(sub)}, false)
}
