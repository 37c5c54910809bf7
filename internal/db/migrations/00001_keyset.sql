-- The data keys, sealed by the master key. They encrypt fields, derive the pepper of API keys, and make
-- encrypted fields findable; see package vault.

-- +goose Up
CREATE TABLE keyset (
    name       TEXT   NOT NULL PRIMARY KEY,
    sealed     {{bytes}} NOT NULL,
    created_at BIGINT NOT NULL
);
