-- Who paid a deposit in, and what for, are personal data: they are sealed, and erased with a deleted user's. The columns
-- with plain texts stay for the deposits of earlier versions, until the program has sealed them and emptied these.

-- +goose Up
ALTER TABLE sepa_deposit ADD COLUMN payer {{bytes}}; -- sealed: name, IBAN and title; empty once it was erased, NULL before it was sealed
ALTER TABLE sepa_deposit ADD COLUMN sealed BOOLEAN NOT NULL DEFAULT FALSE; -- FALSE: title, sender_name and sender_iban hold it
CREATE INDEX sepa_deposit_unsealed ON sepa_deposit (partner_id, id) WHERE NOT sealed;
