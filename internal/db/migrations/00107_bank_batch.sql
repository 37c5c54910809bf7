-- A bank may book a batch as one line of its statement, and tell the payments of it elsewhere, before or after.

-- +goose Up
ALTER TABLE bank_statement_line ADD COLUMN batch BIGINT NOT NULL DEFAULT 0; -- above zero: the amount is of so many payments that were not told yet
