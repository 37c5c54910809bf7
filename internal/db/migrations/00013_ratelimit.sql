-- Rate limits that several API nodes share: who they are, and the tokens of each API key that they lease
-- from. A node that is alone counts in memory and touches neither; see package ratelimit.

-- +goose Up
-- The API nodes. beat counts a node's signs of life; it is no time, because clocks of machines differ.
CREATE TABLE rate_node (
    node TEXT   NOT NULL PRIMARY KEY,
    beat BIGINT NOT NULL
);

-- One bucket per API key. level is in billionths of a request at the moment refilled_at (microseconds of
-- rate_clock); it is below zero while a node that has just joined the others brings in what it had spent.
CREATE TABLE rate_bucket (
    partner_id  BIGINT NOT NULL,
    key_id      TEXT   NOT NULL,
    level       BIGINT NOT NULL,
    refilled_at BIGINT NOT NULL,
    PRIMARY KEY (partner_id, key_id)
){{hot}};

-- The database's own time in microseconds: the one clock that all nodes have in common.
CREATE VIEW rate_clock AS SELECT {{micros}} AS now;
