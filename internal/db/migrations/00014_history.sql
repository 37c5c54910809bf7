-- Histories and lists of users. A page of a list reads a stretch of an index that is ordered by creation, so
-- each list and each filter that people use needs one that begins with what it asks for.
--
-- An index on transfers costs every transfer something, so there is one only for the list of all users. Its
-- stretches by currency are merged for all currencies. An owner's transfers are found through the indexes of
-- the ledger. Transfers without a reference do not pay for the other one.

-- +goose Up
CREATE INDEX internal_transfer_list ON internal_transfer (partner_id, currency, created_at, id);
CREATE INDEX internal_transfer_reference ON internal_transfer (partner_id, reference, currency, created_at, id)
    WHERE reference <> '';

CREATE INDEX sepa_deposit_list ON sepa_deposit (partner_id, status, created_at, id);
CREATE INDEX sepa_deposit_owner ON sepa_deposit (partner_id, owner_id, status, created_at, id);

-- Most users are active: the few in another state have indexes of their own.
CREATE INDEX users_list ON users (partner_id, created_at, id);
CREATE INDEX users_waiting ON users (partner_id, created_at, id)
    WHERE activated_at = 0 AND model = 'kyc' AND suspended_at = 0 AND frozen_at = 0;
CREATE INDEX users_suspended ON users (partner_id, created_at, id) WHERE suspended_at <> 0 OR frozen_at <> 0;
CREATE INDEX person_email ON person (partner_id, lower(email));
