-- Internal transfers between a partner and its users. A side of all zeros is the partner.

-- +goose Up
CREATE TABLE internal_transfer (
    partner_id     BIGINT NOT NULL,
    id             {{uuid}} NOT NULL,
    source_id      {{uuid}} NOT NULL,
    destination_id {{uuid}} NOT NULL,
    currency       TEXT   NOT NULL,
    amount         BIGINT NOT NULL,
    reference      TEXT   NOT NULL,
    metadata       TEXT   NOT NULL, -- a JSON object of strings
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id)
);
{{immutable "internal_transfer"}}
