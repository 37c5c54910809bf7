-- The event log as partners read it: what came of each attempt, what is to be sent again, and the indexes of
-- its list.
--
-- The transaction that writes an event pays for none of these indexes: they hold events from the moment at which
-- the lane gives them their number. Those without a number are few, and found through event_pending.

-- +goose Up
CREATE TABLE event_attempt (
    partner_id  BIGINT NOT NULL,
    event_id    {{uuid}} NOT NULL,
    id          {{uuid}} NOT NULL,
    at          BIGINT NOT NULL,
    outcome     TEXT   NOT NULL,
    duration_ms BIGINT NOT NULL,
    answer      {{bytes}} NOT NULL, -- sealed: receivers answer what they like
    PRIMARY KEY (partner_id, event_id, id)
);

-- Asked for and not done yet: one event, or those of a status that were created in a range of time, of which
-- the ones up to the position are done. A row ends when its last event was tried.
CREATE TABLE event_redelivery (
    partner_id  BIGINT NOT NULL,
    id          {{uuid}} NOT NULL,
    event_id    {{uuid}} NOT NULL, -- zero: a range
    status      TEXT   NOT NULL,
    until       BIGINT NOT NULL,
    position_at BIGINT NOT NULL,
    position_id {{uuid}} NOT NULL,
    PRIMARY KEY (partner_id, id)
);

-- An event enters these once, when it gets its number, and stays: what becomes of its delivery changes none of them.
CREATE UNIQUE INDEX event_id_key ON event (partner_id, id) WHERE sequence IS NOT NULL;
CREATE INDEX event_list ON event (partner_id, created_at, id) WHERE sequence IS NOT NULL;
CREATE INDEX event_list_type ON event (partner_id, type, created_at, id) WHERE sequence IS NOT NULL;
CREATE INDEX event_list_failed ON event (partner_id, created_at, id) WHERE status = 'FAILED';

-- Bodies with members that are to be removed: codes, document numbers.
ALTER TABLE event ADD COLUMN secrets BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX event_secrets ON event (created_at) WHERE secrets;

-- The creation of the newest event that was removed because of its age; earlier ones cannot be missed.
ALTER TABLE event_lane ADD COLUMN removed_until BIGINT NOT NULL DEFAULT 0;
