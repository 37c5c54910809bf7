-- What the operator bought or sold elsewhere against the open position of exchanges. The platform's own: there is no
-- partner in it.

-- +goose Up
CREATE TABLE treasury_hedge (
    id         {{uuid}} NOT NULL,
    currency   TEXT   NOT NULL,
    amount     BIGINT NOT NULL, -- above zero was bought, below zero was sold
    price      TEXT   NOT NULL, -- EUR for one unit, exact
    reason     TEXT   NOT NULL,
    noted_by   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT treasury_hedge_amount CHECK (amount BETWEEN -1000000000000000000 AND 1000000000000000000 AND amount <> 0),
    CONSTRAINT treasury_hedge_reason CHECK (reason <> '')
);
-- Sums of a currency are read from it alone.
CREATE INDEX treasury_hedge_currency ON treasury_hedge (currency, created_at, amount);
{{immutable "treasury_hedge"}}
