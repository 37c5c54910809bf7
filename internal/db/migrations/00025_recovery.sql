-- What follows when a receiver recovers: its failed events are tried once more, and until then it is asked
-- once a minute how it is.

-- +goose Up
-- An event that is sent again after it had failed or was delivered. It is outside the order of its object, and
-- no recovery takes it up any more.
ALTER TABLE event ADD COLUMN again BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX event_again ON event (partner_id, sequence) WHERE status = 'PENDING' AND again;
-- What a recovery looks for: events that failed at a receiver, not for want of one.
CREATE INDEX event_failed ON event (partner_id, sequence) WHERE status = 'FAILED' AND NOT again AND attempts >= 5;

-- When the receiver at the partner's base URL is asked next, in business time, and whether it was found down.
ALTER TABLE event_lane ADD COLUMN probe_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event_lane ADD COLUMN probe_down BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX event_lane_probe ON event_lane (probe_at) WHERE probe_at > 0;
