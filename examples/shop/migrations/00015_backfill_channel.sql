-- +goose Up
UPDATE orders SET channel = 'phone' WHERE channel IS NULL;
ALTER TABLE orders ADD COLUMN priority int;

-- +goose Down
ALTER TABLE orders DROP COLUMN priority;
