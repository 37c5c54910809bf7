-- Reconciliation: the statements of the bank with their balances and lines, and the own book of the sandbox's bank.

-- +goose Up
-- A statement that was kept was booked whole: its lines stand in bank_statement_line and in bank_entry.
CREATE TABLE bank_statement (
    partner_id   BIGINT NOT NULL, -- the operator
    account      TEXT   NOT NULL, -- IBAN of the collective account
    day          BIGINT NOT NULL, -- of the closing balance
    statement_id TEXT   NOT NULL, -- the bank's own
    sequence     BIGINT NOT NULL, -- the bank's own number; 0: it gave none
    opening      BIGINT NOT NULL, -- booked
    closing      BIGINT NOT NULL, -- booked
    lines        BIGINT NOT NULL, -- how many lines it has
    booked       BIGINT NOT NULL, -- what the ledger has of the lines that stood in no earlier statement
    made_at      BIGINT NOT NULL, -- when the bank made it
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (partner_id, account, day, statement_id)
);
{{immutable "bank_statement"}}

-- In which statement each payment stood first. A crash may leave lines of a statement that is not kept yet: it is told again.
CREATE TABLE bank_statement_line (
    partner_id   BIGINT NOT NULL, -- the operator
    account      TEXT   NOT NULL,
    reference    TEXT   NOT NULL, -- as in bank_entry
    part         TEXT   NOT NULL,
    day          BIGINT NOT NULL, -- of the statement
    statement_id TEXT   NOT NULL,
    amount       BIGINT NOT NULL, -- below zero: a debit
    PRIMARY KEY (partner_id, account, reference, part)
);
CREATE INDEX bank_statement_line_statement ON bank_statement_line (partner_id, account, day, statement_id);
{{immutable "bank_statement_line"}}

-- What the sandbox's bank has booked, and its statements. An entry stands in one statement.
CREATE TABLE sandbox_bank_entry (
    partner_id BIGINT NOT NULL, -- the operator
    reference  TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    detail     {{bytes}} NOT NULL, -- sealed
    day        BIGINT NOT NULL, -- of booking
    sequence   BIGINT NOT NULL, -- of the statement; 0: none yet
    PRIMARY KEY (partner_id, reference)
);
CREATE INDEX sandbox_bank_entry_statement ON sandbox_bank_entry (partner_id, sequence, day);
CREATE TABLE sandbox_bank_statement (
    partner_id BIGINT NOT NULL, -- the operator
    sequence   BIGINT NOT NULL, -- from 1
    id         {{uuid}} NOT NULL,
    day        BIGINT NOT NULL,
    opening    BIGINT NOT NULL,
    closing    BIGINT NOT NULL,
    made_at    BIGINT NOT NULL,
    PRIMARY KEY (partner_id, sequence)
);
CREATE INDEX sandbox_bank_statement_id ON sandbox_bank_statement (partner_id, id);
-- The bank of an older sandbox begins with what it has by the ledger.
INSERT INTO sandbox_bank_statement (partner_id, sequence, id, day, opening, closing, made_at)
SELECT partner_id, 0, id, 0, 0, -posted, 0 FROM account WHERE partner_id = 0 AND purpose = 'bank' AND currency = 'eur' AND posted <> 0;
