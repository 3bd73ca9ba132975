ALTER TABLE payments ADD CONSTRAINT payments_once UNIQUE (invoice_id, paid_at);
