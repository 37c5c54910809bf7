-- A payment that was nobody's, and is assigned after the bank refused to send it back, can be sent back as its new
-- owner's: attempts are counted for each of the two.

-- +goose Up
DROP INDEX sepa_return_entry_key;
CREATE UNIQUE INDEX sepa_return_entry_key ON sepa_return (partner_id, entry_id, deposit_id, attempt);
