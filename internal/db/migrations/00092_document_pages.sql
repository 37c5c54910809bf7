-- How many pages a PDF has: each is shown to officers as a picture of its own.

-- +goose Up
ALTER TABLE document ADD COLUMN pages BIGINT NOT NULL DEFAULT 0; -- 0 for a picture, and before it was judged
