-- What officers decide about money that waits on suspense: deposits that their owners may not receive (partner_id is
-- the owner's), and payments that the bank booked and that are nobody's (partner_id is the operator's). Decisions are
-- rows that nothing changes; why an officer decided so speaks of persons and is sealed.

-- +goose Up
CREATE TABLE suspense_decision (
    partner_id  BIGINT  NOT NULL,
    item_id     {{uuid}} NOT NULL, -- the deposit, or the payment of the bank
    number      BIGINT  NOT NULL, -- from 1 within the item
    round       BIGINT  NOT NULL, -- how often the bank refused to send it back before: each time it is decided anew
    verdict     TEXT    NOT NULL, -- RELEASE | RETURN | ASSIGN | CLOSE
    to_partner  BIGINT  NOT NULL, -- of ASSIGN: who gets it; otherwise 0
    to_owner    {{uuid}} NOT NULL, -- all zeros: the partner itself
    final       BOOLEAN NOT NULL,
    officer     TEXT    NOT NULL,
    proposed_by TEXT    NOT NULL, -- of a confirmation: who proposed; otherwise empty
    reason      {{bytes}} NOT NULL, -- sealed
    created_at  BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, item_id, number),
    CONSTRAINT suspense_decision_verdict CHECK (verdict IN ('RELEASE', 'RETURN', 'ASSIGN', 'CLOSE')),
    CONSTRAINT suspense_decision_two_persons CHECK (officer <> proposed_by),
    CONSTRAINT suspense_decision_close CHECK (verdict <> 'CLOSE' OR NOT final OR proposed_by <> ''),
    CONSTRAINT suspense_decision_target CHECK (verdict = 'ASSIGN' OR to_partner = 0)
);
-- The key decides each item once in a round, whoever is at work at the same moment.
CREATE UNIQUE INDEX suspense_decision_final_key ON suspense_decision (partner_id, item_id, round) WHERE final;
-- Officers work for the operator: an item is named by its id, and their queue is that of all partners.
CREATE INDEX suspense_decision_item ON suspense_decision (item_id);
CREATE INDEX suspense_decision_time ON suspense_decision (created_at, item_id) WHERE final;
{{immutable "suspense_decision"}}

-- Payments that were booked as a transfer's, and turned out to fit none: a transfer that the bank had refused before.
CREATE TABLE suspense_entry (
    partner_id BIGINT NOT NULL, -- the operator
    entry_id   {{uuid}} NOT NULL, -- the payment in bank_entry
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, entry_id)
);
INSERT INTO suspense_entry (partner_id, entry_id, created_at)
    SELECT partner_id, operation_id, created_at FROM ledger_transfer WHERE partner_id = 0 AND leg = 'unfit';
{{immutable "suspense_entry"}}

CREATE INDEX sepa_deposit_suspended ON sepa_deposit (created_at, id) WHERE status = 'SUSPENDED';
CREATE INDEX sepa_deposit_suspended_id ON sepa_deposit (id) WHERE status = 'SUSPENDED';
CREATE INDEX bank_entry_unknown ON bank_entry (created_at, id) WHERE kind = 'UNKNOWN';
