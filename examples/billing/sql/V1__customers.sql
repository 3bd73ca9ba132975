CREATE TABLE customers (
    id bigserial PRIMARY KEY,
    name text NOT NULL,
    country char(2)
);
