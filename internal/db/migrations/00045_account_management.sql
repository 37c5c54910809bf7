-- Account management. A deleted user keeps its row, which the books and the histories refer to, and its
-- externalUserId, which nobody else gets unless the partner's setting allows it. What an identity check established
-- stands beside the profile, in the one table that erasure empties, and no change of the profile reaches it.

-- +goose Up
ALTER TABLE users ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN under_review BOOLEAN NOT NULL DEFAULT FALSE; -- a compliance officer must decide
ALTER TABLE users ADD COLUMN freeze_reason TEXT NOT NULL DEFAULT '';
UPDATE users SET under_review = TRUE WHERE EXISTS (
    SELECT 1 FROM identity_attempt a
    WHERE a.partner_id = users.partner_id AND a.user_id = users.id AND a.manual_review);

ALTER TABLE person ADD COLUMN verified_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN verified_first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN verified_last_name TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN verified_birth_date TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN verified_document_type TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN verified_document_country TEXT NOT NULL DEFAULT '';
ALTER TABLE person ADD COLUMN verified_document_number {{bytes}}; -- sealed
-- Users who were verified before: the check had nothing but their profile.
UPDATE person SET verified_first_name = first_name, verified_last_name = last_name, verified_birth_date = birth_date,
    verified_document_type = document_type, verified_at = (
        SELECT activated_at FROM users u WHERE u.partner_id = person.partner_id AND u.id = person.user_id)
WHERE EXISTS (
    SELECT 1 FROM users u
    WHERE u.partner_id = person.partner_id AND u.id = person.user_id AND u.verification <> 'NOT_VERIFIED');

-- Lists show living users only, and the few in a rare state have indexes of their own.
DROP INDEX users_list;
DROP INDEX users_waiting;
DROP INDEX users_suspended;
CREATE INDEX users_list ON users (partner_id, created_at, id) WHERE deleted_at = 0;
CREATE INDEX users_waiting ON users (partner_id, created_at, id)
    WHERE activated_at = 0 AND model = 'kyc' AND suspended_at = 0 AND frozen_at = 0 AND NOT under_review
        AND deleted_at = 0;
CREATE INDEX users_suspended ON users (partner_id, created_at, id)
    WHERE suspended_at <> 0 AND frozen_at = 0 AND deleted_at = 0;
CREATE INDEX users_frozen ON users (partner_id, created_at, id) WHERE frozen_at <> 0 AND deleted_at = 0;
CREATE INDEX users_under_review ON users (partner_id, created_at, id)
    WHERE under_review AND suspended_at = 0 AND frozen_at = 0 AND deleted_at = 0;
CREATE INDEX users_expired ON users (partner_id, created_at, id)
    WHERE verification = 'EXPIRED' AND NOT under_review AND suspended_at = 0 AND frozen_at = 0 AND deleted_at = 0;
