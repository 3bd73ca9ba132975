-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE order_lines ADD CONSTRAINT order_lines_quantity CHECK (quantity > 0) NOT VALID;

-- +goose Down
ALTER TABLE order_lines DROP CONSTRAINT order_lines_quantity;
