-- Answers kept for repeated requests. The row of an object that moved money stays for ever, without its
-- answer: its key never executes again.

-- +goose Up
CREATE TABLE idempotency (
    partner_id BIGINT  NOT NULL,
    key        TEXT    NOT NULL,
    request    {{bytes}} NOT NULL, -- HMAC of method, path and body
    status     BIGINT  NOT NULL, -- HTTP status of the answer; 0 once the answer is forgotten
    answer     {{bytes}} NOT NULL,
    object_id  {{uuid}} NOT NULL,
    lasting    BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at) WHERE status <> 0;
