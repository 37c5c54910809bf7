-- Deposits that the bank's statements tell of: what was booked is linked with the deposit, a check compares the sender's
-- name with the owner's, and money that may not stay goes back to its sender.

-- +goose Up
ALTER TABLE sepa_deposit ADD COLUMN entry_id {{uuid}} NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'; -- the payment in bank_entry; all zeros: not booked yet
ALTER TABLE sepa_deposit ADD COLUMN score BIGINT NOT NULL DEFAULT 0; -- of the names' comparison, in thousandths
ALTER TABLE sepa_deposit ADD COLUMN returns BIGINT NOT NULL DEFAULT 0; -- how often its return was ordered
ALTER TABLE sepa_deposit ADD COLUMN reason TEXT NOT NULL DEFAULT '' -- why it waits, or went back
    CONSTRAINT sepa_deposit_status CHECK (status IN ('PENDING', 'SUCCESSFUL', 'SUSPENDED', 'RETURNING', 'RETURNED'));
-- A payment of the bank is one deposit.
CREATE UNIQUE INDEX sepa_deposit_entry_key ON sepa_deposit (entry_id) WHERE entry_id <> '00000000-0000-0000-0000-000000000000';

-- Payments that go back. The bank gets each under the row's id; one that it refused can be ordered again.
CREATE TABLE sepa_return (
    partner_id     BIGINT NOT NULL, -- the operator
    id             {{uuid}} NOT NULL,
    entry_id       {{uuid}} NOT NULL, -- the payment in bank_entry
    attempt        BIGINT NOT NULL, -- from 1
    target_partner BIGINT NOT NULL, -- whose deposit it is; 0: nobody's
    deposit_id     {{uuid}} NOT NULL, -- all zeros: nobody's
    amount         BIGINT NOT NULL,
    reason         TEXT   NOT NULL, -- a code of ISO 20022
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT sepa_return_amount CHECK (amount > 0)
);
CREATE UNIQUE INDEX sepa_return_entry_key ON sepa_return (partner_id, entry_id, attempt);
{{immutable "sepa_return"}}

-- Returns that the bank refused.
CREATE TABLE sepa_return_refusal (
    partner_id BIGINT NOT NULL, -- the operator
    return_id  {{uuid}} NOT NULL,
    reason     TEXT   NOT NULL, -- a code of ISO 20022
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, return_id)
);
{{immutable "sepa_return_refusal"}}

-- What the bank booked can now be a deposit, or a payment that was sent back. The table is made anew, because SQLite
-- cannot change a constraint.
CREATE TABLE bank_entry_copy AS SELECT * FROM bank_entry;
{{mutable "bank_entry"}}
DROP TABLE bank_entry;
CREATE TABLE bank_entry (
    partner_id     BIGINT NOT NULL, -- the operator
    account        TEXT   NOT NULL, -- IBAN of the collective account
    reference      TEXT   NOT NULL, -- the bank's own
    part           TEXT   NOT NULL, -- which payment of the entry
    id             {{uuid}} NOT NULL,
    kind           TEXT   NOT NULL, -- TRANSFER | RETURN | DEPOSIT | SENT_BACK | UNKNOWN
    amount         BIGINT NOT NULL, -- below zero: a debit
    target_partner BIGINT NOT NULL,
    object_id      {{uuid}} NOT NULL, -- the transfer, the deposit, the return; all zeros: unknown
    reason         TEXT   NOT NULL, -- of a return
    detail         {{bytes}} NOT NULL, -- sealed: parties and remittance information
    booked_on      BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT bank_entry_kind CHECK (kind IN ('TRANSFER', 'RETURN', 'DEPOSIT', 'SENT_BACK', 'UNKNOWN'))
);
INSERT INTO bank_entry (partner_id, account, reference, part, id, kind, amount, target_partner, object_id, reason, detail,
    booked_on, created_at)
SELECT partner_id, account, reference, part, id, kind, amount, target_partner, object_id, reason, detail, booked_on, created_at
FROM bank_entry_copy;
DROP TABLE bank_entry_copy;
CREATE UNIQUE INDEX bank_entry_reference_key ON bank_entry (partner_id, account, reference, part);
-- A transfer is debited once and comes back once; a deposit is credited once, and a return debited once.
CREATE UNIQUE INDEX bank_entry_object_key ON bank_entry (partner_id, object_id, kind) WHERE kind <> 'UNKNOWN';
{{immutable "bank_entry"}}
