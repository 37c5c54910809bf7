package sepa

import (
	"context"
	"encoding/json"

	"kontor/internal/clock"
	"kontor/internal/db"
	"kontor/internal/vault"
)

// payer is who paid a deposit in, and what for: the sealed part of its row.
type payer struct {
	Name  string `json:"name"`
	IBAN  string `json:"iban"`
	Title string `json:"title"`
}

// payerColumns are what a payer is read from; the last three of deposits that an earlier version wrote.
const payerColumns = "sealed, payer, title, sender_name, sender_iban"

// payerRow takes the values of payerColumns.
type payerRow struct {
	sealed bool
	text   []byte
	plain  payer
}

func (p *payerRow) dest() []any {
	return []any{&p.sealed, &p.text, &p.plain.Title, &p.plain.Name, &p.plain.IBAN}
}

func payerPlace(id clock.ID) vault.Place {
	return vault.Place{Table: "sepa_deposit", Column: "payer", Row: id.String()}
}

func (s *Service) sealPayer(id clock.ID, p payer) ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return s.vault.Seal(payerPlace(id), text)
}

// openPayer reads the payer of a deposit; an empty one when it was erased.
func (s *Service) openPayer(id clock.ID, row payerRow) (payer, error) {
	if !row.sealed {
		return row.plain, nil
	}
	text, err := s.vault.Open(payerPlace(id), row.text)
	if err != nil || len(text) == 0 {
		return payer{}, err
	}
	var p payer
	return p, json.Unmarshal(text, &p)
}

// sealedAtOnce is how many deposits of earlier versions one transaction seals.
const sealedAtOnce = 500

var (
	selectUnsealed = db.NewQuery(`SELECT partner_id, id, ` + payerColumns + ` FROM sepa_deposit WHERE partner_id > 0 AND NOT sealed LIMIT $1`)
	sealDeposit    = db.NewCommand(`UPDATE sepa_deposit SET payer = $3, sealed = TRUE, title = '', sender_name = '', sender_iban = ''
		WHERE partner_id = $1 AND id = $2 AND NOT sealed`)
	// erasePayers leaves those alone that wait for a person, who has to know who paid.
	erasePayers = db.NewCommand(`UPDATE sepa_deposit SET payer = $3, sealed = TRUE, title = '', sender_name = '', sender_iban = ''
		WHERE partner_id = $1 AND owner_id = $2 AND status IN ('` + DepositSuccessful + `', '` + DepositReturned + `')`)
)

// SealEarlier seals the payers of deposits that earlier versions of this program have written, until there are none. Of
// two nodes that do so one is first with each.
func (s *Service) SealEarlier(ctx context.Context) error {
	type unsealed struct {
		partner int64
		id      clock.ID
		row     payerRow
	}
	for ctx.Err() == nil {
		var all []unsealed
		err := s.db.View(ctx, func(r db.Reader) error {
			all = nil
			rows := r.Rows(selectUnsealed, sealedAtOnce)
			defer rows.Close()
			for rows.Next() {
				var u unsealed
				if err := rows.Scan(append([]any{&u.partner, &u.id}, u.row.dest()...)...); err != nil {
					return err
				}
				all = append(all, u)
			}
			return rows.Err()
		})
		if err != nil || len(all) == 0 {
			return err
		}
		texts := make([][]byte, len(all))
		for i, u := range all {
			if texts[i], err = s.sealPayer(u.id, u.row.plain); err != nil {
				return err
			}
		}
		err = s.db.Update(ctx, func(tx *db.Tx) error {
			for i, u := range all {
				tx.Write(sealDeposit, u.partner, u.id, texts[i])
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
