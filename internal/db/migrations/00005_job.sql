-- Durable background work. A job that is done is deleted; one that failed waits for its next attempt.

-- +goose Up
CREATE TABLE job (
    partner_id   BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    object_id    {{uuid}} NOT NULL,
    due_at       BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    node         TEXT   NOT NULL,
    leased_until BIGINT NOT NULL,
    outcome      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (partner_id, kind, object_id)
);
CREATE INDEX job_due ON job (due_at);
