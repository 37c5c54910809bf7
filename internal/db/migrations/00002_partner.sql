-- Partners, their credentials, and the directory that finds a partner by something the world knows.
-- partner_id 0 is the operator.

-- +goose Up
CREATE TABLE partner (
    partner_id BIGINT NOT NULL PRIMARY KEY,
    settings   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at  BIGINT NOT NULL
);

CREATE TABLE api_key (
    partner_id BIGINT NOT NULL,
    id         TEXT   NOT NULL,
    hash       {{bytes}} NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id)
);

-- Webhook tokens and signing secrets. Of two valid ones the newer is used; both are valid while one is
-- being rotated.
CREATE TABLE partner_secret (
    partner_id BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    id         {{uuid}} NOT NULL,
    sealed     {{bytes}} NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, kind, id)
);

-- One of the few tables without partner_id in its key: it answers who owns an API key's id, an IBAN, a
-- payment reference. Its key is unique in the whole deployment and is never given to another owner.
CREATE TABLE directory (
    kind       TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    partner_id BIGINT NOT NULL,
    object_id  {{uuid}} NOT NULL,
    PRIMARY KEY (kind, key)
);
