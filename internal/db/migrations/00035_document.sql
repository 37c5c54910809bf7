-- Files that users' identity and address were proven with. The content is encrypted in the blob store, under the
-- document's id; it is written before the row, so that a row always has its content.

-- +goose Up
CREATE TABLE document (
    partner_id BIGINT  NOT NULL,
    id         {{uuid}} NOT NULL, -- the content's name in the blob store, too
    user_id    {{uuid}} NOT NULL,
    check_id   {{uuid}} NOT NULL, -- the identity attempt or the review of a proof of address that it belongs to
    purpose    TEXT    NOT NULL, -- KYC | POA
    side       TEXT    NOT NULL, -- FRONT | BACK | SELFIE; empty: told by the order
    state      TEXT    NOT NULL, -- STORED | ADDED | ERROR
    media      TEXT    NOT NULL, -- image/jpeg | image/png | application/pdf
    size       BIGINT  NOT NULL, -- bytes, as stored
    width      BIGINT  NOT NULL, -- pixels; 0 for a PDF
    height     BIGINT  NOT NULL,
    label      {{bytes}} NOT NULL, -- sealed: the file's name as it was sent
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT document_purpose CHECK (purpose IN ('KYC', 'POA')),
    CONSTRAINT document_state CHECK (state IN ('STORED', 'ADDED', 'ERROR'))
);
CREATE INDEX document_user ON document (partner_id, user_id, created_at, id);
