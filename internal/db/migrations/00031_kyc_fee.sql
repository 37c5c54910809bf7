-- Fees for hosted identity checks, as the partner's history shows them. A fee is charged once for an attempt.

-- +goose Up
CREATE TABLE kyc_fee (
    partner_id BIGINT NOT NULL,
    id         {{uuid}} NOT NULL, -- the attempt's, and the operation's in the ledger
    user_id    {{uuid}} NOT NULL, -- whose identity was checked
    currency   TEXT   NOT NULL,
    amount     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT kyc_fee_amount CHECK (amount > 0)
);
CREATE INDEX kyc_fee_time ON kyc_fee (partner_id, created_at, id);
{{immutable "kyc_fee"}}
