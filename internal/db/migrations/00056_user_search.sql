-- Officers look for users by their names.

-- +goose Up
CREATE INDEX person_last_name ON person (partner_id, lower(last_name), lower(first_name));
CREATE INDEX person_first_name ON person (partner_id, lower(first_name));
