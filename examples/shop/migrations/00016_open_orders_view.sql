-- +goose Up
CREATE VIEW open_orders AS
    SELECT o.id, o.account_id, a.email, o.placed_at
    FROM orders o JOIN accounts a ON a.id = o.account_id
    WHERE o.state = 'open';

-- +goose Down
DROP VIEW open_orders;
