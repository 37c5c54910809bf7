-- What owners have sent by SEPA on a day, under the limits of the settings sepa.maxPerDay and sepa.maxPerDayTotal. A row
-- is made by the day's first transfer under a limit, and swept with a batch of a later day.

-- +goose Up
CREATE TABLE sepa_day (
    partner_id BIGINT NOT NULL,
    day        BIGINT NOT NULL, -- its midnight, UTC
    owner_id   {{uuid}} NOT NULL, -- a user; all zeros: the partner itself; all ones: the partner and all its users
    earlier    BIGINT NOT NULL, -- what was sent that day before there was a limit
    counted    BIGINT NOT NULL, -- what was sent since, less what failed
    most       BIGINT NOT NULL, -- the limit under which the last transfer was accepted
    PRIMARY KEY (partner_id, day, owner_id),
    CONSTRAINT sepa_day_limit CHECK (earlier + counted <= most)
);
