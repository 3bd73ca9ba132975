-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY orders_state_idx ON orders (state);

-- +goose Down
DROP INDEX CONCURRENTLY orders_state_idx;
