package sepa

import "kontor/internal/db"

// selectOddDecisions finds what officers decided finally about money on suspense and what was not done, and what left the
// operator's suspense account undecided.
var selectOddDecisions = db.NewQuery(`
	SELECT s.partner_id, s.item_id FROM suspense_decision s
	LEFT JOIN sepa_deposit d ON d.partner_id = s.partner_id AND d.id = s.item_id
	WHERE s.final AND s.partner_id <> 0 AND (d.id IS NULL OR s.verdict NOT IN ('RELEASE', 'RETURN')
		OR s.verdict = 'RELEASE' AND d.status <> 'SUCCESSFUL' OR s.verdict = 'RETURN' AND d.returns <= s.round)
	UNION ALL
	SELECT s.partner_id, s.item_id FROM suspense_decision s
	WHERE s.final AND s.partner_id = 0 AND NOT EXISTS (
		SELECT 1 FROM ledger_transfer l WHERE l.partner_id = 0 AND l.operation_id = s.item_id
			AND l.leg = CASE s.verdict WHEN 'ASSIGN' THEN 'assign' WHEN 'CLOSE' THEN 'close' END)
	AND NOT EXISTS (
		SELECT 1 FROM sepa_return r WHERE r.partner_id = 0 AND r.entry_id = s.item_id AND r.target_partner = 0
			AND s.verdict = 'RETURN' AND r.attempt = s.round + 1)
	UNION ALL
	SELECT l.partner_id, l.operation_id FROM ledger_transfer l
	WHERE l.partner_id = 0 AND l.leg IN ('assign', 'close') AND NOT EXISTS (
		SELECT 1 FROM suspense_decision s WHERE s.partner_id = 0 AND s.item_id = l.operation_id AND s.final
			AND s.verdict = CASE l.leg WHEN 'assign' THEN 'ASSIGN' ELSE 'CLOSE' END)`)
