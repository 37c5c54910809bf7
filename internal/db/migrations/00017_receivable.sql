-- Who owes the platform can be listed without reading every account. The index names neither posted nor held,
-- so that it costs the accounts' running figures nothing.

-- +goose Up
CREATE INDEX account_receivables ON account (partner_id, owner_id, currency) WHERE purpose = 'receivable';
