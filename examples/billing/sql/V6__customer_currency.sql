SET lock_timeout = '3s';
ALTER TABLE customers ADD COLUMN currency text;
ALTER TABLE customers ADD CONSTRAINT customers_currency_set CHECK (currency IS NOT NULL) NOT VALID;
