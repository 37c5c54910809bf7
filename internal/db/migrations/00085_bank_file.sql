-- Files exchanged with the bank: what was put out for it, and what became of what it sent.

-- +goose Up

-- The row names the one staged file that may go to the outbox. Moving it there is a rename, which happens once.
CREATE TABLE bank_file_out (
    partner_id BIGINT NOT NULL, -- the operator
    message_id TEXT   NOT NULL,
    staged     TEXT   NOT NULL, -- name of the file until it is in the outbox
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, message_id)
);
CREATE UNIQUE INDEX bank_file_out_staged_key ON bank_file_out (partner_id, staged);
{{immutable "bank_file_out"}}

CREATE TABLE bank_file_in (
    partner_id BIGINT NOT NULL, -- the operator
    id         {{uuid}} NOT NULL,
    name       TEXT   NOT NULL, -- in the inbox
    digest     {{bytes}} NOT NULL, -- SHA-256 of the content; empty when it was too large to read
    kind       TEXT   NOT NULL, -- of the message; empty when it cannot be read
    message_id TEXT   NOT NULL,
    outcome    TEXT   NOT NULL,
    reason     TEXT   NOT NULL, -- of a quarantine
    place      TEXT   NOT NULL, -- where the file is kept, below the bank's folder
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT bank_file_in_outcome CHECK (outcome IN ('TAKEN', 'DUPLICATE', 'QUARANTINED'))
);
CREATE UNIQUE INDEX bank_file_in_digest_key ON bank_file_in (partner_id, digest) WHERE outcome = 'TAKEN';
CREATE UNIQUE INDEX bank_file_in_message_key ON bank_file_in (partner_id, kind, message_id) WHERE outcome = 'TAKEN';
{{immutable "bank_file_in"}}
