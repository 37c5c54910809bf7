-- Attempts at an identity check as they run: over uploaded files, over the hosted page, or in the sandbox.
--
-- What the partner and the user declare is sealed in one column, which erasure empties with the document's number.
-- The verificationId of a hosted attempt is a capability: it is found by its keyed hash in the directory, and sealed
-- here so that a repeated request and the attempt's status can tell it again.

-- +goose Up
ALTER TABLE identity_attempt ADD COLUMN method TEXT NOT NULL DEFAULT 'SANDBOX'; -- FILES | HOSTED | SANDBOX
ALTER TABLE identity_attempt ADD COLUMN claims {{bytes}}; -- sealed
ALTER TABLE identity_attempt ADD COLUMN link {{bytes}};   -- sealed
ALTER TABLE identity_attempt ADD COLUMN fee BIGINT NOT NULL DEFAULT 0; -- cents, due when the attempt succeeds
ALTER TABLE identity_attempt ADD COLUMN consented_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identity_attempt ADD COLUMN submitted_at BIGINT NOT NULL DEFAULT 0; -- by the user, on the hosted page
ALTER TABLE identity_attempt ADD COLUMN requested_at BIGINT NOT NULL DEFAULT 0; -- POST /v1/user/verification came
ALTER TABLE identity_attempt ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;   -- of the hosted page's link
-- Nobody is under review whose attempt has ended, and who is refused is told why.
ALTER TABLE identity_attempt ADD COLUMN flagged BOOLEAN NOT NULL DEFAULT FALSE -- a person had to look
    CONSTRAINT identity_attempt_review CHECK (NOT manual_review OR status = 'VERIFICATION');
ALTER TABLE identity_attempt ADD COLUMN decided_at BIGINT NOT NULL DEFAULT 0
    CONSTRAINT identity_attempt_reason CHECK ((rejection_reason <> '') = (status = 'REJECTED_BY_PROVIDER'));
UPDATE identity_attempt SET flagged = TRUE WHERE manual_review;
-- Earlier attempts were decided, and the users activated, in the transaction that made them.
UPDATE identity_attempt SET requested_at = created_at WHERE status = 'SUCCESSFUL' OR manual_review;

CREATE UNIQUE INDEX identity_attempt_id_key ON identity_attempt (partner_id, id);
