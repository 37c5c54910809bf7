-- Reviews of proofs of address, by user and in the order of their uploads. Only the newest one counts.

-- +goose Up
CREATE TABLE poa_review (
    partner_id BIGINT  NOT NULL,
    user_id    {{uuid}} NOT NULL,
    number     BIGINT  NOT NULL, -- of the user's reviews, from 1
    id         {{uuid}} NOT NULL,
    status     TEXT    NOT NULL, -- WAITING | APPROVED | REJECTED | QUESTIONED
    officer    TEXT    NOT NULL, -- who decided; empty while nobody has
    reason     {{bytes}} NOT NULL, -- sealed: what the officer wrote
    created_at BIGINT  NOT NULL,
    decided_at BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, user_id, number),
    CONSTRAINT poa_review_status CHECK (status IN ('WAITING', 'APPROVED', 'REJECTED', 'QUESTIONED'))
);
CREATE UNIQUE INDEX poa_review_id_key ON poa_review (partner_id, id);
CREATE INDEX poa_review_queue ON poa_review (created_at, id) WHERE status = 'WAITING';
