-- What the platform owes to its customers is the opposite of what stands on all other accounts, which are few. The index
-- has only these, and nothing of it changes when money moves.

-- +goose Up
CREATE INDEX account_platform ON account (partner_id, currency, purpose) WHERE purpose <> 'balance';
