-- The ledger: accounts with two running figures, immutable transfers, holds with their steps.
-- Amounts are minor units at the currency's scale. posted = credits - debits; available = posted - held.

-- +goose Up
CREATE TABLE account (
    partner_id BIGINT  NOT NULL,
    id         {{uuid}} NOT NULL,
    owner_id   {{uuid}} NOT NULL, -- a user; all zeros: the partner itself, or the platform in this partner's book
    purpose    TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    overdraft  BOOLEAN NOT NULL, -- platform accounts and receivables may be below zero, customers never
    closed     BOOLEAN NOT NULL,
    posted     BIGINT  NOT NULL,
    held       BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT account_funds CHECK (overdraft OR posted - held >= 0),
    CONSTRAINT account_held CHECK (held >= 0),
    -- Short of the 64 bits, beyond which SQLite would go on with floating point and PostgreSQL with an error.
    CONSTRAINT account_range CHECK (posted BETWEEN -9000000000000000000 AND 9000000000000000000
        AND held <= 9000000000000000000),
    CONSTRAINT account_open CHECK (NOT closed OR (posted = 0 AND held = 0)),
    CONSTRAINT account_receivable CHECK (purpose <> 'receivable' OR posted <= 0)
){{hot}};
CREATE UNIQUE INDEX account_owner_key ON account (partner_id, owner_id, purpose, currency);

-- The key makes every leg of an operation post at most once, whoever repeats it.
CREATE TABLE ledger_transfer (
    partner_id     BIGINT NOT NULL,
    operation_id   {{uuid}} NOT NULL,
    leg            TEXT   NOT NULL,
    operation_type TEXT   NOT NULL,
    debit_id       {{uuid}} NOT NULL,
    credit_id      {{uuid}} NOT NULL,
    currency       TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, operation_id, leg),
    CONSTRAINT ledger_transfer_positive CHECK (amount > 0),
    CONSTRAINT ledger_transfer_two_sides CHECK (debit_id <> credit_id)
);
CREATE INDEX ledger_transfer_debit ON ledger_transfer (partner_id, debit_id, created_at);
CREATE INDEX ledger_transfer_credit ON ledger_transfer (partner_id, credit_id, created_at);
{{immutable "ledger_transfer"}}

CREATE TABLE hold (
    partner_id     BIGINT NOT NULL,
    id             {{uuid}} NOT NULL,
    account_id     {{uuid}} NOT NULL,
    currency       TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    operation_type TEXT   NOT NULL,
    operation_id   {{uuid}} NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT hold_positive CHECK (amount > 0)
);
CREATE INDEX hold_account ON hold (partner_id, account_id);
{{immutable "hold"}}

-- What happened to a hold, numbered from 1. Two that race take the same number and one of them fails;
-- a hold has one step that ends it.
CREATE TABLE hold_step (
    partner_id BIGINT  NOT NULL,
    hold_id    {{uuid}} NOT NULL,
    step       BIGINT  NOT NULL,
    kind       TEXT    NOT NULL,
    captured   BIGINT  NOT NULL,
    released   BIGINT  NOT NULL,
    ended      BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, hold_id, step),
    CONSTRAINT hold_step_amounts CHECK (captured >= 0 AND released >= 0)
);
CREATE UNIQUE INDEX hold_step_end_key ON hold_step (partner_id, hold_id) WHERE ended;
{{immutable "hold_step"}}
