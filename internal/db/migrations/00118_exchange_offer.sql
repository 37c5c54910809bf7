-- A rate lock is no row any more: its id carries its time and its owner's proof, and refers to the offer whose rates and
-- fee it holds. An offer is made when they change, not for each lock.
--
-- exchange_lock is no longer used. It stays because nodes of the version before go on after an upgrade of the schema.

-- +goose Up
CREATE TABLE exchange_offer (
    partner_id     BIGINT NOT NULL,
    number         BIGINT NOT NULL, -- random; ids of locks have 20 bits for it
    rates          TEXT   NOT NULL, -- a JSON object: the price of one unit in EUR by currency, as it was quoted
    market         TEXT   NOT NULL, -- the market's own prices; empty: the same
    fee_percent    TEXT   NOT NULL, -- all of it
    markup_percent TEXT   NOT NULL, -- the partner's part of it
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (partner_id, number)
);

-- How many locks an owner took, where several nodes count together: one row for each. A node that is alone counts in
-- memory. Ids are of version 7, so that the newest are found by the key.
CREATE TABLE exchange_lock_taken (
    partner_id BIGINT NOT NULL,
    owner_id   {{uuid}} NOT NULL, -- a user; all zeros: the partner itself
    id         {{uuid}} NOT NULL,
    PRIMARY KEY (partner_id, owner_id, id)
);
