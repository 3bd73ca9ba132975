SET lock_timeout = '3s';
ALTER TABLE customers ALTER COLUMN currency SET NOT NULL;
ALTER TABLE customers DROP CONSTRAINT customers_currency_set;
