-- The back office: who may sign in, who is signed in, and who guesses. All of it belongs to the operator, not to a
-- partner. Times are the machine's: sessions and codes concern the outside.

-- +goose Up
CREATE TABLE console_account (
    id            {{uuid}} NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL, -- in lower case; never given to another person
    role          TEXT    NOT NULL,
    password      TEXT    NOT NULL, -- argon2id with its parameters; empty until the account is set up
    totp_secret   {{bytes}} NOT NULL, -- sealed
    totp_step     BIGINT  NOT NULL, -- the time step (RFC 6238) of the last code that was used; codes up to it are dead
    setup_token   {{bytes}} NOT NULL, -- hash of the set-up link's token; empty: there is no link
    setup_ends_at BIGINT  NOT NULL,
    disabled_at   BIGINT  NOT NULL, -- 0: may sign in
    signed_in_at  BIGINT  NOT NULL, -- the last time; 0: never
    created_at    BIGINT  NOT NULL,
    CONSTRAINT console_account_role CHECK (role IN ('admin', 'compliance', 'support')),
    CONSTRAINT console_account_name CHECK (name <> '')
);
CREATE UNIQUE INDEX console_account_name_key ON console_account (name);

CREATE TABLE console_session (
    token      {{bytes}} NOT NULL PRIMARY KEY, -- hash of the cookie's token
    account_id {{uuid}} NOT NULL,
    created_at BIGINT  NOT NULL,
    used_at    BIGINT  NOT NULL, -- at most a minute behind
    ends_at    BIGINT  NOT NULL  -- however much it is used
);
CREATE INDEX console_session_account ON console_session (account_id);
CREATE INDEX console_session_end ON console_session (ends_at);

-- Failed sign-ins by name, whether there is such an account or not: an answer tells nobody which names exist.
CREATE TABLE console_guess (
    name          {{bytes}} NOT NULL PRIMARY KEY, -- hash
    failures      BIGINT  NOT NULL,
    blocked_until BIGINT  NOT NULL,
    failed_at     BIGINT  NOT NULL
);
CREATE INDEX console_guess_age ON console_guess (failed_at);

-- The audit log is searched by officer, action and object.
CREATE INDEX audit_entry_actor ON audit_entry (actor, number);
CREATE INDEX audit_entry_action ON audit_entry (action, number);
CREATE INDEX audit_entry_object ON audit_entry (object, number);
