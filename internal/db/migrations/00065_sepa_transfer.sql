-- SEPA transfers: payments that leave, the batches in which the bank gets them, what the bank booked, and the accounts
-- that owners paid in from, to which they may pay out on level 1. Batches and what was booked are the operator's.

-- +goose Up
CREATE TABLE sepa_transfer (
    partner_id       BIGINT NOT NULL,
    id               {{uuid}} NOT NULL,
    owner_id         {{uuid}} NOT NULL, -- a user; all zeros: the partner
    amount           BIGINT NOT NULL,
    fee              BIGINT NOT NULL, -- with the mark-up
    markup           BIGINT NOT NULL, -- the partner's part of the fee
    title            TEXT   NOT NULL,
    destination_iban TEXT   NOT NULL,
    receiver         {{bytes}} NOT NULL, -- sealed: who receives
    reference        TEXT   NOT NULL,
    metadata         TEXT   NOT NULL, -- a JSON object of strings
    status           TEXT   NOT NULL,
    hold_id          {{uuid}} NOT NULL, -- all zeros: the balance did not cover it
    reason           TEXT   NOT NULL, -- why it failed or came back: a code of ISO 20022
    returned         BIGINT NOT NULL,
    version          BIGINT NOT NULL, -- of its last event
    created_at       BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT sepa_transfer_amounts CHECK (amount > 0 AND fee >= 0 AND markup BETWEEN 0 AND fee
        AND returned BETWEEN 0 AND amount),
    CONSTRAINT sepa_transfer_status CHECK (status IN ('PENDING', 'PROCESSING', 'SUCCESSFUL', 'FAILED', 'RETURNED'))
);
CREATE INDEX sepa_transfer_list ON sepa_transfer (partner_id, status, created_at, id);
CREATE INDEX sepa_transfer_owner ON sepa_transfer (partner_id, owner_id, status, created_at, id);
CREATE INDEX sepa_transfer_waiting ON sepa_transfer (created_at, id) WHERE status = 'PENDING';

CREATE TABLE sepa_batch (
    partner_id BIGINT NOT NULL, -- the operator
    id         {{uuid}} NOT NULL, -- makes the message's id and the file's name
    execute_on BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id)
);
{{immutable "sepa_batch"}}

-- The key puts a transfer into one batch for ever.
CREATE TABLE sepa_batch_item (
    partner_id  BIGINT NOT NULL,
    transfer_id {{uuid}} NOT NULL,
    batch_id    {{uuid}} NOT NULL,
    PRIMARY KEY (partner_id, transfer_id)
);
CREATE INDEX sepa_batch_item_batch ON sepa_batch_item (batch_id, transfer_id);
CREATE INDEX sepa_batch_item_transfer ON sepa_batch_item (transfer_id);
{{immutable "sepa_batch_item"}}

-- The key books each payment of a statement once, however often and in however many statements it is told.
CREATE TABLE bank_entry (
    partner_id     BIGINT NOT NULL, -- the operator
    account        TEXT   NOT NULL, -- IBAN of the collective account
    reference      TEXT   NOT NULL, -- the bank's own
    part           TEXT   NOT NULL, -- which payment of the entry
    id             {{uuid}} NOT NULL,
    kind           TEXT   NOT NULL, -- TRANSFER | RETURN | UNKNOWN
    amount         BIGINT NOT NULL, -- below zero: a debit
    target_partner BIGINT NOT NULL,
    object_id      {{uuid}} NOT NULL, -- the transfer; all zeros: unknown
    reason         TEXT   NOT NULL, -- of a return
    detail         {{bytes}} NOT NULL, -- sealed: parties and remittance information
    booked_on      BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT bank_entry_kind CHECK (kind IN ('TRANSFER', 'RETURN', 'UNKNOWN'))
);
CREATE UNIQUE INDEX bank_entry_reference_key ON bank_entry (partner_id, account, reference, part);
-- A transfer is debited once and comes back once.
CREATE UNIQUE INDEX bank_entry_object_key ON bank_entry (partner_id, object_id, kind) WHERE kind <> 'UNKNOWN';
{{immutable "bank_entry"}}

-- Accounts that owners have paid in from.
CREATE TABLE sepa_contact (
    partner_id   BIGINT NOT NULL,
    owner_id     {{uuid}} NOT NULL,
    iban         TEXT   NOT NULL,
    id           {{uuid}} NOT NULL,
    name         {{bytes}} NOT NULL, -- sealed
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, owner_id, iban)
);

-- What the sandbox's bank has been given, and what it will tell. Messages of one id are taken once.
CREATE TABLE sandbox_bank_message (
    partner_id BIGINT NOT NULL, -- the operator
    message_id TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, message_id)
);
CREATE TABLE sandbox_bank_answer (
    partner_id BIGINT NOT NULL, -- the operator
    id         {{uuid}} NOT NULL,
    document   {{bytes}} NOT NULL, -- sealed
    PRIMARY KEY (partner_id, id)
);
