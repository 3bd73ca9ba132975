CREATE TABLE invoices (
    id bigserial PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers (id),
    total numeric(12,2) NOT NULL,
    issued_on date NOT NULL DEFAULT current_date
) PARTITION BY RANGE (id);
CREATE TABLE invoices_1 PARTITION OF invoices FOR VALUES FROM (1) TO (1000000);
CREATE TABLE invoices_default PARTITION OF invoices DEFAULT;
