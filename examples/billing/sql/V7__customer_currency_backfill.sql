UPDATE customers SET currency = 'EUR' WHERE currency IS NULL;
