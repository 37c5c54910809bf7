-- Currency exchange: rate locks, which live for seconds and are swept, and exchanges, which stay.
--
-- A lock is used once because an exchange is inserted under its id: exchange_use_key. Locks have no other index
-- than their key; an owner's newest are found by it, because ids of version 7 ascend with time. Prices and shares
-- are exact decimals in text.

-- +goose Up
CREATE TABLE exchange_lock (
    partner_id     BIGINT NOT NULL,
    owner_id       {{uuid}} NOT NULL, -- a user; all zeros: the partner itself
    id             {{uuid}} NOT NULL,
    rates          TEXT   NOT NULL, -- a JSON object: the price of one unit in EUR by currency, as it was quoted
    market         TEXT   NOT NULL, -- the market's own prices; empty: the same
    fee_percent    TEXT   NOT NULL, -- all of it
    markup_percent TEXT   NOT NULL, -- the partner's part of it
    created_at     BIGINT NOT NULL,
    valid_until    BIGINT NOT NULL,
    PRIMARY KEY (partner_id, owner_id, id)
);

CREATE TABLE exchange (
    partner_id     BIGINT NOT NULL,
    id             {{uuid}} NOT NULL,
    owner_id       {{uuid}} NOT NULL, -- as the lock's
    lock_id        {{uuid}} NOT NULL,
    currency_from  TEXT   NOT NULL,
    amount_from    BIGINT NOT NULL, -- fee included
    currency_to    TEXT   NOT NULL,
    amount_to      BIGINT NOT NULL,
    rate_from      TEXT   NOT NULL,
    rate_to        TEXT   NOT NULL,
    fee_percent    TEXT   NOT NULL,
    fee            BIGINT NOT NULL, -- in currency_from, mark-up included
    markup_percent TEXT   NOT NULL,
    markup         BIGINT NOT NULL, -- in currency_from, to the partner
    gain           BIGINT NOT NULL, -- in 10^-8 EUR: what the liquidity took is worth more than what it paid, at the market's prices
    reference      TEXT   NOT NULL,
    metadata       TEXT   NOT NULL, -- a JSON object of strings
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT exchange_two_currencies CHECK (currency_from <> currency_to),
    CONSTRAINT exchange_amounts CHECK (amount_to > 0 AND markup >= 0 AND markup <= fee AND fee < amount_from)
);
CREATE UNIQUE INDEX exchange_use_key ON exchange (partner_id, lock_id);
-- Lists of all users, as for transfers; an owner's exchanges are found through the ledger.
CREATE INDEX exchange_list ON exchange (partner_id, currency_from, created_at, id);
CREATE INDEX exchange_reference ON exchange (partner_id, reference, currency_from, created_at, id) WHERE reference <> '';
{{immutable "exchange"}}
