-- A little data to run the shop's migrations against.
INSERT INTO accounts (email, display_name)
    SELECT 'user' || n || '@example.org', 'User ' || n FROM generate_series(1, 1000) AS n;
INSERT INTO products (sku, title, price)
    SELECT 'SKU-' || n, 'Product ' || n, n % 100 + 0.99 FROM generate_series(1, 200) AS n;
INSERT INTO orders (account_id)
    SELECT n % 1000 + 1 FROM generate_series(1, 5000) AS n;
INSERT INTO order_lines (order_id, line_no, product_id, quantity)
    SELECT n, 1, n % 200 + 1, n % 5 + 1 FROM generate_series(1, 5000) AS n;
