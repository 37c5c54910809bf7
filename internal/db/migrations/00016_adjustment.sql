-- Corrections of customers' balances by the operator. One person proposes, another decides, and an approval
-- executes in the transaction that records it. All three steps are rows of their own that nothing changes.

-- +goose Up
CREATE TABLE adjustment_proposal (
    partner_id  BIGINT NOT NULL,
    id          {{uuid}} NOT NULL,
    owner_id    {{uuid}} NOT NULL, -- a user; all zeros: the partner
    currency    TEXT   NOT NULL,
    amount      BIGINT NOT NULL, -- above zero is given to the customer, below zero is taken
    reason      TEXT   NOT NULL,
    proposed_by TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT adjustment_proposal_amount CHECK (amount <> 0),
    CONSTRAINT adjustment_proposal_reason CHECK (reason <> '')
);
{{immutable "adjustment_proposal"}}

-- The key makes it the only one. Who proposed stands here again so that the schema can tell two persons apart.
CREATE TABLE adjustment_decision (
    partner_id  BIGINT  NOT NULL,
    id          {{uuid}} NOT NULL, -- the proposal's
    approved    BOOLEAN NOT NULL,
    proposed_by TEXT    NOT NULL,
    decided_by  TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT adjustment_decision_two_persons CHECK (proposed_by <> decided_by)
);
{{immutable "adjustment_decision"}}

-- What was executed, as the customer's history shows it: from the moment of its execution.
CREATE TABLE adjustment (
    partner_id BIGINT NOT NULL,
    id         {{uuid}} NOT NULL, -- the proposal's, and the operation's in the ledger
    owner_id   {{uuid}} NOT NULL,
    currency   TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    reason     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT adjustment_amount CHECK (amount <> 0)
);
CREATE INDEX adjustment_owner ON adjustment (partner_id, owner_id, created_at, id);
CREATE INDEX adjustment_time ON adjustment (partner_id, created_at, id);
{{immutable "adjustment"}}
