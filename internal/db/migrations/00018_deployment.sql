-- What this deployment is: staging or production. It is written once; a program that was started for the other
-- environment refuses the database.

-- +goose Up
CREATE TABLE deployment (
    environment TEXT   NOT NULL PRIMARY KEY,
    created_at  BIGINT NOT NULL
);
