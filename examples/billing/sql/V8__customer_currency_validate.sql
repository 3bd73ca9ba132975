SET lock_timeout = '3s';
ALTER TABLE customers VALIDATE CONSTRAINT customers_currency_set;
