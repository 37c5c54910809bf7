-- The audit log: who changed what on the platform's side (partners, settings, keys), for as long as there is
-- a platform. Each entry carries the hash of the one before it, so that no entry can be changed, removed or
-- put elsewhere without a trace; the head tells where the log ends, so that its end cannot be cut off either.

-- +goose Up
CREATE TABLE audit_entry (
    number     BIGINT NOT NULL PRIMARY KEY, -- from 1, without gaps
    at         BIGINT NOT NULL, -- the machine's time: the sandbox cannot move it
    actor      TEXT   NOT NULL, -- operator:<user of the system> | partner:<id> | system
    action     TEXT   NOT NULL,
    partner_id BIGINT NOT NULL, -- whom it concerns; 0: the operator
    object     TEXT   NOT NULL, -- the id of what was changed; empty: the partner itself
    details    TEXT   NOT NULL, -- JSON in the canonical form of RFC 8785
    previous   TEXT   NOT NULL, -- hash of the entry before, in hexadecimal; empty for the first
    hash       TEXT   NOT NULL  -- SHA-256 over previous and all of the above, in hexadecimal
);
CREATE INDEX audit_entry_partner ON audit_entry (partner_id, number);
{{immutable "audit_entry"}}

-- One row. Whoever writes an entry locks it first, so that entries follow one another.
CREATE TABLE audit_head (
    id     BIGINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    hash   TEXT   NOT NULL,
    CONSTRAINT audit_head_one CHECK (id = 1)
);
INSERT INTO audit_head (id, number, hash) VALUES (1, 0, '');
