-- Users: identity and state in one table, personal data in another that erasure can empty.

-- +goose Up
CREATE TABLE users (
    partner_id    BIGINT NOT NULL,
    id            {{uuid}} NOT NULL,
    external_id   TEXT   NOT NULL,
    model         TEXT   NOT NULL, -- kyc | nokyc
    verification  TEXT   NOT NULL, -- NOT_VERIFIED | VERIFIED | EXPIRED
    activated_at  BIGINT NOT NULL,
    suspended_at  BIGINT NOT NULL, -- by the partner
    frozen_at     BIGINT NOT NULL, -- by the operator
    version       BIGINT NOT NULL, -- of the user's events
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id)
);
CREATE UNIQUE INDEX users_external_id_key ON users (partner_id, external_id);

CREATE TABLE person (
    partner_id      BIGINT NOT NULL,
    user_id         {{uuid}} NOT NULL,
    email           TEXT   NOT NULL,
    phone           TEXT   NOT NULL,
    first_name      TEXT   NOT NULL,
    last_name       TEXT   NOT NULL,
    street          TEXT   NOT NULL, -- the older body's one-line address stands here whole
    street_number   TEXT   NOT NULL,
    city            TEXT   NOT NULL,
    post_code       TEXT   NOT NULL,
    country         TEXT   NOT NULL,
    citizenship     TEXT   NOT NULL,
    nationality     TEXT   NOT NULL,
    birth_country   TEXT   NOT NULL,
    birth_date      TEXT   NOT NULL,
    document_type   TEXT   NOT NULL,
    document_number {{bytes}} NOT NULL, -- sealed
    national_number {{bytes}} NOT NULL, -- sealed: userIdentificationNumber, PESEL
    PRIMARY KEY (partner_id, user_id)
);
