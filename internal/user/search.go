package user

import (
	"strings"

	"kontor/internal/clock"
	"kontor/internal/db"
)

// maxNames is how many words a name that is searched for may have.
const maxNames = 6

// searchQuery finds users of a list of partners by a condition on $1, and $2 if it has two.
func searchQuery(condition string) *db.Query {
	return db.NewQuery(`SELECT ` + columns + `, COALESCE(p.email, ''), COALESCE(p.first_name, ''), COALESCE(p.last_name, ''), COALESCE(p.country, '')
		FROM users u LEFT JOIN person p ON p.partner_id = u.partner_id AND p.user_id = u.id
		WHERE ` + condition + ` AND u.partner_id IN (` + db.List(3) + `)
		ORDER BY u.created_at DESC, u.id DESC LIMIT 100`)
}

var (
	searchID         = searchQuery(`u.id = $1 AND $2 = ''`)
	searchExternalID = searchQuery(`u.external_id = $1 AND $2 = ''`)
	searchEmail      = searchQuery(`lower(p.email) = lower($1) AND $2 = ''`)
	searchFirstName  = searchQuery(`lower(p.first_name) = lower($1) AND $2 = ''`)
	searchLastName   = searchQuery(`lower(p.last_name) = lower($1) AND $2 = ''`)
	searchNames      = searchQuery(`lower(p.last_name) = lower($1) AND lower(p.first_name) = lower($2)`)
)

// Search finds users of the given partners, for the operator: by our id, by externalUserId, email, first name,
// last name, or both names in either order, each of them whole, and all but the ids whatever the case of letters. It
// answers at most limit users, those that are found by ids first. Names are compared as they are written.
func Search(r db.Reader, partners []int64, text string, limit int) (found []Summary, err error) {
	seen := map[clock.ID]bool{}
	look := func(query *db.Query, first any, second string) error {
		for _, args := range db.Lists(partners, first, second) {
			rows := r.Rows(query, args...)
			defer rows.Close()
			for rows.Next() {
				var s Summary
				if s.User, err = scan(rows, &s.Email, &s.FirstName, &s.LastName, &s.Country); err != nil {
					return err
				}
				s.ExternalID = KnownID(s.User)
				if !seen[s.ID] && len(found) < limit {
					seen[s.ID] = true
					found = append(found, s)
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	}
	if id, err := clock.ParseID(text); err == nil {
		if err := look(searchID, id, ""); err != nil {
			return nil, err
		}
	}
	for _, query := range []*db.Query{searchExternalID, searchEmail, searchLastName, searchFirstName} {
		if err := look(query, text, ""); err != nil {
			return nil, err
		}
	}
	words := strings.Fields(text)
	for i := 1; i < min(len(words), maxNames); i++ {
		one, other := strings.Join(words[:i], " "), strings.Join(words[i:], " ")
		if err := look(searchNames, one, other); err != nil {
			return nil, err
		}
		if err := look(searchNames, other, one); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// KnownID is the id that the partner gave a user; another one may have it since, if this one was deleted.
func KnownID(u User) string { return formerID(u.ExternalID) }
