CREATE INDEX CONCURRENTLY payments_invoice_idx ON payments (invoice_id);
