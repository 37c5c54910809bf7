-- What decides whether the owner of a balance may pay or receive stands elsewhere: states of the user, debts. Whoever
-- changes such a thing counts the revision of the balances up in the same transaction, and a payment that was decided
-- on another one would leave it below zero.

-- +goose Up
ALTER TABLE account ADD COLUMN revision BIGINT NOT NULL DEFAULT 0 CONSTRAINT account_current CHECK (revision >= 0);
