-- What is of which session. In a file of its own, so that whoever reads sales does not wait while their indexes are made.

CREATE INDEX sale_session_idx ON stock.sale (tenant_id, cash_session_id) WHERE cash_session_id IS NOT NULL;
CREATE INDEX sale_return_session_idx ON stock.sale_return (tenant_id, cash_session_id) WHERE cash_session_id IS NOT NULL;
CREATE INDEX ledger_entry_session_idx ON stock.ledger_entry (tenant_id, cash_session_id, method) INCLUDE (direction, amount)
    WHERE cash_session_id IS NOT NULL;
