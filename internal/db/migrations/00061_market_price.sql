-- What the market said, a minute apart, for whoever asks later. Prices are everyone's: there is no partner in them.

-- +goose Up
CREATE TABLE market_price (
    currency TEXT   NOT NULL,
    at       BIGINT NOT NULL, -- the beginning of a minute
    rate     TEXT   NOT NULL, -- EUR for one unit, exact
    PRIMARY KEY (currency, at)
);
