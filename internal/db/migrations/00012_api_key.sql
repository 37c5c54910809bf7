-- API keys get what an operator needs to manage several of them: a label, an end, and when each was last used.

-- +goose Up
ALTER TABLE api_key ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;   -- 0: never
ALTER TABLE api_key ADD COLUMN last_used_at BIGINT NOT NULL DEFAULT 0; -- 0: never; at most a minute behind
