-- +goose Up
ALTER TABLE accounts RENAME COLUMN display_name TO full_name;

-- +goose Down
ALTER TABLE accounts RENAME COLUMN full_name TO display_name;
