-- Lists that persons are screened against, in the database so that all nodes have the same ones; by what other
-- users of a person are recognised; and how far each screening after a change of the lists has come.

-- +goose Up
CREATE TABLE screening_list (
    id          {{uuid}} NOT NULL PRIMARY KEY,
    source      TEXT   NOT NULL, -- opensanctions | eu | un | ofac
    format      TEXT   NOT NULL,
    list_date   TEXT   NOT NULL, -- YYYY-MM-DD: when the source made it
    hash        TEXT   NOT NULL, -- SHA-256 of the file, in hexadecimal
    entities    BIGINT NOT NULL,
    skipped     BIGINT NOT NULL,
    parts       BIGINT NOT NULL,
    number      BIGINT NOT NULL, -- of the source's lists, from 1: the highest is in use
    imported_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX screening_list_number_key ON screening_list (source, number);
{{immutable "screening_list"}}

-- The content of lists that are in use: JSON lines, compressed, in pieces. An import writes them first; the list
-- is there when its row is. Pieces without a row are what an import left that did not end.
CREATE TABLE screening_part (
    list_id    {{uuid}} NOT NULL,
    number     BIGINT NOT NULL,
    content    {{bytes}} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (list_id, number)
);

-- Keyed hashes of documents, and of names with birth dates. Who comes with the same one takes the next number.
CREATE TABLE screening_key (
    hash       TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    kind       TEXT   NOT NULL, -- DUPLICATE_DOCUMENT | DUPLICATE_PERSON
    partner_id BIGINT NOT NULL,
    user_id    {{uuid}} NOT NULL,
    PRIMARY KEY (hash, number)
);
CREATE INDEX screening_key_user ON screening_key (partner_id, user_id);

-- One row for each list that came into use: who was screened again because of it. The walk goes through the
-- partners, and for each from its newest user to the oldest.
CREATE TABLE screening_run (
    list_id     {{uuid}} NOT NULL PRIMARY KEY,
    partner_id  BIGINT NOT NULL, -- of the user who was screened last
    user_at     BIGINT NOT NULL,
    user_id     {{uuid}} NOT NULL,
    screened    BIGINT NOT NULL,
    cases       BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL
);
