package user

import (
	"fmt"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/fault"
	"kontor/internal/page"
)

// The states of a user as a whole, as partners see them.
const (
	Waiting      = "WAITING_FOR_ACTIVATION"
	Activated    = "ACTIVE"
	Suspended    = "SUSPENDED"            // by the partner
	Frozen       = "FROZEN"               // by the operator, whatever the partner did
	UnderReview  = "UNDER_REVIEW"         // a compliance officer must decide
	DocumentOver = "VERIFICATION_EXPIRED" // the document expired: the identity must be checked again
)

// Status tells the user's state as a whole: of several that hold, the one that blocks most. Users of the older
// model are active from the start.
func (u User) Status() string {
	switch {
	case !u.FrozenAt.IsZero():
		return Frozen
	case !u.SuspendedAt.IsZero():
		return Suspended
	case u.UnderReview:
		return UnderReview
	case u.Verification == Expired:
		return DocumentOver
	case u.Active(), u.Model == NoKYC:
		return Activated
	default:
		return Waiting
	}
}

// Summary is a user in a list, with the few personal data by which people recognise one.
type Summary struct {
	User
	Email, FirstName, LastName, Country string
}

// Filter asks for users.
type Filter struct {
	Status string // one of the states; empty: all
	Email  string // exactly, but for the case of A to Z; empty: all
	page.Range
}

// Parts of the conditions of states, in the words of the indexes.
const (
	living   = "partner_id = $1 AND deleted_at = 0"
	unmarked = " AND suspended_at = 0 AND frozen_at = 0"
	decided  = unmarked + " AND NOT under_review"
)

// states are the conditions of Status.
var states = map[string]string{
	"":           living,
	Waiting:      living + " AND activated_at = 0 AND model = 'kyc'" + decided + " AND verification <> 'EXPIRED'",
	Activated:    living + " AND (activated_at <> 0 OR model = 'nokyc')" + decided + " AND verification <> 'EXPIRED'",
	Suspended:    living + " AND suspended_at <> 0 AND frozen_at = 0",
	Frozen:       living + " AND frozen_at <> 0",
	UnderReview:  living + " AND under_review" + unmarked,
	DocumentOver: living + " AND verification = 'EXPIRED'" + decided,
}

var selectList, selectByEmail = listQueries()

// listQueries makes, for each state, the query that reads all of its users and the one that looks for an email.
func listQueries() (list, byEmail map[string]*db.Query) {
	list, byEmail = map[string]*db.Query{}, map[string]*db.Query{}
	const summary = `SELECT ` + columns + `, p.email, p.first_name, p.last_name, p.country FROM `
	for state, condition := range states {
		list[state] = db.NewQuery(fmt.Sprintf(summary+`(SELECT * FROM users WHERE %s AND %s) AS u
			JOIN person p ON p.partner_id = u.partner_id AND p.user_id = u.id
			ORDER BY created_at DESC, id DESC`, condition, page.Window("id", 2)))
		byEmail[state] = db.NewQuery(fmt.Sprintf(summary+`person p
			JOIN (SELECT * FROM users WHERE %s) AS u ON u.partner_id = p.partner_id AND u.id = p.user_id
			WHERE p.partner_id = $1 AND lower(p.email) = lower($6) AND %s`, condition, page.Window("id", 2)))
	}
	return list, byEmail
}

// List reads users, newest first: as many as the filter's limit says, if there are. P403 for a state that
// there is not.
func List(r db.Reader, partner int64, f Filter) ([]Summary, error) {
	query, known := selectList[f.Status]
	if !known {
		return nil, fault.Invalid("status must be a state of users")
	}
	args := append([]any{partner}, f.Args()...)
	if f.Email != "" {
		query, args = selectByEmail[f.Status], append(args, f.Email)
	}
	rows := r.Rows(query, args...)
	defer rows.Close()
	var all []Summary
	for rows.Next() {
		var s Summary
		var err error
		if s.User, err = scan(rows, &s.Email, &s.FirstName, &s.LastName, &s.Country); err != nil {
			return nil, err
		}
		if f.Contains(s.Position()) && len(all) < f.Limit {
			all = append(all, s)
		}
	}
	return all, rows.Err()
}

// Position is the user's place in lists.
func (u User) Position() page.Position { return page.Position{At: u.CreatedAt, ID: u.ID} }

// Contact is how the partner knows a user. The email of a user who was deleted is empty.
type Contact struct{ ExternalID, Email string }

// The email of a deleted user is locked until it is erased.
var selectContacts = db.NewQuery(`
	SELECT u.id, u.external_id, COALESCE(p.email, '') FROM users u
	LEFT JOIN person p ON p.partner_id = u.partner_id AND p.user_id = u.id AND u.deleted_at = 0
	WHERE u.partner_id = $1 AND u.id IN (` + db.List(2) + `)`)

// Contacts reads the contacts of users, by id, also of those who were deleted: histories tell of them. Ids that are no user's are left out.
func Contacts(r db.Reader, partner int64, ids ...clock.ID) (map[clock.ID]Contact, error) {
	found := map[clock.ID]Contact{}
	for _, args := range db.Lists(ids, partner) {
		rows := r.Rows(selectContacts, args...)
		defer rows.Close()
		for rows.Next() {
			var id clock.ID
			var c Contact
			if err := rows.Scan(&id, &c.ExternalID, &c.Email); err != nil {
				return nil, err
			}
			c.ExternalID = formerID(c.ExternalID)
			found[id] = c
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return found, nil
}
