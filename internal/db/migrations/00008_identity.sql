-- Identity checks of users. A refused attempt stays; a new one gets the next number.

-- +goose Up
CREATE TABLE identity_attempt (
    partner_id       BIGINT  NOT NULL,
    user_id          {{uuid}} NOT NULL,
    attempt          BIGINT  NOT NULL,
    id               {{uuid}} NOT NULL,
    status           TEXT    NOT NULL, -- PENDING | VERIFICATION | REJECTED_BY_PROVIDER | SUCCESSFUL
    manual_review    BOOLEAN NOT NULL,
    rejection_reason TEXT    NOT NULL,
    document_number  {{bytes}} NOT NULL, -- sealed
    created_at       BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, user_id, attempt)
);
