-- Reconciliation over years: how far postings at the bank were compared with its statements, what the bank had before the
-- first of these, and batches, which a bank may book as one line of its statement and tell apart elsewhere.

-- +goose Up
-- Postings at the bank that stood in no statement when they were compared with all of them. A later one may have them.
CREATE TABLE bank_unstated (
    partner_id   BIGINT NOT NULL, -- the operator
    operation_id {{uuid}} NOT NULL,
    leg          TEXT   NOT NULL,
    amount       BIGINT NOT NULL, -- below zero: a debit
    created_at   BIGINT NOT NULL, -- of the posting
    PRIMARY KEY (partner_id, operation_id, leg)
);
CREATE INDEX bank_unstated_time ON bank_unstated (partner_id, created_at);
{{immutable "bank_unstated"}}

-- Older postings than the latest of these moments need not be read again: they stand in a statement, or in bank_unstated.
CREATE TABLE bank_compared (
    partner_id BIGINT NOT NULL, -- the operator
    until      BIGINT NOT NULL,
    PRIMARY KEY (partner_id, until)
);
{{immutable "bank_compared"}}

-- What people say about the balance with which the bank's first statement begins: one proposes to book it against the
-- operator's equity, and another one's same amount is final. A statement that comes later and is older becomes the
-- first one.
CREATE TABLE bank_opening (
    partner_id   BIGINT  NOT NULL, -- the operator
    account      TEXT    NOT NULL,
    day          BIGINT  NOT NULL, -- the first statement's, with its id
    statement_id TEXT    NOT NULL,
    number       BIGINT  NOT NULL, -- from 1 within the statement
    id           {{uuid}} NOT NULL, -- of the operation in the ledger
    amount       BIGINT  NOT NULL, -- what the bank had more than the books; below zero: less
    final        BOOLEAN NOT NULL,
    person       TEXT    NOT NULL,
    proposed_by  TEXT    NOT NULL, -- of a confirmation: who proposed; otherwise empty
    reason       TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, account, day, statement_id, number),
    CONSTRAINT bank_opening_amount CHECK (amount <> 0),
    CONSTRAINT bank_opening_reason CHECK (reason <> ''),
    CONSTRAINT bank_opening_two_persons CHECK (person <> proposed_by AND (final = (proposed_by <> '')))
);
-- The key books it once, whoever is at work at the same moment.
CREATE UNIQUE INDEX bank_opening_final_key ON bank_opening (partner_id, account, day, statement_id) WHERE final;
{{immutable "bank_opening"}}

ALTER TABLE bank_statement_line ADD COLUMN batch BIGINT NOT NULL DEFAULT 0; -- above zero: the amount is of so many payments that were not told yet
