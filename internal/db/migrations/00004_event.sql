-- The event log. A row is written by the transaction that changes the object; its number and what became
-- of its delivery are filled in later by the node that holds the partner's lane.

-- +goose Up
CREATE TABLE event (
    partner_id   BIGINT NOT NULL,
    object_id    {{uuid}} NOT NULL,
    version      BIGINT NOT NULL,
    id           {{uuid}} NOT NULL,
    type         TEXT   NOT NULL,
    body         {{bytes}} NOT NULL,
    created_at   BIGINT NOT NULL,
    sequence     BIGINT,
    status       TEXT   NOT NULL,
    attempts     BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,
    outcome      TEXT   NOT NULL,
    PRIMARY KEY (partner_id, object_id, version)
);
CREATE UNIQUE INDEX event_sequence_key ON event (partner_id, sequence) WHERE sequence IS NOT NULL;
-- Both queues of a partner: events with a number, in its order, and those without, in the order of time.
CREATE INDEX event_pending ON event (partner_id, sequence, created_at) WHERE status = 'PENDING';

-- One lane per partner: the node whose lease it is numbers and delivers the partner's events.
CREATE TABLE event_lane (
    partner_id  BIGINT NOT NULL PRIMARY KEY,
    sequence    BIGINT NOT NULL,
    node        TEXT   NOT NULL,
    leased_until BIGINT NOT NULL
);
