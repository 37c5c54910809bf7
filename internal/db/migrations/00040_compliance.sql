-- Compliance cases: users whom an officer must look at, what was found about them, and what was decided.
-- Decisions are rows of their own that nothing changes. What was found, and why an officer decided so, speaks
-- of persons and is sealed.

-- +goose Up
CREATE TABLE compliance_case (
    partner_id BIGINT  NOT NULL,
    id         {{uuid}} NOT NULL,
    user_id    {{uuid}} NOT NULL,
    state      TEXT    NOT NULL, -- OPEN | OK | REJECTED
    froze      BOOLEAN NOT NULL, -- opening it froze the user: an OK lifts that
    opened_at  BIGINT  NOT NULL,
    closed_at  BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, id),
    CONSTRAINT compliance_case_state CHECK (state IN ('OPEN', 'OK', 'REJECTED')),
    CONSTRAINT compliance_case_closed CHECK ((state = 'OPEN') = (closed_at = 0))
);
-- A user has one open case at a time; what is found meanwhile is added to it.
CREATE UNIQUE INDEX compliance_case_open_key ON compliance_case (partner_id, user_id) WHERE state = 'OPEN';
CREATE INDEX compliance_case_user ON compliance_case (partner_id, user_id, opened_at);
-- Officers work for the operator: their queue is that of all partners, and a case is named by its id.
CREATE INDEX compliance_case_queue ON compliance_case (opened_at, id);
CREATE INDEX compliance_case_waiting ON compliance_case (opened_at, id) WHERE state = 'OPEN';
CREATE INDEX compliance_case_id ON compliance_case (id);

-- What was found, in screenings numbered from 1 within the case.
CREATE TABLE compliance_finding (
    partner_id   BIGINT NOT NULL,
    case_id      {{uuid}} NOT NULL,
    number       BIGINT NOT NULL,
    user_id      {{uuid}} NOT NULL,
    cause        TEXT   NOT NULL, -- ONBOARDING | RESCREENING | PROFILE_CHANGED
    score        BIGINT NOT NULL, -- the highest, of 100
    list_version TEXT   NOT NULL,
    found        {{bytes}} NOT NULL, -- sealed JSON; empty when the personal data were erased
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (partner_id, case_id, number),
    CONSTRAINT compliance_finding_score CHECK (score BETWEEN 0 AND 100)
);
CREATE INDEX compliance_finding_user ON compliance_finding (partner_id, user_id);

-- What is known of a user already, so that nobody is asked the same again.
CREATE TABLE compliance_hit (
    partner_id BIGINT NOT NULL,
    user_id    {{uuid}} NOT NULL,
    case_id    {{uuid}} NOT NULL,
    number     BIGINT NOT NULL, -- the finding's
    ref        TEXT   NOT NULL, -- what was found: an entry of a list, a country, another user
    score      BIGINT NOT NULL,
    PRIMARY KEY (partner_id, user_id, case_id, number, ref)
);

-- What officers said, numbered from 1 within the case. With four eyes the first one proposes and another
-- confirms; only the final one counts, and there is one.
CREATE TABLE compliance_decision (
    partner_id  BIGINT  NOT NULL,
    case_id     {{uuid}} NOT NULL,
    number      BIGINT  NOT NULL,
    verdict     TEXT    NOT NULL, -- OK | REJECTED
    final       BOOLEAN NOT NULL,
    officer     TEXT    NOT NULL,
    proposed_by TEXT    NOT NULL, -- of a confirmation: who proposed; otherwise empty
    reason      {{bytes}} NOT NULL, -- sealed
    created_at  BIGINT  NOT NULL,
    PRIMARY KEY (partner_id, case_id, number),
    CONSTRAINT compliance_decision_verdict CHECK (verdict IN ('OK', 'REJECTED')),
    CONSTRAINT compliance_decision_two_persons CHECK (officer <> proposed_by)
);
CREATE UNIQUE INDEX compliance_decision_final_key ON compliance_decision (partner_id, case_id) WHERE final;
{{immutable "compliance_decision"}}

-- Users whom an earlier program put under review get their case, under the id of the attempt.
INSERT INTO compliance_case (partner_id, id, user_id, state, froze, opened_at, closed_at)
SELECT a.partner_id, a.id, a.user_id, 'OPEN', FALSE, a.created_at, 0 FROM identity_attempt a
WHERE a.manual_review AND a.attempt = (
    SELECT MAX(b.attempt) FROM identity_attempt b WHERE b.partner_id = a.partner_id AND b.user_id = a.user_id);
