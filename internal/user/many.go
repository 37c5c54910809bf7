package user

import (
	"kontor/internal/clock"
	"kontor/internal/db"
)

var (
	selectUsers  = db.NewQuery(`SELECT ` + columns + ` FROM users u WHERE u.partner_id = $1 AND u.id IN (` + db.List(2) + `)`)
	selectPeople = db.NewQuery(`SELECT user_id, ` + personColumns + ` FROM person
		WHERE partner_id = $1 AND user_id IN (` + db.List(2) + `)`)
	selectNames = db.NewQuery(`SELECT user_id, verified_first_name, verified_last_name FROM person
		WHERE partner_id = $1 AND verified_at <> 0 AND user_id IN (` + db.List(2) + `)`)
)

// FindMany is FindByID of many users. Those whom the partner never had are missing in the answer.
func FindMany(r db.Reader, partner int64, ids []clock.ID) (map[clock.ID]User, error) {
	all := make(map[clock.ID]User, len(ids))
	for _, args := range db.Lists(ids, partner) {
		rows := r.Rows(selectUsers, args...)
		for rows.Next() {
			u, err := scan(rows)
			if err != nil {
				return nil, err
			}
			all[u.ID] = u
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// FindPeople is FindPerson of many users. Those whose data were erased are missing in the answer.
func (s *Service) FindPeople(r db.Reader, partner int64, ids []clock.ID) (map[clock.ID]Person, error) {
	all := make(map[clock.ID]Person, len(ids))
	for _, args := range db.Lists(ids, partner) {
		rows := r.Rows(selectPeople, args...)
		for rows.Next() {
			var id clock.ID
			p, err := s.scanPerson(rows, &id)
			if err != nil {
				rows.Close()
				return nil, err
			}
			all[id] = p
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Name is a user's name as an identity check established it.
type Name struct{ First, Last string }

// FindNames reads the established names of many users. Those of whom no check was accepted, and those whose data were
// erased, are missing in the answer.
func FindNames(r db.Reader, partner int64, ids []clock.ID) (map[clock.ID]Name, error) {
	all := make(map[clock.ID]Name, len(ids))
	for _, args := range db.Lists(ids, partner) {
		rows := r.Rows(selectNames, args...)
		for rows.Next() {
			var id clock.ID
			var n Name
			if err := rows.Scan(&id, &n.First, &n.Last); err != nil {
				return nil, err
			}
			all[id] = n
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}
