-- SEPA: the virtual IBANs of partners and users, and the payments that arrived on them.

-- +goose Up
CREATE TABLE sepa_account (
    partner_id BIGINT NOT NULL,
    owner_id   {{uuid}} NOT NULL, -- all zeros: the partner
    iban       TEXT   NOT NULL,
    title      TEXT   NOT NULL, -- the reference that a payer writes
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, owner_id)
);

CREATE TABLE sepa_deposit (
    partner_id  BIGINT NOT NULL,
    id          {{uuid}} NOT NULL,
    owner_id    {{uuid}} NOT NULL,
    amount      BIGINT NOT NULL,
    currency    TEXT   NOT NULL,
    title       TEXT   NOT NULL,
    sender_name TEXT   NOT NULL,
    sender_iban TEXT   NOT NULL,
    status      TEXT   NOT NULL, -- PENDING | SUCCESSFUL | SUSPENDED
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id)
);
